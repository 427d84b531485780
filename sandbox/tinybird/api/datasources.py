"""``/v0/datasources``: list, get, create, append, replace, alter, rename, delete (facts/tinybird.md §2)."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.clickhouse import ClickHouseError
from sandbox.tinybird import alter, datafiles, tables
from sandbox.tinybird.api import views
from sandbox.tinybird.api.access import require, token_of
from sandbox.tinybird.api.forms import Form, query, read_form
from sandbox.tinybird.deletes import delete_job
from sandbox.tinybird.errors import ApiError, no_datasource
from sandbox.tinybird.ingest import Batch, by_name, csv_rows, map_rows, read_ndjson
from sandbox.tinybird.model import ENGINE_KEYS, Datasource, Engine, Scope
from sandbox.tinybird.platform import Platform
from sandbox.tinybird.schema import parse_columns, split_top
from sandbox.tinybird.service import table_sizes

_CREATE = Scope("DATASOURCES:CREATE")


async def list_all(platform: Platform, request: Request) -> Response:
    token_of(platform.workspace, request)
    sizes = await table_sizes(platform.workspace)
    found = [
        views.datasource(platform.workspace, source, sizes) for source in platform.workspace.state.sources.values()
    ]
    return JSONResponse({"datasources": found})


async def get(platform: Platform, request: Request) -> Response:
    token_of(platform.workspace, request)
    name = request.path_params["name"]
    if name.endswith(".datasource"):
        source = platform.source(name.removesuffix(".datasource"))
        workspace = platform.workspace
        text = datafiles.write_datasource(
            source, workspace.tags_of(source.id, source.name), workspace.token_lines("DATASOURCES", source.name)
        )
        # exactly text/plain: a charset behind it makes `tb pull` fail (facts/tinybird.md §10)
        return Response(text, headers={"content-type": "text/plain"})
    source = platform.source(name)
    return JSONResponse(views.datasource(platform.workspace, source, await table_sizes(platform.workspace)))


async def post(platform: Platform, request: Request) -> Response:
    """Create from a schema, or append to or replace the rows of one, by ``mode``."""
    form = await read_form(request)
    name, mode = form.need("name"), form.get("mode", "create")
    if mode == "create":
        require(platform.workspace, request, _CREATE)
        platform.create_limit.take(int(platform.workspace.number("creates_per_minute")))
        source = await _create(platform, form)
        return JSONResponse({"datasource": await _view(platform, source), "import_id": None, "error": False})
    if mode not in ("append", "replace"):
        raise ApiError(400, f"Invalid mode '{mode}'")
    require(platform.workspace, request, Scope("DATASOURCES:APPEND", name), _CREATE)
    return await _load(platform, form, name, mode)


async def _create(platform: Platform, form: Form) -> Datasource:
    now = platform.workspace.now()
    columns = parse_columns(form.need("schema"))
    options = {key: form.get(f"engine_{key}") for key in ENGINE_KEYS if form.get(f"engine_{key}")}
    source = Datasource(
        form.need("name"),
        columns,
        Engine(form.get("engine") or "MergeTree", options),
        now,
        now,
        description=form.get("description"),
        format="ndjson" if columns[0].jsonpath else "csv",
        indexes=tuple(tables.parse_index(line) for line in _index_lines(form.get("indexes"))),
    )
    await tables.create(platform.workspace, source)
    platform.logs.operation(source, "create")
    return source


def _index_lines(text: str) -> list[str]:
    return [] if text in ("", "0") else [line for part in text.split("\n") for line in split_top(part)]


async def _view(platform: Platform, source: Datasource) -> dict[str, Any]:
    return views.datasource(platform.workspace, source, await table_sizes(platform.workspace))


async def _load(platform: Platform, form: Form, name: str, mode: str) -> Response:
    """Rows of a file, at once; a bad one goes to the quarantine and is told of."""
    source = platform.workspace.source(name)
    if source is None:
        raise no_datasource(name)
    batch = _batch(platform, form, source)
    if mode == "replace":
        await tables.truncate(platform.workspace, source)
    await platform.ingest.write(source, batch, event=mode, at_once=True)
    import_id = str(uuid.uuid4())
    block = {
        "block_id": import_id,
        "process_return": [
            {"lines": len(batch.good), "parser": "python", "quarantine": len(batch.bad), "db_parse_time": 0}
        ],
    }
    errors = [f"There was an error with file contents: {len(batch.bad)} rows in quarantine."] if batch.bad else []
    answer = {"datasource": await _view(platform, source), "import_id": import_id, "blocks": [block], "block_log": []}
    answer |= {"invalid_lines": 0, "quarantine_rows": len(batch.bad)}
    return JSONResponse({**answer, "errors": errors, "error": errors[0] if errors else False})


def _batch(platform: Platform, form: Form, source: Datasource) -> Batch:
    kind = form.get("format") or ("ndjson" if "ndjson" in form.files else "csv")
    body = next(iter(form.files.values()), form.body)
    try:
        if kind == "ndjson":
            return platform.ingest.mapped(source, read_ndjson(body))
        if kind == "csv":
            return map_rows(by_name(source.columns), csv_rows(source, body.decode("utf-8")), null_to_default=True)
    except ValueError as exc:
        raise ApiError(400, f"The file is not {kind}: {exc}") from exc
    raise ApiError(400, f"The format '{kind}' is not supported here: use csv or ndjson")


async def action(platform: Platform, request: Request) -> Response:
    """``POST /v0/datasources/{name}/truncate|delete|alter``."""
    form = await read_form(request)
    source = platform.source(request.path_params["name"])
    what = request.path_params["action"]
    require(platform.workspace, request, _CREATE)
    if what == "truncate":
        await tables.truncate(platform.workspace, source)
        platform.logs.operation(source, "truncate")
        return Response(status_code=205)
    if what == "alter":
        return await _alter(platform, form, source)
    if what == "delete":
        return await _delete_rows(platform, form, source)
    raise ApiError(404, f"Unknown action '{what}'")


async def _alter(platform: Platform, form: Form, source: Datasource) -> Response:
    values = form.values
    wanted = alter.Wanted(
        columns=parse_columns(values["schema"]) if values.get("schema") else None,
        description=values.get("description"),
        ttl=values.get("ttl"),
        indexes=tuple(tables.parse_index(line) for line in _index_lines(values["indexes"]))
        if "indexes" in values
        else None,
    )
    changes = alter.plan(platform.workspace, source, wanted)
    dry = form.flag("dry")
    await alter.carry_out(platform.workspace, source, wanted, changes, dry=dry)
    if not dry:
        platform.logs.operation(source, "alter")
    names = [pipe.name for pipe in tables.used_by(platform.workspace, source)]
    return JSONResponse({"operations": changes.operations, "dependencies": names, "dry": dry})


async def _delete_rows(platform: Platform, form: Form, source: Datasource) -> Response:
    condition = form.need("delete_condition")
    if form.flag("dry_run"):
        try:
            rows = await platform.workspace.clickhouse.rows(
                f"SELECT count() AS n FROM `{source.name}` WHERE {condition}"
            )
        except ClickHouseError as exc:
            raise ApiError(400, str(exc), headers={"X-DB-Exception-Code": str(exc.code)}) from exc
        return JSONResponse({"rows_to_be_deleted": int(rows[0]["n"])})
    job = platform.jobs.submit(delete_job(platform.workspace, platform.logs, source, condition))
    view = views.job(platform.workspace, platform.jobs, job)
    return JSONResponse({"id": job.id, "job_id": job.id, "job_url": view["job_url"], "status": job.status, "job": view})


async def put(platform: Platform, request: Request) -> Response:
    """Rename, by ``name``; the description too."""
    form = await read_form(request)
    require(platform.workspace, request, _CREATE)
    source = platform.source(request.path_params["name"])
    new = form.get("name")
    if new and new != source.name:
        await tables.rename(platform.workspace, source, new)
        platform.logs.operation(source, "rename")
    if "description" in form.values:
        source.description, source.updated_at = form.get("description"), platform.workspace.now()
    return JSONResponse(await _view(platform, source))


async def delete(platform: Platform, request: Request) -> Response:
    form = query(request)
    source = platform.source(request.path_params["name"])
    require(platform.workspace, request, Scope("DATASOURCES:DROP", source.name), _CREATE)
    dependent = ", ".join(pipe.name for pipe in tables.used_by(platform.workspace, source))
    if form.get("dry_run", "").lower() == "true":
        return JSONResponse({"dependent_pipes": dependent})
    await tables.delete(platform.workspace, source, force=form.get("force", "").lower() == "true")
    platform.logs.operation(source, "delete")
    return Response(status_code=204)


async def exchange(platform: Platform, request: Request) -> Response:
    form = await read_form(request)
    require(platform.workspace, request, _CREATE)
    a, b = platform.source(form.need("datasource_a")), platform.source(form.need("datasource_b"))
    await tables.exchange(platform.workspace, a, b)
    return JSONResponse({"datasource_a": a.name, "datasource_b": b.name})


async def dependencies(platform: Platform, request: Request) -> Response:
    """``GET /v0/dependencies``: by data source, the pipes that read it."""
    token_of(platform.workspace, request)
    only = query(request).get("datasource")
    found = {
        source.name: [pipe.name for pipe in tables.used_by(platform.workspace, source)]
        for source in platform.workspace.state.sources.values()
        if only in (None, "", source.name)
    }
    return JSONResponse({"dependencies": found, "incompatible_datasources": {}})
