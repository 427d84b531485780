"""How long copies take, how much they bring and how they ran today: what lists and timetables are made from.

From Tinybird's own logs, in two queries, however many pipes there are. ``copy_runs`` has the runs of one, one by one.

``tinybird.jobs_log`` knows every job and no rows, ``tinybird.datasources_ops_log`` the rows; the Jobs API keeps a
hundred jobs and would forget most of a busy day (facts/tinybird.md §5, §8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from runbooks.facts.copy_runs import CopyRun
from systems.errors import SystemsError

if TYPE_CHECKING:
    from systems.tinybird import Tinybird

DAYS = 14  # looked at: a week, and the week before
LIVE = ("waiting", "working", "cancelling")
_UNKNOWN_COLUMN = 400  # the columns of the log of rows are not certain (facts/tinybird.md §8)

# A job may have several lines, one for each change of its state. Only runs that ended well say how long one takes.
_RUNS = f"""
SELECT pipe, argMax(job_id, created) AS last_job, argMax(state, created) AS last_state,
       toUnixTimestamp(max(created)) AS last_created,
       toUnixTimestamp(argMax(started, created)) AS last_started, toUnixTimestamp(argMax(ended, created)) AS last_ended,
       argMax(why, created) AS last_why,
       countIf(recent) AS week, round(quantileExactIf(0.5)(took, recent)) AS p50,
       round(quantileExactIf(0.95)(took, recent)) AS p95,
       countIf(past) AS week_before, round(quantileExactIf(0.5)(took, past)) AS p50_before,
       round(quantileExactIf(0.95)(took, past)) AS p95_before,
       groupArrayIf(toUnixTimestamp(created), today) AS day_created,
       groupArrayIf(toUnixTimestamp(started), today) AS day_started,
       groupArrayIf(toUnixTimestamp(ended), today) AS day_ended, groupArrayIf(state, today) AS day_state,
       groupArrayIf(job_id, today) AS day_job
FROM (
    SELECT *, toUnixTimestamp(ended) - toUnixTimestamp(started) AS took,
           state = 'done' AND begun AND created > now() - INTERVAL 7 DAY AS recent,
           state = 'done' AND begun AND created <= now() - INTERVAL 7 DAY AS past,
           ended > now() - INTERVAL 1 DAY OR state IN {LIVE} AS today
    FROM (
        SELECT job_id, any(pipe_id) AS pipe, argMax(status, updated_at) AS state, min(created_at) AS created,
               max(started_at) IS NOT NULL AS begun, coalesce(max(started_at), max(updated_at)) AS started,
               max(updated_at) AS ended, coalesce(argMax(error, updated_at), '') AS why
        FROM tinybird.jobs_log WHERE job_type = 'copy' AND created_at > now() - INTERVAL {DAYS} DAY GROUP BY job_id
    )
)
GROUP BY pipe"""

_ROWS = f"""
SELECT pipe_id AS pipe, argMax(written_rows, timestamp) AS last, quantileExact(0.5)(written_rows) AS usual
FROM tinybird.datasources_ops_log
WHERE event_type = 'copy' AND result = 'ok' AND timestamp > now() - INTERVAL {DAYS} DAY GROUP BY pipe"""


@dataclass(frozen=True)
class CopyFigures:
    """Of one copy pipe, over ``DAYS`` days. Durations are in seconds, without the time in the queue: the median and
    the 95th percentile of a week's runs, and the median of the week before; None where none ended well. ``rows`` and
    ``usual_rows`` are those written by the last run and by one in the middle."""

    last: CopyRun
    error: str = ""
    p50_s: int | None = None
    p95_s: int | None = None
    before_s: int | None = None
    rows: int | None = None
    usual_rows: int | None = None
    day: tuple[CopyRun, ...] = ()  # those of the last 24 hours, oldest first


def read(tinybird: Tinybird) -> dict[str, CopyFigures]:
    """By the pipe's id; one that did not run is not there. Raises ``SystemsError``."""
    rows = _rows(tinybird)
    return {str(row["pipe"]): _of(row, rows.get(str(row["pipe"]))) for row in tinybird.sql(_RUNS)}


def _rows(tinybird: Tinybird) -> Mapping[str, tuple[int, int]]:
    """Empty where the log has no such columns: a list without them is still one."""
    try:
        return {str(row["pipe"]): (int(row["last"]), int(row["usual"])) for row in tinybird.sql(_ROWS)}
    except SystemsError as error:
        if error.status != _UNKNOWN_COLUMN:
            raise
        return {}


def _of(row: Mapping[str, Any], rows: tuple[int, int] | None) -> CopyFigures:
    recent, past = int(row["week"]) > 0, int(row["week_before"]) > 0
    last = str(row["last_state"])
    return CopyFigures(
        last=_run(row["last_job"], last, row["last_created"], row["last_started"], row["last_ended"]),
        error=str(row["last_why"]) if last == "error" else "",
        p50_s=_whole(row["p50"]) if recent else None,
        p95_s=_whole(row["p95"]) if recent else _whole(row["p95_before"]) if past else None,
        before_s=_whole(row["p50_before"]) if past else None,
        rows=rows[0] if rows else None,
        usual_rows=rows[1] if rows else None,
        day=_day(row["day_job"], row["day_state"], row["day_created"], row["day_started"], row["day_ended"]),
    )


def _day(jobs: Sequence[Any], states: Sequence[Any], *moments: Sequence[Any]) -> tuple[CopyRun, ...]:
    found = (_run(job, str(state), *at) for job, state, *at in zip(jobs, states, *moments, strict=True))
    return tuple(sorted(found, key=lambda run: (run.created, run.ended)))


def _run(job: Any, status: str, created: Any, started: Any, ended: Any) -> CopyRun:
    begun = None if status == "waiting" else _moment(started)
    return CopyRun(str(job), status, _moment(created), begun, _moment(ended))


def _whole(seconds: Any) -> int:
    return round(float(seconds))


def _moment(seconds: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
