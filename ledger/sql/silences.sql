-- silence --
-- Silence a subject; one that is over is replaced
INSERT INTO ledger.silence AS s (environment, subject, name, actor, reason, until)
VALUES (%(environment)s, %(subject)s, %(name)s, %(actor)s, %(reason)s, %(until)s)
ON CONFLICT (environment, subject) DO UPDATE
SET name = excluded.name, actor = excluded.actor, reason = excluded.reason, until = excluded.until, at = ledger.now()
WHERE s.until <= ledger.now()
RETURNING subject

-- lift --
-- It is spoken of again
DELETE FROM ledger.silence
WHERE environment = %(environment)s AND subject = %(subject)s AND (until IS NULL OR until > ledger.now())
RETURNING subject

-- lapse --
-- Its time is over: of two who find so, one tells of it
DELETE FROM ledger.silence WHERE until <= ledger.now() RETURNING *

-- standing --
-- What is silent now
SELECT * FROM ledger.silence
WHERE (until IS NULL OR until > ledger.now())
  AND (%(environment)s::text IS NULL OR environment = %(environment)s)
ORDER BY environment, name
