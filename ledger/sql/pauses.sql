-- stopped --
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

-- excusing --
-- The copy pipes that runs have paused and not resumed, and until when they may: the hold's time, or a day where there
-- is none. What a run that succeeded has left paused it was asked to. The one that lasts longest comes last
SELECT e.params ->> 'pipe' AS pipe, r.id AS run, false AS by_hand,
    coalesce(p.started_at, r.started_at, r.created_at) + make_interval(secs => coalesce((
        SELECT (h ->> 'budget_s')::float8 FROM jsonb_array_elements(coalesce(r.plan -> 'holds', '[]')) h
        WHERE (h ->> 'hold')::int = e.hold), %(otherwise_s)s)) AS until
FROM ledger.step e
JOIN ledger.run r ON r.id = e.run
LEFT JOIN ledger.step p ON p.run = e.run AND p.phase = 'plan' AND p.number = e.origin
WHERE r.environment = %(environment)s AND e.phase = 'restore' AND e.state IN ('listed', 'acting', 'left')
    AND e.op LIKE 'tinybird.copy.restore/%%'
UNION ALL
SELECT DISTINCT ON (s.params ->> 'pipe') s.params ->> 'pipe', r.id, true,
    s.finished_at + make_interval(secs => %(otherwise_s)s)
FROM ledger.step s JOIN ledger.run r ON r.id = s.run
WHERE r.environment = %(environment)s AND r.state = 'succeeded' AND s.phase = 'plan' AND s.state = 'done'
    AND (s.op LIKE 'tinybird.copy.stop-schedule/%%' OR s.op LIKE 'tinybird.copy.pause/%%')
    AND s.finished_at IS NOT NULL
ORDER BY 1, 4
