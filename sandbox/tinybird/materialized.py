"""Materialized nodes: a real ClickHouse view that writes into its target, and the job that fills it from old rows."""

from typing import Any

from sandbox.clickhouse import LONG, ClickHouseError
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.jobs import Job, Work
from sandbox.tinybird.model import ENGINE_KEYS, Datasource, Engine, Node, Pipe
from sandbox.tinybird.resolve import sql_of
from sandbox.tinybird.schema import Column
from sandbox.tinybird.service import ServiceLogs
from sandbox.tinybird.tables import create, view_name
from sandbox.tinybird.workspace import DB, Workspace


async def link(workspace: Workspace, pipe: Pipe, node: Node, given: dict[str, Any]) -> None:
    """Make the view, and its target when there is none of that name. ApiError 400 with ClickHouse's words."""
    name = str(given.get("datasource") or "")
    sql = sql_of(workspace, pipe, {}, node)
    try:
        target = workspace.source(name) or await _target(workspace, name, sql, given)
        await workspace.clickhouse.run(
            f"CREATE MATERIALIZED VIEW {DB}.`{view_name(node)}` TO {DB}.`{target.name}` AS {sql}"
        )
    except ClickHouseError as exc:
        raise ApiError(400, str(exc), headers={"X-DB-Exception-Code": str(exc.code)}) from exc
    node.materialized = target.id


async def _target(workspace: Workspace, name: str, sql: str, given: dict[str, Any]) -> Datasource:
    described = await workspace.clickhouse.rows(f"DESCRIBE TABLE ({sql})")
    columns = tuple(Column(row["name"], row["type"]) for row in described)
    options = {key: str(given[f"engine_{key}"]) for key in ENGINE_KEYS if given.get(f"engine_{key}")}
    now = workspace.now()
    target = Datasource(name, columns, Engine(str(given.get("engine") or "MergeTree"), options), now, now)
    await create(workspace, target)
    return target


def populate_job(workspace: Workspace, logs: ServiceLogs, pipe: Pipe, node: Node) -> Job:
    """Run the view's query over all rows that are there, into the target; on a plain target this counts twice."""
    job = Job("populateview", workspace.now(), PopulateWork(workspace, logs, node), pipe.id, pipe.name)
    target = workspace.source(node.materialized or "")
    job.source_id, job.source_name = (target.id, target.name) if target else ("", "")
    return job


class PopulateWork(Work):
    def __init__(self, workspace: Workspace, logs: ServiceLogs, node: Node) -> None:
        self._workspace = workspace
        self._logs = logs
        self._node = node

    async def prepare(self, job: Job) -> int:
        rows = await self._workspace.clickhouse.rows(f"SELECT count() AS n FROM ({self._sql(job)})")
        return int(rows[0]["n"])

    async def commit(self, job: Job) -> None:
        target = self._workspace.source(job.source_id)
        if target is None:
            raise ApiError(404, f"The target Data Source '{job.source_name}' does not exist any more")
        columns = await self._workspace.clickhouse.rows(f"DESCRIBE TABLE ({self._sql(job)})")
        names = ", ".join(f"`{column['name']}`" for column in columns)
        await self._workspace.clickhouse.run(f"INSERT INTO {DB}.`{target.name}` ({names}) {self._sql(job)}", lane=LONG)
        self._logs.operation(target, "populateview", rows=job.rows, job=job, at=job.ends_at)

    def _sql(self, job: Job) -> str:
        pipe = self._workspace.pipe(job.pipe_id)
        if pipe is None:
            raise ApiError(404, f"Pipe '{job.pipe_name}' does not exist any more")
        return sql_of(self._workspace, pipe, {}, self._node)
