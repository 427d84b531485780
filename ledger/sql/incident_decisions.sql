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

-- silenced --
-- A subject's incidents whose history says that it is silenced
SELECT i.id FROM ledger.incident i
WHERE i.environment = %(environment)s AND i.subject = %(subject)s AND (
    SELECT e.what FROM ledger.incident_event e WHERE e.incident = i.id AND e.what IN ('silenced', 'lifted')
    ORDER BY e.id DESC LIMIT 1) = 'silenced'
ORDER BY i.id
