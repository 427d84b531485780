"""A workspace with everything that works on it: what the HTTP handlers are given."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.standin import World
from sandbox.tinybird.copies import copy_job, in_lineage_order
from sandbox.tinybird.errors import no_datasource
from sandbox.tinybird.failures import Failures
from sandbox.tinybird.ingest import Ingest
from sandbox.tinybird.jobs import Job, Jobs
from sandbox.tinybird.limits import CreateLimit
from sandbox.tinybird.model import Datasource, Pipe
from sandbox.tinybird.service import ServiceLogs
from sandbox.tinybird.sinks import sink_job
from sandbox.tinybird.workspace import Workspace


class Platform:
    """One workspace, its logs, its ingestion and its jobs."""

    def __init__(self, world: World, name: str, folder: Path) -> None:
        self.workspace = Workspace(world, name, folder)
        self.logs = ServiceLogs(self.workspace)
        self.ingest = Ingest(self.workspace, self.logs)
        self.failures = Failures()
        self.jobs = Jobs(self.workspace, self._scheduled, self.failures, self.logs.job)
        self.jobs.on_tick.append(self.ingest.tick)
        self.create_limit = CreateLimit()

    def _scheduled(self, pipe: Pipe, tick: datetime) -> Job:
        if pipe.type == "sink":
            return sink_job(self.workspace, pipe, {}, tick)
        return copy_job(self.workspace, self.logs, pipe, pipe.copy_mode, {}, tick)

    def source(self, key: str) -> Datasource:
        """A data source by name or id; ApiError 404."""
        found = self.workspace.source(key)
        if found is None:
            raise no_datasource(key)
        return found

    async def load(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Put rows of a Postgres table into its data source at once, through its JSON paths.

        ``rows`` are the *records*; where the data source maps ``$.record.*`` they are wrapped as Sequin would.
        """
        source = self.source(name)
        wrapped = any((column.jsonpath or "").startswith("$.record") for column in source.columns)
        batch = self.ingest.mapped(source, ({"record": row} if wrapped else row for row in rows))
        await self.ingest.write(source, batch, event="append-hfi", at_once=True)

    async def run_all_copies(self) -> None:
        """Run every copy pipe that has a schedule once, in lineage order, taking no platform time."""
        for pipe in (pipe for pipe in in_lineage_order(self.workspace) if pipe.cron):
            job = copy_job(self.workspace, self.logs, pipe, pipe.copy_mode, {}, self.workspace.now())
            job.started_at = job.created_at
            job.rows = await job.work.prepare(job)
            await job.work.commit(job)
            job.status = "done"
            self.jobs.remember(job)

    async def reset(self) -> None:
        """Back to the seed."""
        await self.jobs.clear()
        self.ingest.clear()
        self.create_limit = CreateLimit()
        await self.workspace.restore_seed()
        for pipe in self.workspace.state.pipes.values():
            self.jobs.plan(pipe)
        await self.jobs.clear()  # of what a schedule began meanwhile: the clock may have been moved before the reset
        self.failures.clear()
        self.logs.clear()
