-- take --
-- One worker at a time: raise the fence on a run that is due and has no live lease
-- "Due" is the calendar's, the lease is the machine's. Held or paused runs are due only for a hold's deadline
-- or when people want something of them. The ring is answered: should this worker die, the sweep rings anew
UPDATE ledger.run SET
    owner = %(owner)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
    fence = fence + 1,
    rung_at = NULL
WHERE id = %(run)s
    AND due_at <= ledger.now()
    AND state IN ('running', 'paused', 'held', 'restoring')
    AND (lease_until IS NULL OR lease_until < clock_timestamp())
    AND (current_op IS NULL OR current_op = ANY(%(ops)s))
RETURNING id AS run, environment, state, wanted, reason, ending, channel, hash, world, found, owner, fence,
    ledger.now() AS now, started_at, plan ->> 'target' AS target, coalesce(plan -> 'holds', '[]') AS holds

-- steps --
-- Both phases of a run, each step with its last intent; ages by the machine's clock
-- Columns by name: a prepared SELECT * fails once a migration has added a column, and ticks do not stop for those
SELECT s.run, s.phase, s.number, s.origin, s.op, s.params, s.title, s.gate, s.long, s.block, s.hold, s.reads, s.writes,
    s.touches, s.state, s.memo, s.progress, s.said, s.acts, s.failures, s.started_at, s.finished_at,
    i.id AS intent, i.answer AS intent_answer,
    extract(epoch FROM clock_timestamp() - coalesce(i.answered_at, i.at))::float8 AS intent_age_s,
    (SELECT count(*) FROM ledger.intent
        WHERE run = s.run AND phase = s.phase AND number = s.number AND answer = 'ok')::int AS answered
FROM ledger.step s
LEFT JOIN LATERAL (
    SELECT id, at, answered_at, answer FROM ledger.intent
    WHERE run = s.run AND phase = s.phase AND number = s.number ORDER BY id DESC LIMIT 1
) i ON s.acts > 0
WHERE s.run = %(run)s
ORDER BY s.phase, s.number

-- check --
-- Everything that must be so for an effect to begin; the run stays locked until the intent is written
-- A click on Pause or Abort is either seen here or comes after the effect
SELECT r.state, r.wanted, r.hash = %(hash)s AS same_hash,
    r.fence = %(fence)s AND r.owner = %(owner)s AND r.lease_until > clock_timestamp() AS mine,
    ledger.now() AS now,
    (SELECT f.actor FROM ledger.freeze f WHERE f.environment IN (r.environment, '*') LIMIT 1) AS frozen_by,
    EXISTS (SELECT FROM ledger.step s
        WHERE s.run = r.id AND s.phase = 'plan' AND s.block = %(block)s AND s.acts > 0) AS begun,
    (SELECT count(DISTINCT d.actor) FROM ledger.decision d
        WHERE d.run = r.id AND d.block = %(block)s AND d.action = 'approve' AND d.hash = r.hash
            AND d.at >= r.proposed_at) AS approved,
    (SELECT count(DISTINCT d.actor) FROM ledger.decision d
        WHERE d.run = r.id AND d.block = %(block)s AND d.action = 'approve' AND d.hash = r.hash
            AND d.at >= r.proposed_at AND (d.until IS NULL OR d.until > ledger.now())) AS alive,
    EXISTS (SELECT FROM ledger.decision o JOIN ledger.decision d USING (run, actor)
        WHERE o.run = r.id AND o.action = 'operate' AND d.block = %(block)s AND d.action = 'approve'
            AND d.hash = r.hash AND d.at >= r.proposed_at) AS operated
FROM ledger.run r WHERE r.id = %(run)s FOR UPDATE OF r

-- begin_effect --
-- Write the intent: no row, no effect
WITH begun AS (
    UPDATE ledger.step SET acts = acts + 1, memo = %(memo)s, progress = %(progress)s
    WHERE run = %(run)s AND phase = %(phase)s AND number = %(number)s AND state = 'acting'
    RETURNING run
)
INSERT INTO ledger.intent (run, phase, number, key, fence)
SELECT run, %(phase)s, %(number)s, %(key)s, %(fence)s FROM begun
RETURNING id

-- list_restore --
-- Store the step that puts back what is there now
INSERT INTO ledger.step (run, phase, number, origin, op, params, title, hold, reads, writes, long, state)
SELECT %(run)s, 'restore', coalesce(max(number), 0) + 1, %(origin)s, %(op)s, %(params)s, %(title)s, %(hold)s,
    %(reads)s, %(writes)s, %(long)s, 'listed'
FROM ledger.step WHERE run = %(run)s AND phase = 'restore'

-- own --
-- Lock the run, if it is still ours, and write what became of its effect
WITH mine AS (
    SELECT id, state FROM ledger.run
    WHERE id = %(run)s AND fence = %(fence)s AND owner = %(owner)s FOR UPDATE
), answered AS (
    UPDATE ledger.intent SET answered_at = clock_timestamp(), answer = %(answer)s
    FROM mine WHERE intent.run = mine.id AND intent.id = %(intent)s
)
SELECT state FROM mine

-- mark_step --
-- What a tick found out about a step; NULL keeps what is stored
UPDATE ledger.step SET
    memo = coalesce(%(memo)s, memo),
    progress = coalesce(%(progress)s, progress),
    said = coalesce(%(said)s, said),
    failures = coalesce(%(failures)s, failures)
WHERE run = %(run)s AND phase = %(phase)s AND number = %(number)s

-- unfinished --
-- The plan steps that a run which goes back no longer does
SELECT number, state FROM ledger.step
WHERE run = %(run)s AND phase = 'plan' AND state IN ('waiting', 'gated', 'ready', 'acting') ORDER BY number

-- release --
-- Store the run and give the lease back; what is next is the first plan step left, or the last restore
-- What people did while the tick ran is newer than what it found: then the run is due at once
WITH following AS (
    SELECT op, state IN ('ready', 'acting', 'listed') AS ready FROM ledger.step
    WHERE run = %(run)s AND phase = %(phase)s AND state NOT IN ('done', 'skipped', 'struck', 'left')
    ORDER BY CASE phase WHEN 'plan' THEN number ELSE -number END LIMIT 1
)
UPDATE ledger.run SET
    reason = coalesce(%(reason)s, reason),
    held = coalesce(%(held)s, held),
    ending = coalesce(%(ending)s, ending),
    world = world || %(world)s,
    found = coalesce(%(found)s, found),
    current_op = (SELECT op FROM following),
    due_at = CASE
        WHEN state = ANY(%(finished)s) OR state = 'proposed' THEN NULL
        WHEN %(overtaken)s OR wanted <> %(wanted)s THEN ledger.now()
        WHEN %(onward)s AND (SELECT ready FROM following) THEN ledger.now()
        ELSE ledger.now() + make_interval(secs => %(due_s)s * CASE WHEN %(machine)s THEN ledger.speed() ELSE 1 END)
    END,
    owner = NULL, lease_until = NULL, rung_at = NULL
WHERE id = %(run)s
RETURNING state, extract(epoch FROM due_at - ledger.now())::float8 AS due_s

-- renew --
-- The lease goes on, under the same fence
UPDATE ledger.run SET lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE id = %(run)s AND fence = %(fence)s AND owner = %(owner)s
RETURNING id

-- sweep --
-- Elect the runs that are due and that no worker has
-- Rung again only after a while: the first ring may still be in the queue
UPDATE ledger.run SET rung_at = clock_timestamp()
WHERE due_at <= ledger.now()
    AND state IN ('running', 'paused', 'held', 'restoring')
    AND (lease_until IS NULL OR lease_until < clock_timestamp())
    AND (rung_at IS NULL OR rung_at < clock_timestamp() - make_interval(secs => %(again_s)s))
RETURNING id
