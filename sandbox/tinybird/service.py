"""The service data sources ``tinybird.*``: real tables, brought up to date when a query names them.

Columns after facts/tinybird.md §8.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.tinybird.jobs import Job
from sandbox.tinybird.log_table import LogTable, Shape
from sandbox.tinybird.model import Datasource, new_id, stamp
from sandbox.tinybird.workspace import DB, Workspace

_JOBS = {
    "job_id": "String",
    "job_type": "LowCardinality(String)",
    "workspace_id": "String",
    "pipe_id": "String",
    "datasource_id": "String",
    "created_at": "DateTime64(3)",
    "started_at": "Nullable(DateTime64(3))",
    "updated_at": "DateTime64(3)",
    "status": "LowCardinality(String)",
    "error": "Nullable(String)",
    "request_id": "String",
    "job_metadata": "String",
}
_OPERATIONS = {
    "timestamp": "DateTime",
    "event_type": "LowCardinality(String)",
    "datasource_id": "String",
    "datasource_name": "String",
    "result": "LowCardinality(String)",
    "elapsed_time": "Float32",
    "error": "Nullable(String)",
    "import_id": "Nullable(String)",
    "job_id": "Nullable(String)",
    "request_id": "String",
    "rows": "Nullable(UInt64)",
    "rows_quarantine": "Nullable(UInt64)",
    "read_rows": "UInt64",
    "read_bytes": "UInt64",
    "written_rows": "UInt64",
    "written_bytes": "UInt64",
    "pipe_id": "String",
    "pipe_name": "String",
    "Options.Names": "Array(String)",
    "Options.Values": "Array(String)",
}
_TABLES = {
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
        self._jobs = LogTable(workspace.clickhouse, "jobs_log", _JOBS)
        self._operations = LogTable(workspace.clickhouse, "datasources_ops_log", _OPERATIONS)
        self.clear()

    def clear(self) -> None:
        self._jobs.clear()
        self._operations.clear()
        self._lines: dict[str, int] = {}  # of each job
        self._last: _Ingestion | None = None
        self._operation_lines = 0
        self._calls: list[dict[str, Any]] = []
        self._made: set[str] = set()

    def job(self, job: Job) -> None:
        """Note how a job stands now: it has one line, which changes with it (facts/tinybird.md §8)."""
        line = self._lines.setdefault(job.id, len(self._lines))
        self._jobs.put(line, self._job_row(job), job.updated_at)

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
        """Note one operation on a data source; ``rows`` are those written. Events in close order make one line."""
        when = at or self._workspace.now()
        counts = {"rows": rows, "rows_quarantine": quarantined, "written_rows": rows}
        ingested = event_type == "append-hfi" and error is None
        if ingested and self._last and self._last.goes_on(source, when):
            row = self._last.row
            row |= {key: row[key] + more for key, more in counts.items()}
        else:
            self._operation_lines += 1
            row = {
                "timestamp": stamp(when)[:19],
                "event_type": event_type,
                "datasource_id": source.id,
                "datasource_name": source.name,
                "result": "error" if error else "ok",
                "elapsed_time": (job.seconds if job else 0.0),
                "error": error,
                "job_id": job.id if job else None,
                "request_id": new_id(),
                **counts,
                "pipe_id": job.pipe_id if job else "",
                "pipe_name": job.pipe_name if job else "",
            }
            self._last = _Ingestion(row, when) if ingested else None
        self._operations.put(self._operation_lines, row, when)

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

    async def bring_up(self, names: set[str]) -> None:
        """Make the tables in ``names`` say what is known now."""
        run = self._workspace.clickhouse.run
        for name in names & _TABLES.keys():
            if name not in self._made:
                await run(
                    f"CREATE TABLE IF NOT EXISTS tinybird.{name} ({_TABLES[name]}) ENGINE = MergeTree ORDER BY tuple()"
                )
                self._made.add(name)
        for name, log, knobs in (
            ("jobs_log", self._jobs, "jobs_log"),
            ("datasources_ops_log", self._operations, "ops_log"),
        ):
            if name in names:
                late = timedelta(seconds=self._workspace.number(f"{knobs}_lag_s"))
                await log.bring_up(self._workspace.now() - late, self._shape(knobs))
        if "pipe_stats_rt" in names:
            calls, self._calls = self._calls, []
            await self._insert("pipe_stats_rt", calls)
        if "datasources_storage" in names:
            await run("TRUNCATE TABLE tinybird.datasources_storage")
            await self._insert("datasources_storage", await self._storage())

    def _shape(self, knobs: str) -> Shape:
        dropped = str(self._workspace.knob(f"{knobs}_drop")).split(",")
        texts = self._workspace.knob(f"{knobs}_types") == "strings"
        skew_s = round(self._workspace.number("log_skew_s"))
        return Shape(skew_s, texts, frozenset(name.strip() for name in dropped if name.strip()))

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


@dataclass(frozen=True)
class _Ingestion:
    """The last line, when it tells of events that came in."""

    row: dict[str, Any]
    when: datetime

    def goes_on(self, source: Datasource, when: datetime) -> bool:
        """Whether events of ``source`` at ``when`` belong to the same line."""
        return self.row["datasource_id"] == source.id and (when - self.when).total_seconds() < _MERGE_S


async def table_sizes(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """Rows and bytes of each table with data, versions that are not merged yet counted too."""
    rows = await workspace.clickhouse.rows(
        "SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS b FROM system.parts "
        f"WHERE database = '{DB}' AND active GROUP BY table"
    )
    return {row["table"]: (int(row["n"]), int(row["b"])) for row in rows}
