"""``/v0/sql`` and endpoints: SELECT at the platform's time, in the format that is asked for (facts/tinybird.md §6)."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.clickhouse import READ, Answer, ClickHouseError
from sandbox.tinybird import resolve
from sandbox.tinybird.api.access import reads, token_of
from sandbox.tinybird.api.forms import Form, read_form
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.model import Pipe, Token
from sandbox.tinybird.platform import Platform
from sandbox.tinybird.sqltext import format_of, must_be_select, tables, without_format
from sandbox.tinybird.template import declared

LIMIT_S = 10
LONGEST = 8 * 1024
_KINDS = {
    "json": "application/json", "jsoncompact": "application/json", "csv": "text/csv", "csvwithnames": "text/csv",
    "jsoneachrow": "application/x-ndjson", "parquet": "application/octet-stream",
}  # fmt: skip
_FORMATS = (
    "csv",
    "csvwithnames",
    "json",
    "tsv",
    "tsvwithnames",
    "prettycompact",
    "jsoneachrow",
    "parquet",
    "jsoncompact",
)
_OWN = ("token", "q", "pipeline", "release_replacements", "cli_version", "format", "dry_run", "from", "explain")
_TIMEOUT, _TOO_SLOW = 159, 160
_LOGS = "tinybird."  # the service logs: who reads them in the middle of a jump of the clock would see what never was


async def sql(platform: Platform, request: Request) -> Response:
    form = await read_form(request)
    token = token_of(platform.workspace, request)
    given = dict(form.values)
    text = form.get("q")
    if request.method == "POST" and form.body:
        text = _posted(form, given, text)
    if not text.strip():
        raise ApiError(400, "Parameter 'q' is required: the SQL to run")
    if len(text.encode()) > LONGEST:
        raise ApiError(400, f"The query is longer than {LONGEST} bytes")
    if _LOGS in text:
        await platform.jobs.made_up()
    pipeline = form.get("pipeline")
    pipe = resolve.must_have(platform.workspace, pipeline) if pipeline else None
    return await _answer(platform, token, text, given, pipe, url=request.url.path, method=request.method)


def _posted(form: Form, given: dict[str, Any], text: str) -> str:
    """The SQL of a POST: ``q`` of a JSON body or a form, else the raw body."""
    if form.body.lstrip().startswith(b"{"):
        body = json.loads(form.body)
        given.update(body)
        return str(body.get("q", ""))
    return text or form.body.decode("utf-8", "replace")


async def _answer(
    platform: Platform,
    token: Token,
    text: str,
    given: dict[str, Any],
    pipe: Pipe | None,
    *,
    url: str,
    method: str,
    default: str = "TSV",
) -> Response:
    template = text.lstrip().startswith("%")
    bare = without_format(text)
    wanted = format_of(text) or str(given.get("format") or default)
    if wanted.lower() not in _FORMATS:
        raise ApiError(400, f"Unknown format {wanted}", headers={"X-DB-Exception-Code": "73"})
    must_be_select(declared(bare) if template else bare)
    named = {table.name for table in tables(declared(bare)) if not table.database and not table.called}
    _may_read(platform, token, named, pipe)
    query = resolve.query(platform.workspace, bare, {k: v for k, v in given.items() if k not in _OWN}, pipe)
    answer = await run(platform, query, wanted)
    platform.logs.call(
        "query_api", "query_api", url=url, status=200, method=method, token=token.name, seconds=answer.elapsed_s
    )
    return reply(answer, wanted)


def _may_read(platform: Platform, token: Token, named: set[str], pipe: Pipe | None) -> None:
    known = {
        name for name in named if name in platform.workspace.state.sources or name in platform.workspace.state.pipes
    }
    refused = reads(token, known | ({pipe.name} if pipe else set()))
    if refused:
        raise ApiError(403, f"The token '{token.name}' has no permission to read '{refused[0]}'")


async def run(platform: Platform, query: str, wanted: str) -> Answer:
    """Run the SELECT in at most LIMIT_S. ApiError with X-DB-Exception-Code: 408 for a timeout, else 400."""
    service = {table.name for table in tables(query) if table.database == "tinybird"}
    if service:
        await platform.logs.bring_up(service)
    try:
        return await platform.workspace.clickhouse.run(
            query, lane=READ, format=wanted, settings={"max_execution_time": LIMIT_S}
        )
    except ClickHouseError as exc:
        status = 408 if exc.code in (_TIMEOUT, _TOO_SLOW) else 400
        text = "[Error] " + str(exc)
        raise ApiError(status, text, headers={"X-DB-Exception-Code": str(exc.code)}) from exc


def reply(answer: Answer, wanted: str) -> Response:
    kind = _KINDS.get(wanted.lower(), "text/plain")
    return Response(
        answer.data, headers={"content-type": kind, "X-DB-Statistics": json.dumps({"rows_read": answer.rows_read})}
    )


async def endpoint(platform: Platform, request: Request) -> Response:
    """``GET|POST /v0/pipes/{pipe}.json|csv|ndjson``."""
    form = await read_form(request)
    token = token_of(platform.workspace, request)
    name, _, suffix = request.path_params["file"].rpartition(".")
    pipe = resolve.must_have(platform.workspace, name)
    wanted = {"json": "JSON", "csv": "CSVWithNames", "ndjson": "JSONEachRow"}.get(suffix)
    if wanted is None:
        raise ApiError(404, f"Unknown format '{suffix}'")
    if pipe.type != "endpoint":
        raise ApiError(404, f"The pipe '{pipe.name}' does not have an endpoint yet")
    given: dict[str, Any] = dict(form.values)
    if form.body.lstrip().startswith(b"{"):
        given |= json.loads(form.body)
    text = str(given.get("q") or "SELECT * FROM _")
    _may_read(platform, token, set(), pipe)
    must_be_select(text)
    status = 200
    seconds = 0.0
    try:
        query = resolve.query(
            platform.workspace, without_format(text), {k: v for k, v in given.items() if k not in _OWN}, pipe
        )
        answer = await run(platform, query, format_of(text) or wanted)
        seconds = answer.elapsed_s
        return reply(answer, format_of(text) or wanted)
    except ApiError as exc:
        status = exc.status
        raise
    finally:
        platform.logs.call(
            pipe.id,
            pipe.name,
            url=request.url.path,
            status=status,
            method=request.method,
            token=token.name,
            seconds=seconds,
        )


async def sql_tables(platform: Platform, request: Request) -> Response:
    """The tables that a query names, as the CLI asks when it cannot parse by itself."""
    form = await read_form(request)
    text = (
        form.get("q") or str(json.loads(form.body).get("q", ""))
        if form.body.lstrip().startswith(b"{")
        else form.get("q")
    )
    found = [[table.database, table.name] for table in tables(declared(text)) if not table.called]
    return JSONResponse({"tables": found})


async def sql_format(platform: Platform, request: Request) -> Response:
    text = (await read_form(request)).need("q")
    return JSONResponse({"q": text})
