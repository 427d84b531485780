"""Pull requests and their comments."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.github.errors import Refused, invalid
from sandbox.github.hub import Hub
from sandbox.github.model import Pull
from sandbox.github.repository import Repository
from sandbox.github.views import LOGIN, Views
from sandbox.github.wire import body_of, needed, parsed

PAGE = 30


class Pulls:
    def __init__(self, hub: Hub, views: Views) -> None:
        self._hub = hub
        self._views = views

    async def every(self, request: Request, repository: Repository) -> Response:
        """Newest first; open ones unless ``state`` says otherwise."""
        query = request.query_params
        state, head, base = query.get("state", "open"), query.get("head", ""), query.get("base", "")
        if state not in ("open", "closed", "all"):
            raise invalid("PullRequest", "state")
        found = [
            pull
            for pull in reversed(self._hub.kept(repository).pulls)
            if state in ("all", "open" if pull.open else "closed")
            # a head that names no owner is ignored, as GitHub ignores it
            and (":" not in head or f"{repository.owner}:{pull.head}" == head)
            and base in ("", pull.base)
        ]
        size, page = min(_number(query.get("per_page"), PAGE), 100), _number(query.get("page"), 1)
        shown = found[(page - 1) * size : page * size]
        return JSONResponse([self._views.pull(repository, pull, whole=False) for pull in shown])

    async def create(self, request: Request, repository: Repository) -> Response:
        body = await body_of(request)
        title, head, base = needed(body, "title", "head", "base")
        text = str(body.get("body") or "")
        made = self._hub.open(repository, title, head, base, text, bool(body.get("draft")))
        return JSONResponse(self._views.pull(repository, made), status_code=201)

    async def show(self, request: Request, repository: Repository) -> Response:
        return JSONResponse(self._views.pull(repository, self._pull(request, repository)))

    async def update(self, request: Request, repository: Repository) -> Response:
        pull, body = self._pull(request, repository), await body_of(request)
        state = body.get("state")
        if state not in (None, "open", "closed"):
            raise invalid("PullRequest", "state")
        pull.title = str(body.get("title") or pull.title)
        pull.body = pull.body if body.get("body") is None else str(body["body"])
        if state == "closed" and pull.open:
            self._hub.close(pull)
        elif state == "open" and not pull.open:
            self._hub.reopen(repository, pull)
        return JSONResponse(self._views.pull(repository, pull))

    async def merge(self, request: Request, repository: Repository) -> Response:
        pull, body = self._pull(request, repository), await body_of(request)
        sha, title = str(body.get("sha") or ""), str(body.get("commit_title") or "")
        method = str(body.get("merge_method") or "merge")
        if method not in ("merge", "squash", "rebase"):
            raise Refused(422, f'Invalid request.\n\n{method} is not a member of ["merge", "squash", "rebase"].')
        made = self._hub.merge(repository, pull, sha=sha, method=method, title=title, by=LOGIN)
        return JSONResponse({"sha": made, "merged": True, "message": "Pull Request successfully merged"})

    async def files(self, request: Request, repository: Repository) -> Response:
        pull = self._pull(request, repository)
        sides = self._hub.sides(repository, pull.base_sha, pull.head_sha)
        return JSONResponse(self._views.changes(repository, *sides))

    async def commits(self, request: Request, repository: Repository) -> Response:
        """Oldest first."""
        pull = self._pull(request, repository)
        found = repository.between(pull.base_sha, pull.head_sha)
        return JSONResponse([self._views.revision(repository, sha) for sha in found])

    async def comment(self, request: Request, repository: Repository) -> Response:
        pull = self._pull(request, repository)
        made = self._hub.comment(pull, needed(await body_of(request), "body")[0])
        return JSONResponse(self._views.comment(repository, pull, made), status_code=201)

    async def comments(self, request: Request, repository: Repository) -> Response:
        pull = self._pull(request, repository)
        return JSONResponse([self._views.comment(repository, pull, comment) for comment in pull.comments])

    async def label(self, request: Request, repository: Repository) -> Response:
        """One that the repository does not know is made. The names come in an object, or by themselves."""
        pull, body = self._pull(request, repository), await parsed(request)
        labels = body.get("labels") if isinstance(body, dict) else body
        if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
            raise invalid("Label", "name")
        self._hub.label(repository, pull, labels)
        return JSONResponse(self._views.labels(pull))

    async def labels(self, request: Request, repository: Repository) -> Response:
        return JSONResponse(self._views.labels(self._pull(request, repository)))

    def _pull(self, request: Request, repository: Repository) -> Pull:
        return self._hub.pull(repository, int(request.path_params["number"]))


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() and int(text) else default
