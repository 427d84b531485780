-- move_run --
-- A run's transition, if it is in a state that allows it
UPDATE ledger.run
SET state = moves.after,
    reason = coalesce(%(reason)s, run.reason),
    rev = rev + 1,
    finished_at = CASE WHEN moves.after = ANY(%(finished)s) THEN ledger.now() END,
    due_at = CASE WHEN moves.after = ANY(%(finished)s) THEN NULL ELSE run.due_at END,
    held = CASE WHEN moves.after = 'held' THEN run.held END
FROM unnest(%(before)s::text[], %(after)s::text[]) AS moves (before, after)
WHERE run.id = %(run)s AND run.state = moves.before
RETURNING run.state, moves.before

-- run_state --
-- Why a run's transition did not happen
SELECT state FROM ledger.run WHERE id = %(run)s

-- move_step --
-- A step's transition, if it is in a state that allows it; with it, what is shown of it and of its run has changed
WITH moved AS (
    UPDATE ledger.step
    SET state = moves.after,
        said = coalesce(%(said)s, step.said),
        started_at = CASE WHEN moves.after = 'acting' THEN coalesce(step.started_at, ledger.now()) ELSE step.started_at END,
        finished_at = CASE WHEN moves.after = ANY(%(finished)s) THEN ledger.now() END
    FROM unnest(%(before)s::text[], %(after)s::text[]) AS moves (before, after)
    WHERE step.run = %(run)s AND step.phase = %(phase)s AND step.number = %(number)s AND step.state = moves.before
    RETURNING step.run, step.state, moves.before
), raised AS (
    UPDATE ledger.run SET rev = rev + 1 FROM moved WHERE run.id = moved.run
), touched AS (
    UPDATE ledger.message SET wanted_rev = wanted_rev + 1 FROM moved WHERE ref IN (%(run_ref)s, %(step_ref)s)
)
SELECT state, before FROM moved

-- step_state --
-- Why a step's transition did not happen
SELECT state FROM ledger.step WHERE run = %(run)s AND phase = %(phase)s AND number = %(number)s

-- move_block --
-- The transition of all steps of a block that allow it
UPDATE ledger.step SET state = moves.after
FROM unnest(%(before)s::text[], %(after)s::text[]) AS moves (before, after)
WHERE step.run = %(run)s AND step.phase = 'plan' AND step.block = %(block)s AND step.state = moves.before
RETURNING step.number
