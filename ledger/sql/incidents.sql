-- open --
-- Open an incident, unless one of this kind and subject is open
INSERT INTO ledger.incident (environment, kind, subject, name, since, under, detail)
VALUES (%(environment)s, %(kind)s, %(subject)s, %(name)s, %(since)s, %(under)s, %(detail)s)
ON CONFLICT (environment, kind, subject) WHERE state = 'open' DO NOTHING
RETURNING *

-- reopen --
-- The same trouble is back: of two who find it, one opens it
UPDATE ledger.incident
SET state = 'open', closed_at = NULL, ended = NULL, times = times + 1, since = %(since)s, name = %(name)s,
    under = %(under)s, detail = %(detail)s, acked_by = NULL, acked_at = NULL, snoozed_until = NULL
WHERE id = %(id)s AND state = 'closed' AND NOT EXISTS (
    SELECT FROM ledger.incident o
    WHERE o.environment = incident.environment AND o.kind = incident.kind AND o.subject = incident.subject
    AND o.state = 'open')
RETURNING *

-- update --
-- What is known of an open incident has changed
UPDATE ledger.incident SET name = %(name)s, detail = %(detail)s
WHERE id = %(id)s AND state = 'open' AND (name, detail) IS DISTINCT FROM (%(name)s, %(detail)s::jsonb)
RETURNING *

-- become --
-- Its trouble has grown into another kind, unless one of that kind is open
UPDATE ledger.incident SET kind = %(kind)s, name = %(name)s, detail = %(detail)s
WHERE id = %(id)s AND state = 'open' AND NOT EXISTS (
    SELECT FROM ledger.incident o
    WHERE o.environment = incident.environment AND o.kind = %(kind)s AND o.subject = incident.subject
    AND o.state = 'open' AND o.id <> incident.id)
RETURNING *

-- alone --
-- It is listed nowhere any more
UPDATE ledger.incident SET under = NULL WHERE id = %(id)s AND under IS NOT NULL
RETURNING *

-- untold --
-- What should have a card of its own and has none
SELECT i.id, (
    SELECT max(e.id) FROM ledger.incident_event e WHERE e.incident = i.id AND e.what IN ('opened', 'reopened')) AS opening
FROM ledger.incident i
WHERE i.environment = %(environment)s AND i.state = 'open' AND i.under IS NULL
  AND NOT EXISTS (SELECT FROM ledger.message m WHERE m.purpose = 'incident' AND m.ref = 'incident/' || i.id)
  AND NOT EXISTS (
    SELECT FROM ledger.silence s
    WHERE s.environment = i.environment AND s.subject = i.subject AND (s.until IS NULL OR s.until > ledger.now()))
ORDER BY i.id

-- close --
-- It is over: of two who find so, one closes it
UPDATE ledger.incident SET state = 'closed', closed_at = ledger.now(), ended = %(ended)s
WHERE id = %(id)s AND state = 'open'
RETURNING *

-- get --
-- One incident
SELECT * FROM ledger.incident WHERE id = %(id)s

-- folded --
-- What is shown on its card beside it, in the order it was found
SELECT * FROM ledger.incident WHERE under = %(id)s ORDER BY id

-- all_open --
-- Every open incident of an environment
SELECT * FROM ledger.incident WHERE environment = %(environment)s AND state = 'open' ORDER BY id

-- closed_since --
-- Those that ended not long ago: the same trouble again is the same incident
SELECT * FROM ledger.incident
WHERE environment = %(environment)s AND state = 'closed'
  AND closed_at >= ledger.now() - make_interval(secs => %(within_s)s)
ORDER BY id

-- intended --
-- What is closed, and of which the last that was said is that it is meant to be so
SELECT i.kind, i.subject FROM ledger.incident i
WHERE i.environment = %(environment)s AND i.state = 'closed' AND (
    SELECT e.what FROM ledger.incident_event e WHERE e.incident = i.id AND e.what IN ('intended', 'changed', 'reopened')
    ORDER BY e.id DESC LIMIT 1) = 'intended'

-- unintended --
-- It has been otherwise since
INSERT INTO ledger.incident_event (incident, what)
SELECT i.id, 'changed' FROM ledger.incident i
WHERE i.environment = %(environment)s AND i.kind = %(kind)s AND i.subject = %(subject)s AND (
    SELECT e.what FROM ledger.incident_event e WHERE e.incident = i.id AND e.what IN ('intended', 'changed', 'reopened')
    ORDER BY e.id DESC LIMIT 1) = 'intended'
RETURNING incident

-- note --
-- A line of its history
INSERT INTO ledger.incident_event (incident, what, actor, said)
VALUES (%(incident)s, %(what)s, %(actor)s, %(said)s)
RETURNING id

-- events --
-- Its history, oldest first, with that of what is shown on its card
SELECT e.* FROM ledger.incident_event e JOIN ledger.incident i ON i.id = e.incident
WHERE i.id = %(id)s OR i.under = %(id)s
ORDER BY e.id
