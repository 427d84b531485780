-- freeze --
-- Nothing in this environment begins from now on; the first freeze stays
INSERT INTO ledger.freeze (environment, actor, reason) VALUES (%(environment)s, %(actor)s, %(reason)s)
ON CONFLICT (environment) DO NOTHING
RETURNING *

-- unfreeze --
-- Let things begin again
DELETE FROM ledger.freeze WHERE environment = %(environment)s RETURNING *

-- standing --
-- What freezes an environment
SELECT * FROM ledger.freeze WHERE environment IN (%(environment)s, '*') ORDER BY environment LIMIT 1

-- all_standing --
-- What freezes anything, or this environment
SELECT * FROM ledger.freeze
WHERE %(environment)s::text IS NULL OR environment IN (%(environment)s, '*') ORDER BY environment

-- wake --
-- Runs that wait look again
UPDATE ledger.run SET due_at = ledger.now()
WHERE state = 'running' AND (environment = %(environment)s OR %(environment)s = '*')
