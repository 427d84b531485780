-- blind --
-- Whether no look has come to its end for too long; trouble of a look that did come to its end is no reason
SELECT coalesce(looked_at, failing_since) AS since, CASE WHEN failing_since IS NULL THEN '' ELSE trouble END AS trouble
FROM ledger.watch
WHERE environment = %(environment)s
  AND coalesce(looked_at, failing_since) < clock_timestamp() - make_interval(secs => %(after_s)s)

-- looked_at --
-- When a look last came to its end
SELECT looked_at FROM ledger.watch WHERE environment = %(environment)s

-- trouble --
-- What the last look went without, or why it failed
SELECT trouble FROM ledger.watch
WHERE environment = %(environment)s AND coalesce(looked_at, failing_since) IS NOT NULL
