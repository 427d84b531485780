"""Copy jobs: computed into a table of their own, then switched in, so that a failed run leaves the old rows."""

import graphlib
from datetime import datetime
from typing import Any

from sandbox.clickhouse import LONG, ClickHouseError
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.jobs import Job, Work
from sandbox.tinybird.model import Datasource, Pipe, stamp
from sandbox.tinybird.resolve import all_dependencies, sql_of
from sandbox.tinybird.service import ServiceLogs
from sandbox.tinybird.tables import ddl
from sandbox.tinybird.workspace import DB, STAGING, Workspace


def copy_job(
    workspace: Workspace, logs: ServiceLogs, pipe: Pipe, mode: str, parameters: dict[str, Any], at: datetime
) -> Job:
    """A run of ``pipe``, waiting. ``at`` is its scheduled time, ``job_timestamp`` in its template."""
    target = workspace.source(pipe.copy_target or "")
    pretended = int(workspace.number("copy_pretended_rows"))
    work = CopyWork(workspace, logs) if pretended < 0 else PretendedWork(workspace, logs, pretended)
    job = Job("copy", at, work, pipe.id, pipe.name, mode=mode, parameters=parameters)
    job.source_id = pipe.copy_target or ""
    job.source_name = target.name if target else ""
    return job


class CopyWork(Work):
    def __init__(self, workspace: Workspace, logs: ServiceLogs) -> None:
        self._workspace = workspace
        self._logs = logs

    async def prepare(self, job: Job) -> int:
        pipe, target = self._both(job)
        try:
            return await self._compute(job, pipe, target)
        except (ApiError, ClickHouseError) as exc:
            await self.discard(job)
            text = exc.text if isinstance(exc, ApiError) else str(exc)
            self._logs.operation(target, "copy", error=text, job=job, at=job.started_at)
            raise ApiError(400, text) from exc

    async def _compute(self, job: Job, pipe: Pipe, target: Datasource) -> int:
        run = self._workspace.clickhouse.run
        given = {"job_timestamp": stamp(job.created_at)[:19], **job.parameters}
        sql = sql_of(self._workspace, pipe, given, at=job.started_at)  # whenever it is that the machine computes it
        columns = [row["name"] for row in await self._workspace.clickhouse.rows(f"DESCRIBE TABLE ({sql})")]
        unknown = [name for name in columns if target.column(name) is None]
        if unknown:
            raise ApiError(400, f"Columns not found in the target Data Source '{target.name}': {', '.join(unknown)}")
        table = self._table(job)
        await run(ddl(self._workspace, target, table))
        names = ", ".join(f"`{name}`" for name in columns)
        most = int(self._workspace.number("copy_memory_bytes"))
        await run(f"INSERT INTO {table} ({names}) {sql}", lane=LONG, settings={"max_memory_usage": most})
        counted = await self._workspace.clickhouse.rows(f"SELECT count() AS n FROM {table}")
        return int(counted[0]["n"])

    async def commit(self, job: Job) -> None:
        _, target = self._both(job)
        run, table = self._workspace.clickhouse.run, self._table(job)
        async with self._workspace.lock:
            try:
                if job.mode == "replace":
                    await run(f"EXCHANGE TABLES {table} AND {DB}.`{target.name}`")
                else:
                    await run(f"INSERT INTO {DB}.`{target.name}` SELECT * FROM {table}", lane=LONG)
            except ClickHouseError as exc:
                self._logs.operation(target, "copy", error=str(exc), job=job, at=job.ends_at)
                raise ApiError(400, str(exc)) from exc
        await self.discard(job)
        self._logs.operation(target, "copy", rows=job.rows, job=job, at=job.ends_at)

    async def discard(self, job: Job) -> None:
        await self._workspace.clickhouse.run(f"DROP TABLE IF EXISTS {self._table(job)}")

    async def fail(self, job: Job, error: str) -> None:
        await self.discard(job)
        _log_end(self._workspace, self._logs, job, error)

    def _table(self, job: Job) -> str:
        return f"{STAGING}.`{job.id}`"

    def _both(self, job: Job) -> tuple[Pipe, Datasource]:
        pipe, target = self._workspace.pipe(job.pipe_id), self._workspace.source(job.source_id)
        if pipe is None:
            raise ApiError(404, f"Pipe '{job.pipe_name}' does not exist any more")
        if target is None:
            raise ApiError(404, f"The target Data Source '{job.source_name}' of pipe '{pipe.name}' does not exist")
        return pipe, target


class PretendedWork(Work):
    """A copy that writes nothing and says that it did."""

    def __init__(self, workspace: Workspace, logs: ServiceLogs, rows: int) -> None:
        self._workspace = workspace
        self._logs = logs
        self._rows = rows

    async def prepare(self, job: Job) -> int:
        return self._rows

    async def commit(self, job: Job) -> None:
        _log_end(self._workspace, self._logs, job, None)

    async def fail(self, job: Job, error: str) -> None:
        _log_end(self._workspace, self._logs, job, error)


def _log_end(workspace: Workspace, logs: ServiceLogs, job: Job, error: str | None) -> None:
    """Into ``datasources_ops_log``, if the target is still there."""
    target = workspace.source(job.source_id)
    if target is not None:
        logs.operation(target, "copy", rows=0 if error else job.rows, error=error, job=job, at=job.ends_at)


def in_lineage_order(workspace: Workspace) -> list[Pipe]:
    """Copy pipes, each behind those whose targets it reads; a circle is cut where it is met."""
    copies = [pipe for pipe in workspace.state.pipes.values() if pipe.copy_target]
    writers: dict[str, Pipe] = {}
    for pipe in copies:
        target = workspace.source(pipe.copy_target or "")
        if target is not None:
            writers[target.name] = pipe
    graph = {
        pipe.name: {writers[name].name for name in all_dependencies(workspace, pipe) if name in writers} - {pipe.name}
        for pipe in copies
    }
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:
        order = list(graph)
    return [workspace.state.pipes[name] for name in order]
