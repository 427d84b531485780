"""Delete jobs: rows that meet a condition go, in a job (facts/tinybird.md §2)."""

from sandbox.clickhouse import ClickHouseError
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.jobs import Job, Work
from sandbox.tinybird.model import Datasource
from sandbox.tinybird.service import ServiceLogs
from sandbox.tinybird.workspace import DB, Workspace


def delete_job(workspace: Workspace, logs: ServiceLogs, source: Datasource, condition: str) -> Job:
    job = Job("delete_data", workspace.now(), DeleteWork(workspace, logs), condition=condition)
    job.source_id, job.source_name = source.id, source.name
    return job


class DeleteWork(Work):
    """Counts first, for the job's length; the rows go when the job ends."""

    def __init__(self, workspace: Workspace, logs: ServiceLogs) -> None:
        self._workspace = workspace
        self._logs = logs

    async def prepare(self, job: Job) -> int:
        table = self._table(job)
        try:
            rows = await self._workspace.clickhouse.rows(f"SELECT count() AS n FROM {table} WHERE {job.condition}")
        except ClickHouseError as exc:
            raise ApiError(400, str(exc)) from exc
        return int(rows[0]["n"])

    async def commit(self, job: Job) -> None:
        try:
            await self._workspace.clickhouse.run(f"ALTER TABLE {self._table(job)} DELETE WHERE {job.condition}")
        except ClickHouseError as exc:
            raise ApiError(400, str(exc)) from exc
        source = self._workspace.source(job.source_id)
        if source is not None:
            self._logs.operation(source, "delete", rows=job.rows, job=job, at=job.ends_at)

    def _table(self, job: Job) -> str:
        source = self._workspace.source(job.source_id)
        if source is None:
            raise ApiError(404, f"The Data Source '{job.source_name}' does not exist any more")
        return f"{DB}.`{source.name}`"
