"""Runs of a copy pipe that are said to have been: lines in the logs, and jobs where the API would still show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.tinybird.jobs import KEPT, Job, Work
from sandbox.tinybird.model import Datasource, Pipe
from sandbox.tinybird.platform import Platform


@dataclass(frozen=True)
class Run:
    """One run that has ended. ``queued_s`` is how long it waited, ``seconds`` how long it then worked."""

    created_at: datetime
    status: str = "done"  # done | error | cancelled
    seconds: float = 0.0
    queued_s: float = 0.0
    rows: int = 0
    error: str | None = None
    mode: str = ""  # the pipe's own

    @property
    def ended_at(self) -> datetime:
        return self.created_at + timedelta(seconds=self.queued_s + self.seconds)


def write(platform: Platform, pipe: Pipe, target: Datasource, runs: Iterable[Run]) -> None:
    """Enter the runs; nothing is copied. What ``datasources_ops_log`` says of a copy it says of these."""
    shown_since = platform.workspace.now() - KEPT
    for run in runs:
        job = _job(pipe, target, run)
        if job.created_at > shown_since:
            platform.jobs.remember(job)
        else:
            platform.logs.job(job)
        if run.status != "cancelled":
            platform.logs.operation(target, "copy", rows=job.rows, error=job.error, job=job, at=run.ended_at)


def _job(pipe: Pipe, target: Datasource, run: Run) -> Job:
    job = Job("copy", run.created_at, Work(), pipe.id, pipe.name, mode=run.mode or pipe.copy_mode)
    job.source_id, job.source_name = target.id, target.name
    job.started_at = run.created_at + timedelta(seconds=run.queued_s)
    job.updated_at = run.ended_at
    job.status, job.seconds, job.error = run.status, run.seconds, run.error
    job.rows = run.rows if run.status == "done" else 0
    return job
