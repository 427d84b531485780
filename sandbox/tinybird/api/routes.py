"""Which path is answered by which handler."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.tinybird.api import datasources, events, jobs, pipes, sinks, sql, tokens, workspaces
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.platform import Platform

Handler = Callable[[Platform, Request], Awaitable[Response]]

_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/v0/events", events.events),
    ("GET", "/v0/sql", sql.sql),
    ("POST", "/v0/sql", sql.sql),
    ("POST", "/v0/sql_tables", sql.sql_tables),
    ("GET", "/v0/sql_format", sql.sql_format),
    ("GET", "/v0/datasources", datasources.list_all),
    ("POST", "/v0/datasources", datasources.post),
    ("POST", "/v0/datasources/exchange", datasources.exchange),
    ("GET", "/v0/datasources/{name}", datasources.get),
    ("PUT", "/v0/datasources/{name}", datasources.put),
    ("DELETE", "/v0/datasources/{name}", datasources.delete),
    ("POST", "/v0/datasources/{name}/{action}", datasources.action),
    ("GET", "/v0/dependencies", datasources.dependencies),
    ("GET", "/v0/pipes", pipes.list_all),
    ("POST", "/v0/pipes", pipes.post),
    ("GET", "/v1/pipes/{file}", pipes.datafile),
    ("GET", "/v0/pipes/{file}", pipes.get),
    ("POST", "/v0/pipes/{file}", sql.endpoint),
    ("PUT", "/v0/pipes/{file}", pipes.put),
    ("DELETE", "/v0/pipes/{file}", pipes.delete),
    ("POST", "/v0/pipes/{file}/nodes", pipes.add_node),
    ("PUT", "/v0/pipes/{file}/nodes/{node}", pipes.one_node),
    ("DELETE", "/v0/pipes/{file}/nodes/{node}", pipes.one_node),
    ("POST", "/v0/pipes/{file}/nodes/{node}/endpoint", pipes.endpoint),
    ("DELETE", "/v0/pipes/{file}/nodes/{node}/endpoint", pipes.endpoint),
    ("POST", "/v0/pipes/{file}/nodes/{node}/copy", pipes.copy_node),
    ("PUT", "/v0/pipes/{file}/nodes/{node}/copy", pipes.copy_node),
    ("DELETE", "/v0/pipes/{file}/nodes/{node}/copy", pipes.copy_node),
    ("POST", "/v0/pipes/{file}/nodes/{node}/sink", sinks.node),
    ("DELETE", "/v0/pipes/{file}/nodes/{node}/sink", sinks.node),
    ("DELETE", "/v0/pipes/{file}/nodes/{node}/materialization", pipes.unlink),
    ("POST", "/v0/pipes/{file}/nodes/{node}/population", pipes.populate),
    ("POST", "/v0/pipes/{file}/copy", pipes.run_copy),
    ("POST", "/v0/pipes/{file}/copy/{action}", pipes.pause_copy),
    ("POST", "/v0/pipes/{file}/sink", sinks.run),
    ("POST", "/v0/pipes/{file}/sink/{action}", sinks.pause),
    ("GET", "/v0/jobs", jobs.list_jobs),
    ("GET", "/v0/jobs/{job}", jobs.one_job),
    ("POST", "/v0/jobs/{job}/cancel", jobs.cancel_job),
    ("GET", "/v0/tokens", tokens.list_all),
    ("POST", "/v0/tokens", tokens.post),
    ("GET", "/v0/tokens/{token}", tokens.get),
    ("PUT", "/v0/tokens/{token}", tokens.put),
    ("DELETE", "/v0/tokens/{token}", tokens.delete),
    ("POST", "/v0/tokens/{token}/refresh", tokens.refresh),
    ("GET", "/v0/workspace", workspaces.workspace),
    ("GET", "/v0/user/workspaces/", workspaces.user_workspaces),
    ("GET", "/v0/tags", workspaces.tags),
    ("POST", "/v0/tags", workspaces.tags),
    ("PUT", "/v0/tags/{tag}", workspaces.one_tag),
    ("DELETE", "/v0/tags/{tag}", workspaces.one_tag),
    ("GET", "/v0/connectors", workspaces.connectors),
    ("POST", "/v0/analyze", workspaces.analyze),
]


def application(platform: Platform, control: Sequence[Route]) -> Starlette:
    """The API, with the sandbox's own routes beside it."""

    async def refused(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, ApiError)
        return JSONResponse({"error": exc.text, **exc.more}, exc.status, exc.headers)

    async def unknown(_: Request, exc: Exception) -> Response:
        return JSONResponse({"error": "Not found"}, 404)

    async def not_so(_: Request, exc: Exception) -> Response:
        return JSONResponse({"error": "Method not allowed"}, 405)

    routes = [Route(path, _bound(platform, handler), methods=[method]) for method, path, handler in _ROUTES]
    return Starlette(routes=[*control, *routes], exception_handlers={ApiError: refused, 404: unknown, 405: not_so})


def _bound(platform: Platform, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await handler(platform, request)

    return answer
