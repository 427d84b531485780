-- silent --
-- A subject's incidents whose history says that it is silenced
SELECT i.id FROM ledger.incident i
WHERE i.environment = %(environment)s AND i.subject = %(subject)s AND (
    SELECT e.what FROM ledger.incident_event e WHERE e.incident = i.id AND e.what IN ('silenced', 'lifted')
    ORDER BY e.id DESC LIMIT 1) = 'silenced'
ORDER BY i.id
