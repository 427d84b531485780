-- accept --
-- Store one delivery; no row if it was stored before
INSERT INTO ledger.inbox (dedup, kind, payload) VALUES (%(dedup)s, %(kind)s, %(payload)s)
ON CONFLICT (dedup) DO NOTHING
RETURNING id

-- known --
-- The row of a delivery that came before
SELECT id FROM ledger.inbox WHERE dedup = %(dedup)s

-- take --
-- Lock an unhandled row unless somebody else is handling it
SELECT * FROM ledger.inbox WHERE id = %(id)s AND handled_at IS NULL
FOR UPDATE SKIP LOCKED

-- finish --
-- Mark a row as handled
UPDATE ledger.inbox SET handled_at = clock_timestamp(), outcome = %(outcome)s WHERE id = %(id)s

-- fail --
-- Count a failed attempt; the last one parks the row
UPDATE ledger.inbox
SET attempts = attempts + 1,
    outcome = %(why)s,
    handled_at = CASE WHEN attempts + 1 >= %(most)s THEN clock_timestamp() END
WHERE id = %(id)s AND handled_at IS NULL
RETURNING handled_at IS NOT NULL AS parked

-- unhandled --
-- Rows that nobody has handled for some time, oldest first
SELECT id FROM ledger.inbox
WHERE handled_at IS NULL AND received_at <= clock_timestamp() - make_interval(secs => %(older_than_s)s)
ORDER BY received_at LIMIT 100

-- remind --
-- Elect the rows whose sender must hear, once, that no worker has taken them yet
UPDATE ledger.inbox SET reminded_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM ledger.inbox
    WHERE handled_at IS NULL AND reminded_at IS NULL
      AND received_at <= clock_timestamp() - make_interval(secs => %(older_than_s)s)
    ORDER BY received_at LIMIT 100
    FOR UPDATE SKIP LOCKED
)
RETURNING *
