"""The paths of GitHub's REST API that a client of branches, files and pull requests uses (facts/systems.md §6)."""

from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.github.access import Access
from sandbox.github.api.contents import Contents
from sandbox.github.api.gitdata import GitData
from sandbox.github.api.pulls import Pulls
from sandbox.github.api.revisions import Revisions
from sandbox.github.errors import not_found
from sandbox.github.hub import Hub
from sandbox.github.repository import Repository
from sandbox.github.views import Views
from sandbox.github.wire import Window, answered, body_of

ENTERPRISE = "/api/v3"  # the same API below this path, as GitHub Enterprise has it
InRepository = Callable[[Request, Repository], Awaitable[Response]]


def routes(hub: Hub, access: Access, views: Views) -> list[BaseRoute]:
    window = Window()

    async def installation_token(request: Request) -> Response:
        authorization = request.headers.get("authorization", "")
        made = access.installation_token(authorization, request.path_params["id"], await body_of(request))
        return JSONResponse(made, status_code=201)

    async def repository(request: Request, found: Repository) -> Response:
        writes = access.grant(request.headers.get("authorization", "")).writes
        return JSONResponse(views.repository(found, writes=writes))

    def inside(handler: InRepository, *, reads: bool) -> Callable[[Request], Awaitable[Response]]:
        """In a repository, for those who may, after what was pushed has been noticed."""

        async def endpoint(request: Request) -> Response:
            access.allow(request.headers.get("authorization", ""), write=not reads)
            found = hub.repository(request.path_params["owner"], request.path_params["repo"])
            hub.catch_up(found)
            try:
                return await handler(request, found)
            finally:
                hub.catch_up(found)

        return answered(endpoint, window)

    async def limits(_: Request) -> Response:
        return JSONResponse(window.left())

    async def nothing(_: Request) -> Response:
        raise not_found()

    known = (("GET", "", repository), *_paths(hub, views))
    made: list[BaseRoute] = []
    for root in ("", ENTERPRISE):
        tokens = f"{root}/app/installations/{{id}}/access_tokens"
        made.append(Route(tokens, answered(installation_token, window), methods=["POST"]))
        made.append(Route(f"{root}/rate_limit", answered(limits, window), methods=["GET"]))
        for method, path, handler in known:
            whole = f"{root}/repos/{{owner}}/{{repo}}{path}"
            made.append(Route(whole, inside(handler, reads=method == "GET"), methods=[method]))
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        made.append(Route(f"{root}/repos/{{rest:path}}", answered(nothing, window), methods=every))
    return made


def _paths(hub: Hub, views: Views) -> Iterable[tuple[str, str, InRepository]]:
    """Below ``/repos/{owner}/{repo}``."""
    contents, data = Contents(hub, views), GitData(hub, views)
    pulls, revisions = Pulls(hub, views), Revisions(hub, views)
    return (
        ("GET", "/branches", revisions.branches),
        ("GET", "/branches/{branch:path}", revisions.branch),
        ("GET", "/contents/{path:path}", contents.show),
        ("PUT", "/contents/{path:path}", contents.put),
        ("DELETE", "/contents/{path:path}", contents.delete),
        ("GET", "/git/ref/{ref:path}", data.ref),
        ("GET", "/git/matching-refs/{ref:path}", data.matching_refs),
        ("POST", "/git/refs", data.create_ref),
        ("PATCH", "/git/refs/{ref:path}", data.move_ref),
        ("DELETE", "/git/refs/{ref:path}", data.delete_ref),
        ("GET", "/git/blobs/{sha}", data.blob),
        ("POST", "/git/blobs", data.create_blob),
        ("GET", "/git/trees/{sha:path}", data.tree),
        ("POST", "/git/trees", data.create_tree),
        ("GET", "/git/commits/{sha}", data.commit),
        ("POST", "/git/commits", data.create_commit),
        ("GET", "/commits", revisions.every),
        ("GET", "/commits/{ref:path}/pulls", revisions.pulls),
        ("GET", "/commits/{ref:path}/check-runs", revisions.check_runs),
        ("GET", "/commits/{ref:path}/status", revisions.status),
        ("GET", "/commits/{ref:path}", revisions.one),
        ("POST", "/statuses/{sha}", revisions.create_status),
        ("GET", "/compare/{range:path}", revisions.compare),
        ("GET", "/pulls", pulls.every),
        ("POST", "/pulls", pulls.create),
        ("GET", "/pulls/{number:int}", pulls.show),
        ("PATCH", "/pulls/{number:int}", pulls.update),
        ("PUT", "/pulls/{number:int}/merge", pulls.merge),
        ("GET", "/pulls/{number:int}/files", pulls.files),
        ("GET", "/pulls/{number:int}/commits", pulls.commits),
        ("POST", "/issues/{number:int}/comments", pulls.comment),
        ("GET", "/issues/{number:int}/comments", pulls.comments),
        ("POST", "/issues/{number:int}/labels", pulls.label),
        ("GET", "/issues/{number:int}/labels", pulls.labels),
    )
