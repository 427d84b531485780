-- lock --
-- Whoever does something about it goes after those who were first
SELECT * FROM ledger.incident WHERE id = %(id)s FOR UPDATE

-- take --
-- It is somebody's
UPDATE ledger.incident
SET assigned = %(actor)s, acked_by = coalesce(acked_by, %(actor)s), acked_at = ledger.now()
WHERE id = %(id)s

-- snooze --
-- It is put off
UPDATE ledger.incident SET snoozed_until = %(until)s WHERE id = %(id)s
