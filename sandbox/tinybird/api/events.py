"""``POST /v0/events``: NDJSON into a data source that is found, or made, by its name (facts/tinybird.md §7)."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.tinybird.api.access import allows, token_of
from sandbox.tinybird.api.forms import read_form
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.ingest import read_ndjson
from sandbox.tinybird.model import Datasource, Engine, Scope, Token
from sandbox.tinybird.platform import Platform
from sandbox.tinybird.schema import Column
from sandbox.tinybird.tables import create

LARGEST = 10 * 1024 * 1024
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


async def events(platform: Platform, request: Request) -> Response:
    form = await read_form(request)
    token = token_of(platform.workspace, request)
    name = form.get("name")
    if not name:
        raise ApiError(400, "Parameter 'name' is required: the Data Source to send events to")
    if len(form.body) > LARGEST:
        raise ApiError(413, "The request is larger than 10 MB")
    source = platform.workspace.source(name)
    _may_append(token, name if source is None else source.name, create=source is None)
    rows = _rows(form.body)
    if source is None:
        source = await _make(platform, name, rows)
    wait = form.flag("wait")
    batch = platform.ingest.mapped(source, rows)
    await platform.ingest.write(source, batch, event="append-hfi", at_once=wait)
    answer = {"successful_rows": len(batch.good), "quarantined_rows": len(batch.bad)}
    return JSONResponse(answer, status_code=200 if wait else 202)


def _may_append(token: Token, name: str, *, create: bool) -> None:
    """Appending needs the scope for this data source; one that is not there needs the right to create."""
    if create and not allows(token, Scope("DATASOURCES:CREATE")):
        raise ApiError(403, f"The Data Source '{name}' does not exist and the token '{token.name}' may not create it")
    if not allows(token, Scope("DATASOURCES:APPEND", name), Scope("DATASOURCES:CREATE")):
        raise ApiError(403, f"The token '{token.name}' has no permission to append to the Data Source '{name}'")


def _rows(body: bytes) -> list[Any]:
    try:
        rows = read_ndjson(body)
    except ValueError as exc:
        raise ApiError(400, f"The body is not NDJSON: {exc}") from exc
    if not rows:
        raise ApiError(400, "The body has no events")
    return rows


async def _make(platform: Platform, name: str, rows: list[Any]) -> Datasource:
    """The auto-create trap: a table with a guessed schema, so that a straggling event brings back a deleted one."""
    now = platform.workspace.now()
    source = Datasource(name, guess(rows), Engine(), now, now, format="ndjson")
    await create(platform.workspace, source)
    platform.logs.operation(source, "create")
    return source


def guess(rows: list[Any]) -> tuple[Column, ...]:
    """Columns for what the rows hold; nested keys are joined by ``_``."""
    found: dict[str, Column] = {}
    for row in rows[:100]:
        for column in _flat(row if isinstance(row, dict) else {"value": row}, "$", ""):
            found.setdefault(column.name, column)
    return tuple(found.values()) or (Column("value", "String", "$"),)


def _flat(value: dict[str, Any], path: str, prefix: str) -> list[Column]:
    columns: list[Column] = []
    for key, inner in value.items():
        name = re.sub(r"\W", "_", prefix + key, flags=re.ASCII)
        if isinstance(inner, dict):
            columns += _flat(inner, f"{path}.{key}", name + "_")
        elif isinstance(inner, list):
            columns.append(Column(name, "Array(String)", f"{path}.{key}[:]", "[]"))
        elif inner is not None:
            columns.append(Column(name, f"Nullable({_kind(inner)})", f"{path}.{key}"))
    return columns


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "UInt8"
    if isinstance(value, int):
        return "Int64"
    if isinstance(value, float):
        return "Float64"
    return "DateTime64(3)" if _TIME.match(str(value)) else "String"
