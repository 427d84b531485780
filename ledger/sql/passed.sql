-- newest --
-- The runs that brought datafiles about in these environments, the newest first
SELECT id AS run, environment, change_hash, plan -> 'datafiles' AS datafiles FROM ledger.run
WHERE state = 'succeeded' AND environment = ANY(%(environments)s)
    AND strategy IN ('pull', 'push', 'promote') AND plan -> 'request' ->> 'kind' = 'resources'
ORDER BY id DESC LIMIT %(most)s
