-- line --
-- The first run and all that were asked for to go on with it, in order
SELECT * FROM ledger.run WHERE id = %(first)s OR finishes = %(first)s ORDER BY id

-- take_over --
-- What the last run of the line left is this one's to put back; where that one speaks of it, it says so
WITH earlier AS (
    SELECT max(r.id) AS id FROM ledger.run r
    WHERE (r.id = %(first)s OR r.finishes = %(first)s) AND r.id <> %(run)s AND r.started_at IS NOT NULL
), handed AS (
    UPDATE ledger.step s SET said = %(said)s
    FROM earlier WHERE s.run = earlier.id AND s.phase = 'restore' AND s.state = 'left'
    RETURNING s.number, s.op, s.params, s.title, s.reads, s.writes, s.long
)
INSERT INTO ledger.step (run, phase, number, op, params, title, reads, writes, long, state)
SELECT %(run)s, 'restore', row_number() OVER (ORDER BY number), op, params, title, reads, writes, long, 'listed'
FROM handed
RETURNING number

-- stopped --
-- Elect the runs that people must be reminded of: they left something stopped and nobody took it up, or they wait
-- for people and something is stopped meanwhile
-- A look costs calls to every system: each run again only after a while by the machine's clock
UPDATE ledger.run r SET rung_at = clock_timestamp()
WHERE r.environment = %(environment)s AND r.state IN ('failed', 'aborted', 'expired', 'held', 'paused')
    AND EXISTS (
        SELECT FROM ledger.step s WHERE s.run = r.id AND s.phase = 'restore'
        AND s.state = CASE WHEN r.state IN ('held', 'paused') THEN 'listed' ELSE 'left' END)
    AND NOT EXISTS (
        SELECT FROM ledger.run f
        WHERE f.finishes = coalesce(r.finishes, r.id) AND f.id > r.id AND f.started_at IS NOT NULL)
    AND coalesce(r.reminded_at, r.finished_at, r.started_at) <= ledger.now() - make_interval(secs => %(every_s)s)
    AND (r.rung_at IS NULL OR r.rung_at < clock_timestamp() - make_interval(secs => %(again_s)s))
RETURNING r.id

-- reminded --
-- People were reminded now; how often that makes, and only if nobody did it meanwhile
UPDATE ledger.run SET reminded_at = ledger.now()
WHERE id = %(run)s AND coalesce(reminded_at, finished_at, started_at) <= ledger.now() - make_interval(secs => %(every_s)s)
RETURNING finished_at, reminded_at
