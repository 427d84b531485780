-- take --
-- One row a resource: whoever inserts it holds it. In the order of names, so that two requests cannot block each other
INSERT INTO ledger.lock (resource, run, long, until)
SELECT resource, %(run)s, %(long)s, %(until)s FROM unnest(%(resources)s::text[]) AS resource ORDER BY resource
ON CONFLICT (resource) DO NOTHING

-- foreign --
-- Another run's lock on one of these resources
SELECT resource, run, at, until FROM ledger.lock
WHERE resource = ANY(%(resources)s) AND run <> %(run)s ORDER BY resource LIMIT 1

-- release --
-- Give back a run's short locks on these resources
DELETE FROM ledger.lock WHERE run = %(run)s AND resource = ANY(%(resources)s) AND NOT long

-- release_all --
-- Give back everything a run holds
DELETE FROM ledger.lock WHERE run = %(run)s
