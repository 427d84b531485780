-- due --
-- Elect the runs whose kept table is past its date, or dropped by a run of ours and not noted yet
UPDATE ledger.run r SET rung_at = clock_timestamp()
WHERE r.environment = %(environment)s AND r.state = 'succeeded' AND r.found ? 'kept'
    AND (r.rung_at IS NULL OR r.rung_at < clock_timestamp() - make_interval(secs => %(again_s)s))
    AND (
        EXISTS (
            SELECT FROM ledger.run a
            WHERE a.request -> 'job' ->> 'kind' = 'retire' AND (a.request -> 'job' ->> 'run')::bigint = r.id
            AND a.state = 'succeeded')
        OR (r.found -> 'kept' ->> 'retire')::date <= ledger.now()::date
        AND (r.reminded_at IS NULL OR r.reminded_at <= ledger.now() - make_interval(secs => %(every_s)s))
        AND NOT EXISTS (
            SELECT FROM ledger.run a
            WHERE a.request -> 'job' ->> 'kind' = 'retire' AND (a.request -> 'job' ->> 'run')::bigint = r.id
            AND a.state IN ('planning', 'proposed', 'running', 'paused', 'held', 'restoring')))
RETURNING r.id

-- gone --
-- The table is no longer there: nothing is left to say of it
UPDATE ledger.run SET found = (found - 'kept') || jsonb_build_object('retired', found -> 'kept')
WHERE id = %(run)s AND found ? 'kept'
RETURNING id

-- reminded --
-- People are reminded now, unless somebody else has just done it
UPDATE ledger.run SET reminded_at = ledger.now()
WHERE id = %(run)s AND (reminded_at IS NULL OR reminded_at <= ledger.now() - make_interval(secs => %(every_s)s))
RETURNING id
