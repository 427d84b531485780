-- insert --
-- The only insert of a decision there is
INSERT INTO ledger.decision (run, block, action, actor, hash, reason, inbox, until, acknowledged)
VALUES (%(run)s, %(block)s, %(action)s, %(actor)s, %(hash)s, %(reason)s, %(inbox)s, %(until)s, %(acknowledged)s)
RETURNING id

-- begin --
-- Approved steps may be done: look now, or when the run was asked for
UPDATE ledger.run
SET rev = rev + 1,
    acknowledged = %(acknowledged)s,
    started_at = CASE WHEN %(starts)s THEN coalesce(started_at, ledger.now()) ELSE started_at END,
    due_at = CASE WHEN state = 'proposed' THEN due_at ELSE greatest(coalesce(not_before, ledger.now()), ledger.now()) END
WHERE id = %(run)s

-- want --
-- What people want of the run: the next tick sees it, no effect begins before
UPDATE ledger.run SET wanted = %(wanted)s, rev = rev + 1, due_at = ledger.now() WHERE id = %(run)s

-- accept_world --
-- What was found is what the run relies on from here on
UPDATE ledger.run SET world = world || jsonb_build_object(held ->> 'key', held -> 'found') WHERE id = %(run)s

-- not_begun --
-- Why a plan that its request approves did not begin: people decide
UPDATE ledger.run SET reason = %(reason)s, rev = rev + 1 WHERE id = %(run)s

-- failed_steps --
-- The steps that a retry makes ready again
SELECT number FROM ledger.step WHERE run = %(run)s AND phase = 'plan' AND state = 'failed' ORDER BY number

-- forgive --
-- Failures are counted anew
UPDATE ledger.step SET failures = 0 WHERE run = %(run)s AND failures > 0
