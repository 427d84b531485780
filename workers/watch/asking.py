"""One look at the platform: the pipes, and two queries of its logs, whatever the number of pipes.

Where the logs cannot be read as they are, the Jobs API is asked instead, which knows the last 100 jobs and no rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbooks.schedules import runs_by_the_clock
from runbooks.words import counted
from systems.errors import SystemsError
from systems.tinybird import SYSTEM, Tinybird
from systems.tinybird_logs import LoggedJob, LoggedJobs, LoggedWrites, moment
from systems.tinybird_model import PipeInfo
from workers.watch.seen import CopyPipe, Look

LEARN = timedelta(days=14)  # the first look reads so far back, to learn what is usual


@dataclass(frozen=True)
class Asked:
    """``trouble`` says in plain sentences what the look went without."""

    look: Look
    pipes: tuple[PipeInfo, ...]
    trouble: str


def asked(tinybird: Tinybird, environment: str, until: datetime | None, overlap_s: float) -> Asked:
    """``until`` is how far the last look saw. Raises ``SystemsError``: the next look goes on from where it was."""
    since = until - timedelta(seconds=overlap_s) if until else tinybird.time() - LEARN
    pipes = tuple(tinybird.pipes())
    if not pipes:
        raise SystemsError(SYSTEM, "GET /v0/pipes", said="the workspace says that it has no pipe at all")
    jobs, no_jobs = _jobs(tinybird, since)
    writes, no_writes = _writes(tinybird, since, jobs.now)
    look = Look(
        environment=environment,
        now=jobs.now,
        since=since,
        pipes={pipe.id: copy_pipe(pipe) for pipe in pipes if pipe.kind == "copy"},
        jobs=jobs.jobs,
        writes=writes.writes,
    )
    return Asked(
        look, pipes, " ".join(part for part in (no_jobs, no_writes, not_understood(look.pipes.values())) if part)
    )


def copy_pipe(info: PipeInfo) -> CopyPipe:
    on_demand = not info.cron or (info.cron.startswith("@") and not runs_by_the_clock(info.cron))
    mode = info.copy_mode or next((node.mode for node in info.nodes if node.id == info.copy_node), None)
    return CopyPipe(
        id=info.id,
        name=info.name,
        cron=None if on_demand else info.cron,
        running=info.schedule_status in (None, "running"),
        mode=mode or "append",
        target=info.copy_target or "",
    )


def _jobs(tinybird: Tinybird, since: datetime) -> tuple[LoggedJobs, str]:
    try:
        logged = tinybird.copy_jobs(since)
    except SystemsError as error:
        if error.retryable:
            raise
        said = f"The log of jobs cannot be read ({error.said}); the last 100 jobs of the Jobs API are watched instead."
        return LoggedJobs(tinybird.time(), tuple(_listed(tinybird))), said
    return logged, _lacks("tinybird.jobs_log", logged)


def _writes(tinybird: Tinybird, since: datetime, now: datetime) -> tuple[LoggedWrites, str]:
    try:
        logged = tinybird.copy_writes(since)
    except SystemsError as error:
        if error.retryable:
            raise
        said = f"The log of writes cannot be read ({error.said}); rows are not watched."
        return LoggedWrites(now, ()), said
    return logged, _lacks("tinybird.datasources_ops_log", logged)


def _listed(tinybird: Tinybird) -> Sequence[LoggedJob]:
    return [
        LoggedJob(
            id=job.id,
            pipe_id=job.pipe_id,
            status=job.status,
            created_at=moment(job.created_at),
            started_at=None,
            updated_at=moment(job.updated_at or job.created_at),
            error=job.error,
        )
        for job in tinybird.jobs(kind="copy")
        if job.pipe_id and job.created_at
    ]


def not_understood(pipes: Iterable[CopyPipe]) -> str:
    """Copies whose schedule nobody here can read: that one of them does not come is not seen."""
    odd = sorted(p.name for p in pipes if p.cron and p.running and not runs_by_the_clock(p.cron))
    return f"When these copies should run is not understood, and not watched: {', '.join(odd)}." if odd else ""


def _lacks(table: str, logged: LoggedJobs | LoggedWrites) -> str:
    lacking = f"{table} has no column {' or '.join(logged.lacking)} any longer." if logged.lacking else ""
    odd = f"{counted(logged.odd, 'row')} of {table} cannot be read." if logged.odd else ""
    return " ".join(part for part in (lacking, odd) if part)
