"""Sink pipes: their settings as datafiles and API name them, and their runs (facts/tinybird.md §4, §11).

An export is counted and not sent: where it would go to lies outside of the platform.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.clickhouse import ClickHouseError
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.jobs import Job, Jobs, Work, check_cron
from sandbox.tinybird.model import Node, Pipe, stamp
from sandbox.tinybird.resolve import sql_of
from sandbox.tinybird.workspace import Workspace

KEYS = {  # of a datafile: of the API, in the order in which both are written
    "EXPORT_SERVICE": "service",
    "EXPORT_CONNECTION_NAME": "connection",
    "EXPORT_SCHEDULE": "schedule_cron",
    "EXPORT_BUCKET_URI": "path",
    "EXPORT_FILE_TEMPLATE": "file_template",
    "EXPORT_FORMAT": "format",
    "EXPORT_COMPRESSION": "compression",
    "EXPORT_WRITE_STRATEGY": "write_strategy",
    "EXPORT_STRATEGY": "strategy",
    "EXPORT_KAFKA_TOPIC": "kafka_topic",
}
_SERVICES = ("gcs_hmac", "s3", "s3_iamrole", "kafka")


def set_sink(workspace: Workspace, jobs: Jobs, pipe: Pipe, node: Node, given: Mapping[str, Any]) -> None:
    """Make ``node`` the sink node, or change its settings; what is not given stays. ApiError."""
    if pipe.type not in ("default", "sink"):
        raise ApiError(403, f"The pipe '{pipe.name}' is already {pipe.type}: a pipe has one output, unlink it first")
    export = pipe.export | {key: str(given[key]) for key in KEYS.values() if given.get(key)}
    export.pop("schedule_cron", None)
    if export.get("service") not in _SERVICES:
        raise ApiError(400, f"Invalid service '{export.get('service', '')}': use one of {', '.join(_SERVICES)}")
    if export["service"] == "kafka" and not export.get("kafka_topic"):
        raise ApiError(400, "Parameter 'kafka_topic' is required")
    if "schedule_cron" in given:
        cron = str(given["schedule_cron"] or "")
        pipe.cron = None if cron in ("None", "", "@on-demand") else check_cron(cron)
    pipe.export = export
    for other in pipe.nodes:
        other.type = "sink" if other is node else "standard"
    pipe.updated_at = workspace.now()
    jobs.plan(pipe)


def unset_sink(workspace: Workspace, pipe: Pipe, node: Node) -> None:
    if node.type != "sink":
        raise ApiError(400, f"The node '{node.name}' is not a sink node")
    node.type = "standard"
    pipe.export = {}
    pipe.cron = pipe.next_tick = None
    pipe.paused = False
    pipe.updated_at = workspace.now()


def settings_text(pipe: Pipe) -> str:
    """The lines that end the sink node of a datafile."""
    known = pipe.export | {"schedule_cron": pipe.cron or "@on-demand"}
    return "".join(f"{word} {known[key]}\n" for word, key in KEYS.items() if known.get(key))


def sink_job(workspace: Workspace, pipe: Pipe, parameters: dict[str, Any], at: datetime) -> Job:
    """A run of ``pipe``, waiting."""
    return Job("sink", at, SinkWork(workspace), pipe.id, pipe.name, parameters=parameters)


class SinkWork(Work):
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def prepare(self, job: Job) -> int:
        pipe = self._workspace.pipe(job.pipe_id)
        if pipe is None:
            raise ApiError(404, f"Pipe '{job.pipe_name}' does not exist any more")
        sql = sql_of(self._workspace, pipe, {"job_timestamp": stamp(job.created_at)[:19], **job.parameters})
        try:
            counted = await self._workspace.clickhouse.rows(f"SELECT count() AS n FROM ({sql})")
        except ClickHouseError as exc:
            raise ApiError(400, str(exc)) from exc
        return int(counted[0]["n"])

    async def commit(self, job: Job) -> None:
        """Nothing of the workspace changes by an export."""
