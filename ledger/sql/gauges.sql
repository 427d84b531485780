-- figures --
-- What the metrics show
SELECT (SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM ledger.run GROUP BY state) s) AS runs,
       (SELECT extract(epoch FROM ledger.now() - min(due_at))::float8 FROM ledger.run) AS late,
       (SELECT count(*) FROM ledger.inbox WHERE handled_at IS NULL) AS inbox,
       (SELECT count(*) FROM ledger.message WHERE wanted_rev > sent_rev AND trouble IS NULL) AS messages
