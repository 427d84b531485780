"""State as the API shows it: data sources, pipes, nodes, jobs, tokens (facts/tinybird.md §2, §3, §5)."""

from typing import Any

from sandbox.tinybird.jobs import Job, Jobs
from sandbox.tinybird.model import Datasource, Index, Node, Pipe, Token, stamp
from sandbox.tinybird.resolve import dependencies
from sandbox.tinybird.tables import used_by
from sandbox.tinybird.workspace import Workspace


def datasource(workspace: Workspace, source: Datasource, sizes: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """A data source with both the detail's and the list's keys, which differ in the real API."""
    rows, size = sizes.get(source.name, (0, 0))
    columns = [_column(column) for column in source.columns]
    options = source.engine.options
    return {
        "id": source.id,
        "name": source.name,
        "description": source.description,
        "type": source.format,
        "service": None,
        "connector": None,
        "cluster": "tinybird",
        "created_at": stamp(source.created_at),
        "updated_at": stamp(source.updated_at),
        "engine": {
            "engine": source.engine.name,
            **{key: options[key] for key in options},
            **{f"engine_{key}": options[key] for key in options},
            "sorting_key": options.get("sorting_key", ""),
            "partition_key": options.get("partition_key", ""),
            "primary_key": options.get("primary_key", options.get("sorting_key", "")),
            "ttl": options.get("ttl"),
        },
        "schema": {"sql_schema": source.sql_schema, "columns": columns},
        "columns": columns,
        "indexes": [_index(index) for index in source.indexes],
        "statistics": {"bytes": size, "row_count": rows},
        "quarantine_rows": sizes.get(f"{source.name}_quarantine", (0, 0))[0],
        "tags": _filtering_tags(workspace, source.id, source.name),
        "shared_with": [],
        "used_by": [{"id": pipe.id, "name": pipe.name} for pipe in used_by(workspace, source)],
        "new_columns_detected": {},
        "replicated": True,
        "version": 0,
        "project": None,
        "headers": {},
    }


def _filtering_tags(workspace: Workspace, resource_id: str, name: str) -> dict[str, Any]:
    tags = workspace.tags_of(resource_id, name)
    return {"__filtering": tags} if tags else {}


def _column(column: Any) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "nullable": column.nullable,
        "normalized_name": column.name,
        "codec": column.codec,
        "default_value": None if column.default is None else f"DEFAULT {column.default}",
        "jsonpath": column.jsonpath,
        "auto": False,
    }


def _index(index: Index) -> dict[str, str]:
    return {"name": index.name, "expr": index.expr, "type_full": index.type_full, "granularity": index.granularity}


def pipe(workspace: Workspace, shown: Pipe) -> dict[str, Any]:
    output = shown.output
    value: dict[str, Any] = {
        "id": shown.id,
        "name": shown.name,
        "description": shown.description,
        "type": shown.type,
        "endpoint": output.id if output.type == "endpoint" else None,
        "created_at": stamp(shown.created_at),
        "updated_at": stamp(shown.updated_at),
        "parent": None,
        "tags": _filtering_tags(workspace, shown.id, shown.name),
        "url": f"{workspace.world.url(workspace.world.ports.tinybird)}/v0/pipes/{shown.name}.json",
        "nodes": [node(workspace, shown, one) for one in shown.nodes],
    }
    if shown.type == "copy":
        value |= {
            "copy_node": output.id,
            "copy_target_datasource": shown.copy_target,
            "copy_target_workspace": workspace.id,
            "copy_mode": shown.copy_mode,
            "schedule": schedule(shown),
        }
    elif shown.type == "sink":
        value |= {"sink_node": output.id, "schedule": schedule(shown), **shown.export}
    return value


def schedule(shown: Pipe) -> dict[str, Any]:
    if shown.cron is None:
        return {}
    return {"cron": shown.cron, "timezone": "Etc/UTC", "status": "shutdown" if shown.paused else "running"}


def node(workspace: Workspace, shown: Pipe, one: Node) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "sql": one.sql,
        "description": one.description,
        "materialized": one.materialized,
        "cluster": None,
        "mode": shown.copy_mode if one.type == "copy" else "append",
        "node_type": one.type,
        "dependencies": dependencies(workspace, shown, one),
        "tags": {"copy_target_datasource": shown.copy_target} if one.type == "copy" else {},
        "params": one.params,
        "version": 0,
        "project": None,
        "result": None,
        "ignore_sql_errors": False,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
    }


def job(workspace: Workspace, jobs: Jobs, shown: Job) -> dict[str, Any]:
    value: dict[str, Any] = {
        "kind": shown.kind,
        "id": shown.id,
        "job_id": shown.id,
        "status": shown.status,
        "created_at": stamp(shown.created_at),
        "updated_at": stamp(shown.updated_at),
        "started_at": stamp(shown.started_at) if shown.started_at else None,
        "job_url": f"{workspace.world.url(workspace.world.ports.tinybird)}/v0/jobs/{shown.id}",
        "is_cancellable": jobs.cancellable(shown),
        "datasource": {"id": shown.source_id, "name": shown.source_name},
        "progress_percentage": progress(workspace, shown),
    }
    if shown.pipe_id:
        value |= {"pipe_id": shown.pipe_id, "pipe_name": shown.pipe_name}
    if shown.kind == "copy":
        value |= {"mode": shown.mode}
    if shown.kind == "delete_data":
        value |= {"delete_condition": shown.condition, "rows_affected": shown.rows}
    if shown.status == "done":
        value["statistics"] = {"row_count": shown.rows, "bytes": 0}
    if shown.error:
        value["error"] = shown.error
    return value


def progress(workspace: Workspace, shown: Job) -> float:
    if shown.status == "done":
        return 100.0
    if shown.started_at is None or shown.seconds <= 0:
        return 0.0
    passed = (workspace.now() - shown.started_at).total_seconds()
    return round(min(99.9, 100 * passed / shown.seconds), 1)


def token(shown: Token) -> dict[str, Any]:
    scopes = [
        {
            "type": scope.type,
            **({"resource": scope.resource} if scope.resource else {}),
            **({"filter": scope.filter} if scope.filter else {}),
        }
        for scope in shown.scopes
    ]
    return {"id": shown.id, "name": shown.name, "token": shown.token, "scopes": scopes, "origin": shown.origin}
