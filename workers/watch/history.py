"""What is remembered of one copy pipe: its last runs, and since when its schedule is as it is.

Looks overlap, so a run is told of many times: folding the same again changes nothing, and what is known of a run only
grows. Times are seconds since 1970.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from systems.redact import both_ends, redact
from systems.tinybird_logs import LoggedJob
from workers.watch.seen import SKEW_S, CopyPipe, Look
from workers.watch.ticks import last_tick
from workers.watch.usual import Usual

KEPT = 60  # runs
ERROR_CHARACTERS = 600
Schedule = Literal["running", "paused", "gone", "none"]

_ORDER = {"waiting": 0, "working": 1, "cancelling": 2, "cancelled": 3, "error": 3, "done": 3}
_OVER = ("done", "error", "cancelled")


@dataclass(frozen=True)
class Ran:
    """One run. ``tick`` is the tick that it was made for, as far as can be told; ``rows`` is what it wrote."""

    id: str
    tick: float | None
    created: float
    started: float | None
    ended: float | None
    status: str
    rows: int | None = None
    error: str = ""

    @property
    def over(self) -> bool:
        return self.ended is not None

    @property
    def took(self) -> float | None:
        """Seconds of work, the wait for a slot left out."""
        return None if self.ended is None else self.ended - (self.started or self.created)


@dataclass(frozen=True)
class History:
    """``name`` is the pipe's, as people type it. ``runs`` are in the order they were made. ``cron`` is the last one
    that the pipe had. ``turned`` is when a look first found the schedule as it is; None where it was so before anybody
    looked, and is taken as meant."""

    runs: tuple[Ran, ...] = ()
    name: str = ""
    cron: str = ""
    schedule: Schedule = "none"
    turned: float | None = None
    newest: float | None = None  # the target's newest row, where it is asked for
    asked: float | None = None  # when that was

    @cached_property
    def usual(self) -> Usual:
        return Usual.of(self.runs)

    @cached_property
    def last(self) -> Ran | None:
        """The run made last."""
        return self.runs[-1] if self.runs else None

    @cached_property
    def finished(self) -> tuple[Ran, ...]:
        """The runs that came to an end of their own, in the order of their ends: cancelled ones are neither good nor
        bad."""
        over = [run for run in self.runs if run.over and run.status != "cancelled"]
        return tuple(sorted(over, key=lambda run: (run.ended or 0.0, run.created)))

    @cached_property
    def good(self) -> tuple[Ran, ...]:
        return tuple(run for run in self.finished if run.status == "done")

    @cached_property
    def live(self) -> tuple[Ran, ...]:
        return tuple(run for run in self.runs if not run.over)


def first_seen(pipe: CopyPipe, jobs: Sequence[LoggedJob], look: Look) -> History:
    """A pipe that no look has seen before. Its schedule is as somebody meant it; if it runs, it is missed from its
    last run on, or from now on."""
    history = folded(History(), pipe.cron, jobs, {})
    schedule = _schedule(pipe, "")
    turned = None if schedule != "running" else history.runs[0].created if history.runs else look.now.timestamp()
    return replace(history, name=pipe.name, cron=pipe.cron or "", schedule=schedule, turned=turned)


def seen_again(history: History, pipe: CopyPipe, now: float) -> History:
    """Its name and its schedule as they are now, and since when that is so."""
    if history.name != pipe.name:
        history = replace(history, name=pipe.name)
    schedule = _schedule(pipe, history.cron)
    cron = pipe.cron or history.cron
    if (schedule, cron) == (history.schedule, history.cron):
        return history
    return replace(history, schedule=schedule, cron=cron, turned=now)


def folded(history: History, cron: str | None, jobs: Iterable[LoggedJob], rows: Mapping[str, int]) -> History:
    """With what a look told of its runs; ``rows`` written, by job. The same history if that is nothing new."""
    runs = {run.id: run for run in history.runs}
    for job in jobs:
        known = runs.get(job.id)
        runs[job.id] = _ran(job, _tick(job, cron)) if known is None else _later(known, _ran(job, known.tick))
    for job_id, written in rows.items():
        if job_id in runs and runs[job_id].rows != written:
            runs[job_id] = replace(runs[job_id], rows=written)
    kept = tuple(sorted(runs.values(), key=lambda run: (run.created, run.id))[-KEPT:])
    return history if kept == history.runs else replace(history, runs=kept)


def stored(history: History) -> dict[str, Any]:
    """As JSON: runs as rows, since a thousand pipes have sixty each."""
    return {
        "name": history.name,
        "cron": history.cron,
        "schedule": history.schedule,
        "turned": history.turned,
        "newest": history.newest,
        "asked": history.asked,
        "runs": [[r.id, r.tick, r.created, r.started, r.ended, r.status, r.rows, r.error] for r in history.runs],
    }


def restored(value: Mapping[str, Any]) -> History:
    return History(
        runs=tuple(Ran(*row) for row in value.get("runs", ())),
        name=value.get("name", ""),
        cron=value.get("cron", ""),
        schedule=value.get("schedule", "none"),
        turned=value.get("turned"),
        newest=value.get("newest"),
        asked=value.get("asked"),
    )


def _schedule(pipe: CopyPipe, known: str) -> Schedule:
    if pipe.cron:
        return "running" if pipe.running else "paused"
    return "gone" if known else "none"


def _tick(job: LoggedJob, cron: str | None) -> float | None:
    return last_tick(cron, job.created_at.timestamp() + SKEW_S) if cron else None


def _ran(job: LoggedJob, tick: float | None) -> Ran:
    created = job.created_at.timestamp()
    return Ran(
        id=job.id,
        tick=tick,
        created=created,
        started=job.started_at.timestamp() if job.started_at else None,
        ended=job.updated_at.timestamp() if job.status in _OVER else None,
        status=job.status,
        error=both_ends(redact(job.error, limit=len(job.error)), ERROR_CHARACTERS) if job.status == "error" else "",
    )


def _later(known: Ran, told: Ran) -> Ran:
    """What is known of a run after it was told of again: a log may tell of its states in any order."""
    if _ORDER.get(told.status, 0) < _ORDER.get(known.status, 0):
        return known
    return replace(told, rows=known.rows, started=told.started or known.started)
