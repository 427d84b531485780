"""The Tinybird API's JSON to values (facts/tinybird.md §2 to §5): both the list's shape and the detail's."""

import hashlib
import json
import re
from typing import Any, cast

from systems.shapes import Shape
from systems.tinybird_model import (
    Answer,
    ColumnInfo,
    DatasourceInfo,
    IndexInfo,
    Job,
    NodeInfo,
    PipeInfo,
    Scope,
    TagInfo,
    TokenInfo,
    Workspace,
)

_DEFAULT = re.compile(r"^\s*DEFAULT\s+", re.IGNORECASE)
_CODEC = re.compile(r"^\s*(?:CODEC)?\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)


def workspace(shape: Shape) -> Workspace:
    """No documented flag says Forward [unverified]: any of the likely ones counts."""
    told = f"{shape.text('type')} {shape.text('version')} {shape.text('kind')}".lower()
    forward = "forward" in told or bool(shape.get("is_forward") or shape.get("forward"))
    return Workspace(id=shape.text("id"), name=shape.text("name"), forward=forward)


def datasource(shape: Shape) -> DatasourceInfo:
    engine = shape.inside("engine")
    statistics = shape.inside("statistics")
    columns = shape.inside("schema").each("columns") or shape.each("columns")

    def of_engine(*keys: str) -> str:
        found = (engine.text(f"{prefix}{key}") for key in keys for prefix in ("", "engine_"))
        return next((value for value in found if value), "")

    return DatasourceInfo(
        id=str(shape.need("id")),
        name=str(shape.need("name")),
        columns=tuple(_column(column) for column in columns),
        engine=engine.text("engine").removeprefix("Replicated"),
        sorting_key=of_engine("sorting_key"),
        partition_key=of_engine("partition_key"),
        version=of_engine("ver", "version"),
        ttl=of_engine("ttl"),
        settings=of_engine("settings"),
        indexes=tuple(_index(index) for index in shape.each("indexes")),
        description=shape.text("description"),
        tags=_tags(shape),
        rows=statistics.number("row_count"),
        bytes=statistics.number("bytes"),
        quarantine_rows=shape.number("quarantine_rows"),
        shared=bool(shape.plain("shared_with")),
    )


def pipe(shape: Shape) -> PipeInfo:
    schedule = shape.inside("schedule")
    return PipeInfo(
        id=str(shape.need("id")),
        name=str(shape.need("name")),
        kind=shape.text("type", "default"),
        description=shape.text("description"),
        tags=_tags(shape),
        nodes=tuple(_node(node) for node in shape.each("nodes")),
        copy_node=shape.get("copy_node"),
        copy_target=shape.get("copy_target_datasource"),
        copy_mode=shape.get("copy_mode"),
        cron=schedule.get("cron"),
        schedule_status=schedule.get("status"),
    )


def token(shape: Shape) -> TokenInfo:
    scopes = tuple(
        Scope(str(scope.need("type")), scope.get("resource") or None, scope.get("filter") or None)
        for scope in shape.each("scopes")
    )
    return TokenInfo(id=shape.text("id"), name=str(shape.need("name")), scopes=scopes)


def tag(shape: Shape) -> TagInfo:
    on = tuple((r.text("id"), r.text("name"), r.text("type")) for r in shape.each("resources"))
    return TagInfo(name=str(shape.need("name")), resources=on)


def job(shape: Shape) -> Job:
    target = shape.inside("datasource")
    progress = shape.get("progress_percentage")
    cancellable = shape.get("is_cancellable")
    pipe_of = shape.inside("pipe")
    return Job(
        id=shape.text("job_id") or str(shape.need("id")),
        kind=shape.text("kind"),
        status=shape.text("status"),
        created_at=shape.text("created_at"),
        updated_at=shape.text("updated_at"),
        pipe_id=shape.text("pipe_id") or pipe_of.text("id"),
        pipe_name=shape.text("pipe_name") or pipe_of.text("name"),
        datasource=target.text("name"),
        error=shape.text("error"),
        progress=float(progress) if isinstance(progress, int | float) else None,
        cancellable=None if cancellable is None else bool(cancellable),
    )


def _column(shape: Shape) -> ColumnInfo:
    kind = shape.text("type")
    if shape.get("nullable") and not kind.startswith("Nullable("):
        kind = f"Nullable({kind})"
    default, codec = shape.get("default_value"), shape.get("codec")
    found = _CODEC.match(codec) if isinstance(codec, str) else None
    return ColumnInfo(
        name=str(shape.need("name")),
        type=kind,
        jsonpath=shape.get("jsonpath") or None,
        default=_DEFAULT.sub("", str(default)).strip() if default not in (None, "") else None,
        codec=(found.group(1) if found else str(codec)) if codec else None,
    )


def _index(shape: Shape) -> IndexInfo:
    return IndexInfo(shape.text("name"), shape.text("expr"), shape.text("type_full"), shape.text("granularity", "1"))


def _node(shape: Shape) -> NodeInfo:
    return NodeInfo(
        id=shape.text("id"),
        name=str(shape.need("name")),
        sql=shape.text("sql"),
        kind=shape.text("node_type", "standard"),
        description=shape.text("description"),
        dependencies=tuple(str(name) for name in shape.plain("dependencies")),
        materialized=shape.get("materialized"),
        mode=shape.get("mode"),
    )


def _tags(shape: Shape) -> tuple[str, ...]:
    """``tags`` is an object of operational tags on a resource; names of filtering tags come only from /v0/tags."""
    value = shape.get("tags")
    return tuple(str(tag) for tag in shape.plain("tags")) if isinstance(value, list) else ()


def answer(shape: Shape) -> Answer:
    """An endpoint's answer, as JSON. Floats are compared in 12 digits: a sum depends on the order of its parts."""
    rows = shape.plain("data")
    lines = sorted(json.dumps(_rounded(row), sort_keys=True) for row in rows)
    return Answer(
        columns=tuple((column.text("name"), column.text("type")) for column in shape.each("meta")),
        rows=len(rows),
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    )


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.12g}")
        case dict():
            return {str(key): _rounded(each) for key, each in cast(dict[Any, Any], value).items()}
        case list():
            return [_rounded(each) for each in cast(list[Any], value)]
        case _:
            return value
