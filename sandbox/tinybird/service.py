"""The service data sources ``tinybird.*``: real tables, brought up to date when a query names them.

Columns after facts/tinybird.md §8.
"""

import json
from datetime import datetime
from typing import Any

from sandbox.tinybird.jobs import Job
from sandbox.tinybird.model import Datasource, new_id, stamp
from sandbox.tinybird.workspace import DB, Workspace

_TABLES = {
    "jobs_log": """
        job_id String, job_type LowCardinality(String), workspace_id String, pipe_id String, datasource_id String,
        created_at DateTime64(3), started_at Nullable(DateTime64(3)), updated_at DateTime64(3),
        status LowCardinality(String), error Nullable(String), request_id String, job_metadata String""",
    "datasources_ops_log": """
        timestamp DateTime, event_type LowCardinality(String), datasource_id String, datasource_name String,
        result LowCardinality(String), elapsed_time Float32, error Nullable(String), import_id Nullable(String),
        job_id Nullable(String), request_id String, rows Nullable(UInt64), rows_quarantine Nullable(UInt64),
        read_rows UInt64, read_bytes UInt64, written_rows UInt64, written_bytes UInt64, pipe_id String,
        pipe_name String, Options Nested(Names String, Values String)""",
    "datasources_storage": """
        timestamp DateTime, datasource_id String, datasource_name String, bytes UInt64, rows UInt64,
        bytes_quarantine UInt64, rows_quarantine UInt64""",
    "pipe_stats_rt": """
        start_datetime DateTime, pipe_id String, pipe_name String, duration Float32, read_bytes UInt64,
        read_rows UInt64, result_rows UInt64, url Nullable(String), status_code Int32, error UInt8,
        parameters Map(String, String), method String, request_id String, token_name String""",
}
_MERGE_S = 4.0  # ingested requests that come within this time make one line, as in the real log


class ServiceLogs:
    """What has happened, kept here until a query asks for it."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.clear()

    def clear(self) -> None:
        self._operations: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._made: set[str] = set()

    def operation(
        self,
        source: Datasource,
        event_type: str,
        *,
        rows: int = 0,
        quarantined: int = 0,
        error: str | None = None,
        job: Job | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note one operation on a data source; ``rows`` are those written."""
        when = at or self._workspace.now()
        last = self._operations[-1] if self._operations else None
        if last and event_type == "append-hfi" and error is None and _goes_on(last, source, when):
            for key, more in (("rows", rows), ("written_rows", rows), ("rows_quarantine", quarantined)):
                last[key] += more
            return
        self._operations.append({
            "when": when,
            "timestamp": stamp(when)[:19],
            "event_type": event_type,
            "datasource_id": source.id,
            "datasource_name": source.name,
            "result": "error" if error else "ok",
            "elapsed_time": (job.seconds if job else 0.0),
            "error": error,
            "job_id": job.id if job else None,
            "request_id": new_id(),
            "rows": rows,
            "rows_quarantine": quarantined,
            "written_rows": rows,
            "pipe_id": job.pipe_id if job else "",
            "pipe_name": job.pipe_name if job else "",
        })  # fmt: skip

    def call(
        self, pipe_id: str, pipe_name: str, *, url: str, status: int, method: str, token: str, seconds: float
    ) -> None:
        """Note one call of an endpoint; ``query_api`` is the id of ``/v0/sql``."""
        self._calls.append({
            "start_datetime": stamp(self._workspace.now())[:19],
            "pipe_id": pipe_id,
            "pipe_name": pipe_name,
            "url": url,
            "status_code": status,
            "error": int(status >= 400),
            "method": method,
            "token_name": token,
            "duration": seconds,
        })  # fmt: skip

    async def bring_up(self, names: set[str], jobs: list[Job]) -> None:
        """Make the tables in ``names`` say what is known now."""
        run = self._workspace.clickhouse.run
        for name in names & _TABLES.keys():
            if name not in self._made:
                await run(
                    f"CREATE TABLE IF NOT EXISTS tinybird.{name} ({_TABLES[name]}) ENGINE = MergeTree ORDER BY tuple()"
                )
                self._made.add(name)
        if "jobs_log" in names:
            await run("TRUNCATE TABLE tinybird.jobs_log")
            await self._insert("jobs_log", [self._job_row(job) for job in jobs])
        if "datasources_ops_log" in names:
            await run("TRUNCATE TABLE tinybird.datasources_ops_log")
            await self._insert(
                "datasources_ops_log", [{k: v for k, v in row.items() if k != "when"} for row in self._operations]
            )
        if "pipe_stats_rt" in names:
            await self._insert("pipe_stats_rt", self._calls)
            self._calls = []
        if "datasources_storage" in names:
            await run("TRUNCATE TABLE tinybird.datasources_storage")
            await self._insert("datasources_storage", await self._storage())

    async def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            await self._workspace.clickhouse.insert(f"tinybird.{table}", list(rows[0]), rows)

    def _job_row(self, job: Job) -> dict[str, Any]:
        return {
            "job_id": job.id,
            "job_type": {"populateview": "populate", "delete_data": "delete"}.get(job.kind, job.kind),
            "workspace_id": self._workspace.id,
            "pipe_id": job.pipe_id,
            "datasource_id": job.source_id,
            "created_at": stamp(job.created_at)[:-3],
            "started_at": stamp(job.started_at)[:-3] if job.started_at else None,
            "updated_at": stamp(job.updated_at)[:-3],
            "status": job.status,
            "error": job.error,
            "request_id": job.request_id,
            "job_metadata": json.dumps({
                "pipe_id": job.pipe_id, "pipe_name": job.pipe_name, "mode": job.mode, "parameters": job.parameters
            }),
        }  # fmt: skip

    async def _storage(self) -> list[dict[str, Any]]:
        sizes = await table_sizes(self._workspace)
        rows: list[dict[str, Any]] = []
        for source in self._workspace.state.sources.values():
            own, bad = sizes.get(source.name, (0, 0)), sizes.get(f"{source.name}_quarantine", (0, 0))
            row = {"timestamp": stamp(self._workspace.now())[:19], "datasource_id": source.id}
            row |= {"datasource_name": source.name, "rows": own[0], "bytes": own[1]}
            rows.append({**row, "rows_quarantine": bad[0], "bytes_quarantine": bad[1]})
        return rows


def _goes_on(last: dict[str, Any], source: Datasource, when: datetime) -> bool:
    """Is this the same ingestion as the last line's, close enough in time?"""
    same = (last["event_type"], last["datasource_id"], last["error"]) == ("append-hfi", source.id, None)
    return same and (when - last["when"]).total_seconds() < _MERGE_S


async def table_sizes(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """Rows and bytes of each table with data, versions that are not merged yet counted too."""
    rows = await workspace.clickhouse.rows(
        "SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS b FROM system.parts "
        f"WHERE database = '{DB}' AND active GROUP BY table"
    )
    return {row["table"]: (int(row["n"]), int(row["b"])) for row in rows}
