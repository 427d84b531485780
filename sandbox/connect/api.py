"""Kafka Connect's REST interface over the connectors (facts/systems.md §4.1)."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.connect.connectors import ConnectError, Connectors

Body = dict[str, Any]
Handler = Callable[[Connectors, "Call"], tuple[int, Any]]


class Call:
    """A request as the handlers see it: path parameters, query, parsed body."""

    def __init__(self, request: Request, body: Any) -> None:
        self.path = request.url.path
        self.params: dict[str, Any] = request.path_params
        self.query = request.query_params
        self.body = body

    @property
    def name(self) -> str:
        return str(self.params["name"])


def application(connectors: Connectors) -> Starlette:
    routes = [_route(connectors, method, path, handler) for method, path, handler in _ROUTES]
    return Starlette(routes=routes, exception_handlers={404: _no_route, 405: _no_method})


async def _no_route(_request: Request, _exc: Exception) -> Response:
    return JSONResponse({"error_code": 404, "message": "HTTP 404 Not Found"}, status_code=404)


async def _no_method(_request: Request, _exc: Exception) -> Response:
    return JSONResponse({"error_code": 405, "message": "HTTP 405 Method Not Allowed"}, status_code=405)


def _route(connectors: Connectors, method: str, path: str, handler: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json() if await request.body() else None
        except ValueError:
            return _error(500, "Unrecognized token: the body is not JSON")
        try:
            status, answer = await run_in_threadpool(_run, connectors, method, handler, Call(request, body))
        except ConnectError as exc:
            return _error(exc.status, str(exc))
        return Response(status_code=status) if answer is None else JSONResponse(answer, status_code=status)

    return Route(path, endpoint, methods=[method])


def _run(connectors: Connectors, method: str, handler: Handler, call: Call) -> tuple[int, Any]:
    with connectors.lock:
        if method != "GET":
            connectors.maybe_rebalancing()
        return handler(connectors, call)


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error_code": status, "message": message}, status_code=status)


def _root(_connectors: Connectors, _call: Call) -> tuple[int, Any]:
    return 200, {"version": "4.0.0", "commit": "sandbox", "kafka_cluster_id": "tansu_cluster"}


def _health(_connectors: Connectors, _call: Call) -> tuple[int, Any]:
    return 200, {"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."}


def _list(connectors: Connectors, call: Call) -> tuple[int, Any]:
    expand = call.query.getlist("expand")
    if not expand:
        return 200, list(connectors.all)
    shown: dict[str, Body] = {}
    for name, one in connectors.all.items():
        shown[name] = {}
        if "status" in expand:
            shown[name]["status"] = one.state.status()
        if "info" in expand:
            shown[name]["info"] = one.state.info()
    return 200, shown


def _create(connectors: Connectors, call: Call) -> tuple[int, Any]:
    body = call.body if isinstance(call.body, dict) else {}
    made = connectors.create(str(body.get("name", "")), body.get("config") or {}, body.get("initial_state", "RUNNING"))
    return 201, made.state.info()


def _show(connectors: Connectors, call: Call) -> tuple[int, Any]:
    return 200, connectors.get(call.name).state.info()


def _delete(connectors: Connectors, call: Call) -> tuple[int, Any]:
    connectors.delete(call.name)
    return 204, None


def _config(connectors: Connectors, call: Call) -> tuple[int, Any]:
    return 200, connectors.get(call.name).state.config


def _put_config(connectors: Connectors, call: Call) -> tuple[int, Any]:
    config = call.body if isinstance(call.body, dict) else {}
    if call.name not in connectors.all:
        return 201, connectors.create(call.name, config, "RUNNING").state.info()
    return 200, connectors.configure(call.name, config).state.info()


def _patch_config(connectors: Connectors, call: Call) -> tuple[int, Any]:
    change = call.body if isinstance(call.body, dict) else {}
    merged = {**connectors.get(call.name).state.config, **change}
    config = {key: value for key, value in merged.items() if value is not None}
    return 200, connectors.configure(call.name, config).state.info()


def _status(connectors: Connectors, call: Call) -> tuple[int, Any]:
    if call.name not in connectors.all:
        raise ConnectError(404, f"No status found for connector {call.name}")
    return 200, connectors.get(call.name).state.status()


def _restart(connectors: Connectors, call: Call) -> tuple[int, Any]:
    connector = connectors.get(call.name)
    if call.query.get("includeTasks") != "true":
        connector.restart(tasks=False, only_failed=False)
        return 204, None
    shown = connector.restart(tasks=True, only_failed=call.query.get("onlyFailed") == "true")
    return 202, shown


def _restart_task(connectors: Connectors, call: Call) -> tuple[int, Any]:
    connector = connectors.get(call.name)
    if connector.state.task is None or call.params["task"] != 0:
        raise ConnectError(404, f"Unknown task: {call.name}-{call.params['task']}")
    connector.restart(tasks=True, only_failed=False)
    return 204, None


def _pause(connectors: Connectors, call: Call) -> tuple[int, Any]:
    connectors.get(call.name).pause()
    return 202, None


def _resume(connectors: Connectors, call: Call) -> tuple[int, Any]:
    connectors.get(call.name).resume()
    return 202, None


def _stop(connectors: Connectors, call: Call) -> tuple[int, Any]:
    connectors.get(call.name).halt()
    return 204, None


def _topics(connectors: Connectors, call: Call) -> tuple[int, Any]:
    return 200, {call.name: {"topics": sorted(connectors.get(call.name).state.seen_topics)}}


def _offsets(connectors: Connectors, call: Call) -> tuple[int, Any]:
    committed = connectors.get(call.name).state.committed
    offsets = [
        {
            "partition": {"kafka_topic": topic, "kafka_partition": partition},
            "offset": {"kafka_offset": offset},
        }
        for (topic, partition), offset in sorted(committed.items())
    ]
    return 200, {"offsets": offsets}


_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", _root),
    ("GET", "/health", _health),
    ("GET", "/connectors", _list),
    ("POST", "/connectors", _create),
    ("GET", "/connectors/{name}", _show),
    ("DELETE", "/connectors/{name}", _delete),
    ("GET", "/connectors/{name}/config", _config),
    ("PUT", "/connectors/{name}/config", _put_config),
    ("PATCH", "/connectors/{name}/config", _patch_config),
    ("GET", "/connectors/{name}/status", _status),
    ("POST", "/connectors/{name}/restart", _restart),
    ("POST", "/connectors/{name}/tasks/{task:int}/restart", _restart_task),
    ("PUT", "/connectors/{name}/pause", _pause),
    ("PUT", "/connectors/{name}/resume", _resume),
    ("PUT", "/connectors/{name}/stop", _stop),
    ("GET", "/connectors/{name}/topics", _topics),
    ("GET", "/connectors/{name}/offsets", _offsets),
)
