-- figures --
-- What the metrics show
SELECT (SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM ledger.run GROUP BY state) s) AS runs,
       (SELECT extract(epoch FROM ledger.now() - min(due_at))::float8 FROM ledger.run) AS late,
       (SELECT count(*) FROM ledger.inbox WHERE handled_at IS NULL) AS inbox,
       (SELECT count(*) FROM ledger.message WHERE wanted_rev > sent_rev AND trouble IS NULL) AS messages,
       (SELECT jsonb_agg(i) FROM (
            SELECT environment, kind, count(*) AS n FROM ledger.incident WHERE state = 'open' GROUP BY environment, kind
       ) i) AS incidents,
       (SELECT jsonb_agg(w) FROM (
            SELECT environment, extract(epoch FROM looked_at)::float8 AS looked_at,
                extract(epoch FROM clock_timestamp() - looked_at)::float8 AS behind_s,
                coalesce(extract(epoch FROM clock_timestamp() - failing_since)::float8, 0) AS failing_s
            FROM ledger.watch
       ) w) AS watches
