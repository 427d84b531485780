-- elect --
-- The environments whose turn it is to be looked at; one process wins each
INSERT INTO ledger.watch AS w (environment, rung_at)
SELECT name, clock_timestamp() FROM unnest(%(environments)s::text[]) AS name
ON CONFLICT (environment) DO UPDATE SET rung_at = clock_timestamp()
WHERE w.rung_at < clock_timestamp() - make_interval(secs => %(every_s)s)
RETURNING environment

-- seen --
-- The newest change seen so far
SELECT seen FROM ledger.watch WHERE environment = %(environment)s

-- remember --
-- Never goes back
INSERT INTO ledger.watch AS w (environment, rung_at, seen)
VALUES (%(environment)s, clock_timestamp(), %(seen)s)
ON CONFLICT (environment) DO UPDATE SET seen = excluded.seen
WHERE w.seen IS NULL OR w.seen < excluded.seen
