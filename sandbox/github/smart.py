"""``git clone`` and ``git push`` over HTTP, by dulwich's server, in a thread of its own."""

import asyncio
import io
from collections.abc import Callable, Iterable
from typing import Any, cast

from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.github.access import Access
from sandbox.github.hub import Hub
from sandbox.github.repository import Repository

_REALM = {"WWW-Authenticate": 'Basic realm="GitHub"'}


def routes(hub: Hub, access: Access) -> list[BaseRoute]:
    pushing = asyncio.Lock()  # one at a time: a push checks the old head and then writes the new one

    async def serve(request: Request) -> Response:
        name = str(request.path_params["repo"]).removesuffix(".git")
        repository = hub.repositories.get(f"{request.path_params['owner']}/{name}")
        if not access.may_git(request.headers.get("authorization", "")):
            return Response("Invalid username or token.", status_code=401, headers=_REALM)
        if repository is None:
            return Response("Repository not found.", status_code=404)
        body = await request.body()
        async with pushing:
            response = await asyncio.to_thread(_answer, repository, request, body)
        hub.catch_up(repository)
        return response

    made: list[BaseRoute] = [Route("/{owner}/{repo}/info/refs", serve, methods=["GET"])]
    for service in ("git-upload-pack", "git-receive-pack"):
        made.append(Route(f"/{{owner}}/{{repo}}/{service}", serve, methods=["POST"]))
    return made


def _answer(repository: Repository, request: Request, body: bytes) -> Response:
    """What dulwich's WSGI application says. It has the repository to itself: another thread uses the other one."""
    status: list[tuple[str, list[tuple[str, str]]]] = []
    written = io.BytesIO()

    def start(said: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        status.append((said, headers))
        return written.write

    with Repo(str(repository.folder)) as git:
        backend = DictBackend(cast(Any, {f"/{repository.full_name}": git}))
        application = make_wsgi_chain(backend)
        for part in cast(Iterable[bytes], application(_environ(repository, request, body), start)):
            written.write(part)
    said, headers = status[0]
    return Response(written.getvalue(), status_code=int(said.split(" ", 1)[0]), headers=dict(headers))


def _environ(repository: Repository, request: Request, body: bytes) -> dict[str, Any]:
    """The body is whole: its length is known, however it was sent."""
    return {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": f"/{repository.full_name}/{request.url.path.split('/', 3)[3]}",
        "QUERY_STRING": request.url.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    }
