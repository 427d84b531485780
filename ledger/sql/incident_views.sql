-- card --
-- The message that its thread hangs on
SELECT * FROM ledger.message WHERE purpose = 'incident' AND ref = %(ref)s ORDER BY trouble IS NOT NULL, id DESC LIMIT 1

-- has_thread --
-- Whether a message is an incident's card
SELECT id FROM ledger.message WHERE purpose = 'incident' AND channel = %(channel)s AND ts = %(ts)s

-- replies --
-- Its thread's messages in order
SELECT * FROM ledger.message WHERE ref LIKE %(below)s ORDER BY id

-- listing --
-- Open incidents with a card of their own
SELECT i.*, (SELECT count(*) FROM ledger.incident f WHERE f.under = i.id AND f.state = 'open') AS beside
FROM ledger.incident i
WHERE i.state = 'open' AND i.under IS NULL
  AND (%(environment)s::text IS NULL OR i.environment = %(environment)s)
ORDER BY i.since, i.id

-- newest --
-- The last incident of a subject, an open one before those that are over
SELECT * FROM ledger.incident
WHERE environment = %(environment)s AND subject = %(subject)s AND (%(kind)s::text IS NULL OR kind = %(kind)s)
ORDER BY state = 'open' DESC, id DESC LIMIT 1

-- of_subject --
-- All incidents of a subject
SELECT * FROM ledger.incident WHERE environment = %(environment)s AND subject = %(subject)s ORDER BY id

-- unfinished_run --
-- A run asked for in its thread that goes on
SELECT r.id FROM ledger.message c
JOIN ledger.message m ON m.purpose = 'root' AND m.channel = c.channel AND m.thread_ts = c.ts
JOIN ledger.run r ON m.ref = 'run/' || r.id
WHERE c.purpose = 'incident' AND c.ref = %(ref)s
  AND r.state IN ('planning', 'proposed', 'running', 'paused', 'held', 'restoring')
ORDER BY r.id DESC LIMIT 1

-- one_at_a_time --
-- Until the transaction ends nobody else says anything again
SELECT pg_advisory_xact_lock(hashtext('ledger.incident_event'))

-- wake --
-- Of two who find that a snooze is over, one tells of it
WITH over AS (
    UPDATE ledger.incident SET snoozed_until = NULL
    WHERE state = 'open' AND under IS NULL AND snoozed_until <= ledger.now()
    RETURNING id
)
INSERT INTO ledger.incident_event (incident, what, said) SELECT id, 'woken', %(said)s FROM over
RETURNING incident AS id

-- remind --
-- Nobody has taken it for so long: the first time, then after twice as long, and so on
WITH mine AS (
    SELECT id FROM ledger.incident i
    WHERE environment = %(environment)s AND state = 'open' AND under IS NULL
      AND acked_at IS NULL AND assigned IS NULL AND snoozed_until IS NULL
      AND NOT EXISTS (
          SELECT FROM ledger.silence s
          WHERE s.environment = i.environment AND s.subject = i.subject
            AND (s.until IS NULL OR s.until > ledger.now()))
      AND (SELECT max(e.at) FROM ledger.incident_event e
           WHERE e.incident = i.id AND e.what IN ('opened', 'reopened', 'woken', 'reminded'))
          + make_interval(secs => %(every_s)s * 2 ^ (
              SELECT count(*) FROM ledger.incident_event r
              WHERE r.incident = i.id AND r.what = 'reminded' AND r.id > (
                  SELECT max(o.id) FROM ledger.incident_event o
                  WHERE o.incident = i.id AND o.what IN ('opened', 'reopened'))))
          <= ledger.now()
)
INSERT INTO ledger.incident_event (incident, what, said) SELECT id, 'reminded', %(said)s FROM mine
RETURNING incident AS id

-- calm --
-- What flapped and is over since: told of once
WITH mine AS (
    SELECT id FROM ledger.incident i
    WHERE state = 'closed' AND under IS NULL AND times >= %(flaps)s
      AND closed_at <= ledger.now() - make_interval(secs => %(after_s)s)
      AND closed_at > ledger.now() - make_interval(days => 2)
      AND NOT EXISTS (
          SELECT FROM ledger.incident_event e
          WHERE e.incident = i.id AND e.what = 'calm' AND e.id > (
              SELECT max(o.id) FROM ledger.incident_event o
              WHERE o.incident = i.id AND o.what IN ('opened', 'reopened')))
      AND (SELECT count(*) FROM ledger.incident_event o
           WHERE o.incident = i.id AND o.what IN ('opened', 'reopened')
             AND o.at > (SELECT max(n.at) FROM ledger.incident_event n
                         WHERE n.incident = i.id AND n.what IN ('opened', 'reopened')) - interval '1 day')
          >= %(flaps)s
)
INSERT INTO ledger.incident_event (incident, what, said) SELECT id, 'calm', %(said)s FROM mine
RETURNING incident AS id
