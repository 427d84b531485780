"""The newest runs of some copy pipes, one by one: what to run, clear or resume one of them is judged by.

From Tinybird's own logs, which keep more than the Jobs API. ``copy_figures`` says of all copies how long they take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from systems.tinybird import Tinybird

OVER = ("done", "error", "cancelled")
KEPT = 12  # runs of each that are looked at
_DAYS = 40  # a copy of each month has run in them
_AT_ONCE = 100  # ids in one query, which may have 8 KB


@dataclass(frozen=True)
class CopyRun:
    """One run. ``created`` is when it was asked for, or its tick; ``ended`` when it was last heard of; ``rows`` are
    those that it wrote, None where no log says so."""

    id: str
    status: str  # waiting | working | done | error | cancelling | cancelled
    created: datetime
    started: datetime | None
    ended: datetime
    rows: int | None = None

    @property
    def live(self) -> bool:
        return self.status not in OVER

    @property
    def seconds(self) -> float:
        return (self.ended - (self.started or self.created)).total_seconds()


@dataclass(frozen=True)
class RecentRuns:
    """Of one copy pipe: ``KEPT`` at most, the newest first."""

    runs: tuple[CopyRun, ...] = ()

    @property
    def last(self) -> CopyRun | None:
        """The newest that is over, however it ended."""
        return next((run for run in self.runs if run.status in OVER), None)

    @property
    def good(self) -> CopyRun | None:
        """The newest that copied what it was to."""
        return next((run for run in self.runs if run.status == "done"), None)

    @property
    def under_way(self) -> CopyRun | None:
        return next((run for run in self.runs if run.live), None)

    @property
    def seconds(self) -> int | None:
        """How long a good one takes."""
        took = [run.seconds for run in self.runs if run.status == "done"]
        return round(median(took)) if took else None


def read(tinybird: Tinybird, pipes: Sequence[tuple[str, str]]) -> dict[str, RecentRuns]:
    """Of each of ``pipes`` (name, id), by name; of one that no log knows, none. Raises ``SystemsError``."""
    names = {known: name for name, known in pipes if known.replace("_", "").isalnum()}
    ids, found = sorted(names), dict[str, list[CopyRun]]()
    for first in range(0, len(ids), _AT_ONCE):
        for pipe, run in _runs(tinybird, ids[first : first + _AT_ONCE]):
            found.setdefault(names[pipe], []).append(run)
    return {name: RecentRuns(tuple(found.get(name, ()))) for name, _ in pipes}


def _runs(tinybird: Tinybird, ids: Sequence[str]) -> Iterator[tuple[str, CopyRun]]:
    """Each change of a job is a row of ``jobs_log``, which has no rows written; ``datasources_ops_log`` has."""
    among = ", ".join(f"'{each}'" for each in ids)
    jobs = tinybird.sql(
        "SELECT pipe_id AS pipe, job_id AS job, argMax(status, updated_at) AS last, "
        f"{_ms('min(created_at)')} AS created, {_ms('max(started_at)')} AS started, {_ms('max(updated_at)')} AS ended "
        f"FROM tinybird.jobs_log WHERE job_type = 'copy' AND pipe_id IN ({among}) AND created_at > now() - "
        f"INTERVAL {_DAYS} DAY GROUP BY pipe_id, job_id ORDER BY created DESC, job LIMIT {KEPT} BY pipe"
    )
    written = tinybird.sql(
        "SELECT job_id AS job, toString(sum(rows)) AS n FROM tinybird.datasources_ops_log "
        f"WHERE event_type = 'copy' AND result = 'ok' AND pipe_id IN ({among}) AND timestamp > now() - "
        f"INTERVAL {_DAYS} DAY GROUP BY job ORDER BY max(timestamp) DESC LIMIT {KEPT * len(ids)}"
    )
    rows = {str(row["job"]): int(row["n"]) for row in written}
    for row in jobs:
        started = _at(row["started"])
        run = CopyRun(
            id=str(row["job"]),
            status=str(row["last"]),
            created=_moment(row["created"]),
            started=started,
            ended=_moment(row["ended"]),
            rows=rows.get(str(row["job"])),
        )
        yield str(row["pipe"]), run


def _ms(column: str) -> str:
    """A time as whole milliseconds, whatever type the log keeps it in; 0 for none."""
    return f"toString(ifNull(toUnixTimestamp64Milli(toDateTime64({column}, 3)), 0))"


def _at(value: Any) -> datetime | None:
    return _moment(value) if int(value) > 0 else None


def _moment(value: Any) -> datetime:
    return datetime.fromtimestamp(int(value) / 1000, UTC)
