-- elect --
-- The environments whose turn it is to be looked at; one process wins each
INSERT INTO ledger.watch AS w (environment, rung_at)
SELECT name, clock_timestamp() FROM unnest(%(environments)s::text[]) AS name
ON CONFLICT (environment) DO UPDATE SET rung_at = clock_timestamp()
WHERE w.rung_at < clock_timestamp() - make_interval(secs => %(every_s)s)
RETURNING environment

-- begin --
-- The environment's row, locked until the look's transaction ends: looks are folded one after the other
INSERT INTO ledger.watch AS w (environment, rung_at) VALUES (%(environment)s, clock_timestamp())
ON CONFLICT (environment) DO UPDATE SET rung_at = w.rung_at
RETURNING seen

-- seen --
-- How far the watch has seen
SELECT seen FROM ledger.watch WHERE environment = %(environment)s

-- looked --
-- A look has come to its end
UPDATE ledger.watch
SET seen = %(seen)s, looked_at = clock_timestamp(), failing_since = NULL, trouble = %(trouble)s
WHERE environment = %(environment)s

-- failing --
-- A look has not come to its end
INSERT INTO ledger.watch AS w (environment, rung_at, failing_since, trouble)
VALUES (%(environment)s, clock_timestamp(), clock_timestamp(), %(trouble)s)
ON CONFLICT (environment) DO UPDATE
SET failing_since = coalesce(w.failing_since, clock_timestamp()), trouble = excluded.trouble

-- remembered --
-- Of how many subjects something is remembered, and when that last changed
SELECT count(*) AS subjects, max(changed) AS changed FROM ledger.watched WHERE environment = %(environment)s

-- histories --
-- What is remembered of each subject that changed since
SELECT subject, history FROM ledger.watched
WHERE environment = %(environment)s AND (%(since)s::timestamptz IS NULL OR changed >= %(since)s)

-- names --
-- What each subject is called
SELECT history ->> 'name' AS name, subject FROM ledger.watched
WHERE environment = %(environment)s AND history ->> 'name' IS NOT NULL

-- remember --
-- What is remembered of one subject now
INSERT INTO ledger.watched (environment, subject, history) VALUES (%(environment)s, %(subject)s, %(history)s)
ON CONFLICT (environment, subject) DO UPDATE SET history = excluded.history, changed = clock_timestamp()

-- forget --
-- Nothing is remembered of these any more
DELETE FROM ledger.watched WHERE environment = %(environment)s AND subject = ANY(%(subjects)s)
