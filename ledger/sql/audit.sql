-- head --
-- The last line, locked until the transaction ends: the next one follows it
SELECT id, hash, ledger.now() AS at FROM ledger.audit_head FOR UPDATE

-- append --
-- Write a line and make it the last
WITH line AS (
    INSERT INTO ledger.audit (id, at, actor, action, subject, detail, before, hash)
    VALUES (%(id)s, %(at)s, %(actor)s, %(action)s, %(subject)s, %(detail)s, %(before)s, %(hash)s)
)
UPDATE ledger.audit_head SET id = %(id)s, hash = %(hash)s

-- lines --
-- All lines in order
SELECT * FROM ledger.audit ORDER BY id

-- last --
-- What the last line must be
SELECT id, hash FROM ledger.audit_head

-- about --
-- What happened to a subject, in order
SELECT * FROM ledger.audit WHERE subject = %(subject)s OR subject LIKE %(below)s ORDER BY id
