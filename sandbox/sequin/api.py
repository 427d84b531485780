"""The management API (facts/systems.md §1.1): routes, token and content type, sinks, backfills, databases."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.sequin import bodies, errors, views
from sandbox.sequin.model import TRANSITIONS, Backfill, Sink
from sandbox.sequin.store import TOKEN, Store

_NO_TOKEN = "Please provide a valid API token in the Authorization header.\nExample: Authorization: Bearer YOUR_TOKEN"
_BAD_TOKEN = "The API token you provided is invalid or has expired."

Body = dict[str, Any]
Handler = Callable[[Store, dict[str, str], Body], tuple[int, Body]]


def application(store: Store) -> Starlette:
    routes = [
        Route("/health", _health),
        Route("/info/version", _version),
        *(_route(store, method, f"/api{path}", handler) for method, path, handler in _ROUTES),
    ]
    return Starlette(routes=routes, exception_handlers={404: _no_route, 405: _no_route})


async def _health(_request: Request) -> Response:
    return JSONResponse({"ok": True, "rev": "sandbox"})


async def _version(_request: Request) -> Response:
    return JSONResponse({"version": "v0.14.6"})


async def _no_route(_request: Request, _exc: Exception) -> Response:
    return JSONResponse(errors.no_route().body, status_code=404)


def _route(store: Store, method: str, path: str, handler: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request)
            status, answer = await run_in_threadpool(_locked, store, handler, request.path_params, body)
        except errors.ApiError as exc:
            status, answer = exc.status, exc.body
        return JSONResponse(answer, status_code=status)

    return Route(path, endpoint, methods=[method])


def _locked(store: Store, handler: Handler, params: dict[str, str], body: Body) -> tuple[int, Body]:
    with store.lock:
        return handler(store, params, body)


async def _body(request: Request) -> Body:
    """Check token and content type, then parse."""
    header = request.headers.get("authorization", "")
    if not header.startswith("Bearer "):
        raise errors.unauthorized(_NO_TOKEN)
    if header.removeprefix("Bearer ") != TOKEN:
        raise errors.unauthorized(_BAD_TOKEN)
    if request.method not in ("POST", "PUT", "PATCH"):
        return {}
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise errors.bad_request("Content-Type: application/json is required")
    text = await request.body()
    try:
        body = json.loads(text) if text else {}
    except ValueError as exc:
        raise errors.ApiError(400, {"errors": {"detail": "Bad Request"}}) from exc
    return body if isinstance(body, dict) else {"_json": body}


def _sink(store: Store, params: dict[str, str]) -> Sink:
    sink = store.sink(params["sink"])
    if sink is None:
        raise errors.not_found("consumer")
    return sink


def _list_sinks(store: Store, _params: dict[str, str], _body: Body) -> tuple[int, Body]:
    return 200, {"data": [views.sink(store, sink, health=True) for sink in store.sinks.values()]}


def _create_sink(store: Store, _params: dict[str, str], body: Body) -> tuple[int, Body]:
    sink = bodies.create(store, body)
    store.sinks[sink.name] = sink
    store.restart_slot()
    return 200, views.sink(store, sink, health=False)


def _show_sink(store: Store, params: dict[str, str], _body: Body) -> tuple[int, Body]:
    return 200, views.sink(store, _sink(store, params), health=True)


def _update_sink(store: Store, params: dict[str, str], body: Body) -> tuple[int, Body]:
    sink = _sink(store, params)
    before = sink.name
    bodies.update(store, sink, body)
    store.sinks[sink.name] = store.sinks.pop(before)
    if sink.status != "disabled":
        store.restart_slot()
    return 200, views.sink(store, sink, health=False)


def _delete_sink(store: Store, params: dict[str, str], _body: Body) -> tuple[int, Body]:
    sink = _sink(store, params)
    del store.sinks[sink.name]
    store.backfills = [backfill for backfill in store.backfills if backfill.sink is not sink]
    store.restart_slot()
    return 200, {"id": sink.id, "deleted": True}


def _list_backfills(store: Store, params: dict[str, str], _body: Body) -> tuple[int, Body]:
    return 200, {"data": [views.backfill(one) for one in store.backfills_of(_sink(store, params))]}


def _create_backfill(store: Store, params: dict[str, str], body: Body) -> tuple[int, Body]:
    sink = _sink(store, params)
    bodies.check_keys(body, {"table", "state"})
    table = _backfill_table(store, sink, body.get("table"))
    state = body.get("state") or "active"
    if state not in ("active", "paused"):
        raise errors.invalid({"state": ["is invalid"]})
    if any(one.table == table for one in store.open_backfills(sink)):
        raise errors.invalid({"sink_consumer_id": ["already has an active backfill"]})
    return 200, views.backfill(store.new_backfill(sink, table, state))


def _backfill_table(store: Store, sink: Sink, wanted: str | None) -> str:
    if wanted is None:
        included = sink.source["include_tables"] or []
        if len(included) != 1:
            raise errors.refused("Table reference is required")
        return included[0]
    full_name = wanted if "." in wanted else f"public.{wanted}"
    table = store.catalog.tables.get(full_name)
    if table is None:
        raise errors.refused(f"Table {wanted} not found")
    if not sink.covers(table.schema, table.name):
        raise errors.refused(f"Table {wanted} not in sink's source configuration")
    return full_name


def _backfill(store: Store, params: dict[str, str], *, missing: errors.ApiError) -> Backfill:
    sink = _sink(store, params)
    for one in store.backfills_of(sink):
        if one.id == params["backfill"]:
            return one
    raise missing


def _show_backfill(store: Store, params: dict[str, str], _body: Body) -> tuple[int, Body]:
    return 200, views.backfill(_backfill(store, params, missing=errors.not_found("backfill")))


def _update_backfill(store: Store, params: dict[str, str], body: Body) -> tuple[int, Body]:
    elsewhere = any(one.id == params["backfill"] for one in store.backfills)
    crash = errors.ApiError(500, {"errors": {"detail": "Internal Server Error"}})
    backfill = _backfill(store, params, missing=crash if elsewhere else errors.not_found("backfill"))
    bodies.check_keys(body, {"state"})
    state = body.get("state", backfill.state)
    if state == backfill.state:
        return 200, views.backfill(backfill)
    allowed = TRANSITIONS.get(backfill.state, ())
    if state not in allowed:
        said = f"Invalid state transition from {backfill.state} to {state}."
        raise errors.invalid({"state": [f"{said} Valid transitions: {', '.join(allowed) or 'none'}"]})
    backfill.change_state(state, store.world.clock.now())
    if state in ("cancelled", "failed", "completed"):
        backfill.pages.clear()
    return 200, views.backfill(backfill)


def _check_database(store: Store, params: dict[str, str]) -> None:
    if params["database"] not in (store.database.id, store.database.name):
        raise errors.not_found("postgres database")


def _list_databases(store: Store, _params: dict[str, str], _body: Body) -> tuple[int, Body]:
    return 200, {"data": [views.database(store)]}


def _show_database(store: Store, params: dict[str, str], _body: Body) -> tuple[int, Body]:
    _check_database(store, params)
    return 200, views.database(store)


def _refresh_tables(store: Store, params: dict[str, str], _body: Body) -> tuple[int, Body]:
    _check_database(store, params)
    try:
        with psycopg.connect(store.dsn, autocommit=True, connect_timeout=5) as connection:
            store.catalog.refresh(connection)
    except psycopg.Error:
        return 422, {"success": False}
    return 200, {"success": True}


def _test_connection(store: Store, params: dict[str, str], _body: Body) -> tuple[int, Body]:
    _check_database(store, params)
    try:
        psycopg.connect(store.dsn, connect_timeout=5).close()
    except psycopg.Error as exc:
        return 422, {"success": False, "reason": str(exc)}
    return 200, {"success": True}


_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/sinks", _list_sinks),
    ("POST", "/sinks", _create_sink),
    ("GET", "/sinks/{sink}", _show_sink),
    ("PATCH", "/sinks/{sink}", _update_sink),
    ("PUT", "/sinks/{sink}", _update_sink),
    ("DELETE", "/sinks/{sink}", _delete_sink),
    ("GET", "/sinks/{sink}/backfills", _list_backfills),
    ("POST", "/sinks/{sink}/backfills", _create_backfill),
    ("GET", "/sinks/{sink}/backfills/{backfill}", _show_backfill),
    ("PATCH", "/sinks/{sink}/backfills/{backfill}", _update_backfill),
    ("PUT", "/sinks/{sink}/backfills/{backfill}", _update_backfill),
    ("GET", "/postgres_databases", _list_databases),
    ("GET", "/postgres_databases/{database}", _show_database),
    ("POST", "/postgres_databases/{database}/refresh_tables", _refresh_tables),
    ("POST", "/postgres_databases/{database}/test_connection", _test_connection),
)
