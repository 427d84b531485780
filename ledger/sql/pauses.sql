-- standing --
-- The copies whose schedules people have stopped by a run, and not started by one since
SELECT pipe, run, actor, at, note FROM (
    SELECT DISTINCT ON (request -> 'job' ->> 'pipe') request -> 'job' ->> 'pipe' AS pipe,
        request -> 'job' ->> 'deed' AS deed, id AS run, requester AS actor, finished_at AS at, coalesce(note, '') AS note
    FROM ledger.run
    WHERE environment = %(environment)s AND state = 'succeeded' AND request -> 'job' ->> 'kind' = 'copy'
        AND request -> 'job' ->> 'deed' IN ('pause', 'resume')
    ORDER BY request -> 'job' ->> 'pipe', finished_at DESC, id DESC
) last
WHERE deed = 'pause' ORDER BY pipe
