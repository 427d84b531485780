"""What is known of commits: check runs, statuses, how two of them compare."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.github import checks
from sandbox.github.errors import Refused, not_found
from sandbox.github.hub import Hub
from sandbox.github.model import Status
from sandbox.github.repository import Repository
from sandbox.github.views import Views
from sandbox.github.wire import body_of, needed


class Revisions:
    def __init__(self, hub: Hub, views: Views) -> None:
        self._hub = hub
        self._views = views

    async def check_runs(self, request: Request, repository: Repository) -> Response:
        sha = self._known(repository, request.path_params["ref"])
        wanted = request.query_params.get("check_name", checks.NAME)
        runs = self._hub.runs(repository, sha) if wanted == checks.NAME else []
        shown = [self._views.check(repository, run) for run in runs]
        return JSONResponse({"total_count": len(shown), "check_runs": shown})

    async def status(self, request: Request, repository: Repository) -> Response:
        sha = self._known(repository, request.path_params["ref"])
        statuses = self._hub.kept(repository).statuses.get(sha, [])
        return JSONResponse(self._views.combined_status(repository, sha, statuses))

    async def create_status(self, request: Request, repository: Repository) -> Response:
        """As a service outside does it."""
        sha, body = self._known(repository, request.path_params["sha"]), await body_of(request)
        state = needed(body, "state")[0]
        if state not in ("pending", "success", "failure", "error"):
            raise Refused(422, "Validation Failed", [{"resource": "Status", "field": "state", "code": "invalid"}])
        context, said = str(body.get("context") or "default"), str(body.get("description") or "")
        made = Status(context, state, said, self._hub.now)
        self._hub.kept(repository).statuses.setdefault(sha, []).append(made)
        return JSONResponse(self._views.status(made), status_code=201)

    async def compare(self, request: Request, repository: Repository) -> Response:
        base_ref, dots, head_ref = request.path_params["range"].partition("...")
        if not dots:
            raise not_found()
        base, head = self._known(repository, base_ref, 404), self._known(repository, head_ref, 404)
        common = repository.base_of(base, head)
        if common is None:
            raise Refused(404, f"No common ancestor between {base_ref} and {head_ref}.")
        ahead, behind = repository.between(base, head), repository.between(head, base)
        before, after = repository.files(common), repository.files(head)
        status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
        return JSONResponse(
            {
                "status": status.get((bool(ahead), bool(behind)), "diverged"),
                "ahead_by": len(ahead),
                "behind_by": len(behind),
                "total_commits": len(ahead),
                "merge_base_commit": {"sha": common},
                "commits": [self._views.revision(repository, sha) for sha in ahead],
                "files": self._views.changes(repository, before, after),
            }
        )

    async def every(self, request: Request, repository: Repository) -> Response:
        """Commits, the newest first, of a path where one is given."""
        query = request.query_params
        sha, most = self._known(repository, query.get("sha", "main")), int(query.get("per_page", "30"))
        found = repository.history(sha, query.get("path", "").strip("/"), most)
        return JSONResponse([self._views.revision(repository, each) for each in found])

    async def one(self, request: Request, repository: Repository) -> Response:
        """A commit with what it changes beside its first parent."""
        sha = self._known(repository, request.path_params["ref"])
        parents = repository.about(sha).parents
        before = repository.files(parents[0].decode()) if parents else {}
        files = self._views.changes(repository, before, repository.files(sha))
        added, gone = (sum(file[kind] for file in files) for kind in ("additions", "deletions"))
        stats = {"additions": added, "deletions": gone, "total": added + gone}
        return JSONResponse({**self._views.revision(repository, sha), "stats": stats, "files": files})

    async def branches(self, _: Request, repository: Repository) -> Response:
        found = sorted(repository.branches().items())
        return JSONResponse([self._views.branch(repository, name, sha, whole=False) for name, sha in found])

    async def branch(self, request: Request, repository: Repository) -> Response:
        name = request.path_params["branch"]
        sha = repository.head(name)
        if sha is None:
            raise Refused(404, "Branch not found")
        return JSONResponse(self._views.branch(repository, name, sha))

    async def pulls(self, request: Request, repository: Repository) -> Response:
        """The pull requests that brought a commit, or hold it."""
        sha = self._known(repository, request.path_params["ref"])
        kept = self._hub.kept(repository).pulls
        found = [pull for pull in kept if sha in (pull.merge_sha, pull.head_sha)]
        return JSONResponse([self._views.pull(repository, pull, whole=False) for pull in found])

    def _known(self, repository: Repository, ref: str, missing: int = 422) -> str:
        try:
            return repository.commit(ref)
        except Refused:
            raise Refused(missing, f"No commit found for SHA: {ref}") from None
