-- create --
-- A new run, to be planned
INSERT INTO ledger.run (environment, command, request, requester, inbox, channel, note, not_before, finishes, rung_at)
VALUES (%(environment)s, %(command)s, %(request)s, %(requester)s, %(inbox)s, %(channel)s, %(note)s, %(not_before)s,
        %(finishes)s, clock_timestamp())
RETURNING id

-- lock --
-- A run, and nobody else changes it until the transaction ends
SELECT * FROM ledger.run WHERE id = %(run)s FOR UPDATE

-- get --
-- A run
SELECT * FROM ledger.run WHERE id = %(run)s

-- put_plan --
-- What planning made of a run's request
UPDATE ledger.run
SET plan = %(plan)s, strategy = %(strategy)s, hash = %(hash)s, change_hash = %(change_hash)s, world = %(world)s,
    expires_at = %(expires_at)s, current_op = %(current_op)s, proposed_at = ledger.now()
WHERE id = %(run)s

-- freshen_plan --
-- The same plan with newer counts and guards: what was approved stays approved
UPDATE ledger.run
SET plan = %(plan)s, world = %(world)s, rev = rev + 1, due_at = CASE WHEN state = 'running' THEN ledger.now() ELSE due_at END
WHERE id = %(run)s

-- forget_approvals --
-- Another plan begins where the first one did
UPDATE ledger.run
SET acknowledged = '[]', started_at = NULL, due_at = NULL, wanted = 'run'
WHERE id = %(run)s

-- begun --
-- Whether a run has had an effect
SELECT EXISTS (SELECT FROM ledger.intent WHERE run = %(run)s) AS begun

-- add_step --
-- A step of a plan
INSERT INTO ledger.step (run, phase, number, op, params, title, gate, long, block, hold, reads, writes, touches, state)
VALUES (%(run)s, 'plan', %(number)s, %(op)s, %(params)s, %(title)s, %(gate)s, %(long)s, %(block)s, %(hold)s,
        %(reads)s, %(writes)s, %(touches)s, %(state)s)

-- drop_steps --
-- Take a plan's steps away
DELETE FROM ledger.step WHERE run = %(run)s

-- steps --
-- A run's steps, both phases
SELECT * FROM ledger.step WHERE run = %(run)s ORDER BY phase, number

-- decisions --
-- A run's decisions in order
SELECT * FROM ledger.decision WHERE run = %(run)s ORDER BY id

-- locks --
-- What a run holds
SELECT * FROM ledger.lock WHERE run = %(run)s ORDER BY resource

-- followed --
-- The run that took up what this one left
SELECT max(id) AS id FROM ledger.run
WHERE finishes = %(first)s AND id > %(run)s AND started_at IS NOT NULL

-- lapsed --
-- Proposed runs that nobody decided on in time
SELECT id FROM ledger.run WHERE state = 'proposed' AND expires_at <= ledger.now()
ORDER BY id LIMIT 20 FOR UPDATE SKIP LOCKED

-- planning --
-- Elect the runs whose planning must be rung for again
UPDATE ledger.run SET rung_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM ledger.run
    WHERE state = 'planning' AND coalesce(rung_at, '-infinity') <= clock_timestamp() - make_interval(secs => %(older_than_s)s)
    ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
)
RETURNING id

-- untyped --
-- The field whose missing type is why planning refused
UPDATE ledger.run SET untyped = %(field)s WHERE id = %(run)s

-- alone --
-- Of two who ask the same at the same moment the second waits here until the first has committed
SELECT pg_advisory_xact_lock(hashtextextended(%(requester)s || ' ' || %(environment)s || ' ' || %(command)s, 0))

-- twin --
-- An open run that the same person asked for in the same words a moment ago; the machine's clock, as people's is
SELECT r.id FROM ledger.run r JOIN ledger.inbox i ON i.id = r.inbox
WHERE r.requester = %(requester)s AND r.environment = %(environment)s AND r.command = %(command)s
  AND r.state IN ('planning', 'proposed', 'running', 'paused', 'held', 'restoring')
  AND i.received_at > clock_timestamp() - make_interval(secs => %(within_s)s)
ORDER BY r.id DESC LIMIT 1

-- listing --
-- The newest runs
SELECT * FROM ledger.run
WHERE (%(environment)s::text IS NULL OR environment = %(environment)s)
  AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
ORDER BY id DESC LIMIT %(limit)s
