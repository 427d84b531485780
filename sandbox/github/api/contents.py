"""``contents``: one file read, written or removed, a commit each time."""

import base64

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.github.errors import Refused, not_found
from sandbox.github.hub import Hub
from sandbox.github.repository import BRANCH, FILE_MODE, File, Files, Repository
from sandbox.github.views import Json, Views
from sandbox.github.wire import body_of, needed


class Contents:
    def __init__(self, hub: Hub, views: Views) -> None:
        self._hub = hub
        self._views = views

    async def show(self, request: Request, repository: Repository) -> Response:
        path = _path(request)
        commit = repository.commit(request.query_params.get("ref") or "main")
        files = repository.files(commit)
        if path in files:
            content = repository.blob(files[path].sha)
            if ".raw" in request.headers.get("accept", ""):
                return Response(content, media_type="application/vnd.github.raw+json; charset=utf-8")
            return JSONResponse(self._views.file(repository, path, files[path], content))
        listed = self._listed(repository, path, files, commit)
        if not listed:
            raise not_found()
        return JSONResponse(listed)

    async def put(self, request: Request, repository: Repository) -> Response:
        path, body = _path(request), await body_of(request)
        message = needed(body, "message")[0]
        if not isinstance(body.get("content"), str):
            raise Refused(422, 'Invalid request.\n\n"content" wasn\'t supplied.')
        try:
            content = base64.b64decode("".join(body["content"].split()), validate=True)  # clients may break its lines
        except ValueError:  # binascii.Error is one
            raise Refused(422, "content is not valid Base64") from None
        branch, head, files = self._branch(repository, body)
        there = files.get(path)
        if there and not body.get("sha"):
            raise Refused(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
        if body.get("sha") and (there is None or there.sha != body["sha"]):
            raise Refused(409, f"{path} does not match {body['sha']}")
        made = File(there.mode if there else FILE_MODE, repository.add_blob(content))
        commit = self._commit(repository, branch, head, {**files, path: made}, message)
        shown = self._views.entry(repository, path, made.sha, len(content))
        answer = {"content": shown, "commit": self._views.commit(repository, commit)}
        return JSONResponse(answer, status_code=200 if there else 201)

    async def delete(self, request: Request, repository: Repository) -> Response:
        path, body = _path(request), await body_of(request)
        message, sha = needed({**request.query_params, **body}, "message", "sha")
        branch, head, files = self._branch(repository, {**request.query_params, **body})
        if path not in files:
            raise not_found()
        if files[path].sha != sha:
            raise Refused(409, f"{path} does not match {sha}")
        left = {name: file for name, file in files.items() if name != path}
        commit = self._commit(repository, branch, head, left, message)
        return JSONResponse({"content": None, "commit": self._views.commit(repository, commit)})

    def _branch(self, repository: Repository, body: Json) -> tuple[str, str, Files]:
        branch = str(body.get("branch") or "main")
        head = repository.head(branch)
        if head is None:
            raise Refused(404, f"Branch {branch} not found")
        return branch, head, repository.files(head)

    def _commit(self, repository: Repository, branch: str, head: str, files: Files, message: str) -> str:
        made = repository.add_commit(repository.add_tree(files), [head], message, self._hub.now)
        repository.move(BRANCH + branch, made)
        return made

    def _listed(self, repository: Repository, path: str, files: Files, commit: str) -> list[Json]:
        """A folder, its files and folders."""
        start = f"{path}/" if path else ""
        names = sorted({name[len(start) :].partition("/")[0] for name in files if name.startswith(start)})
        folders = repository.folders(commit)
        shown: list[Json] = []
        for name in (start + name for name in names):
            if name in files:
                size = len(repository.blob(files[name].sha))
                shown.append(self._views.entry(repository, name, files[name].sha, size))
            else:
                shown.append(self._views.entry(repository, name, folders[name], 0, "dir"))
        return shown


def _path(request: Request) -> str:
    path = str(request.path_params["path"]).strip("/")
    if any(part in ("", ".", "..", ".git") for part in path.split("/")) and path:
        raise Refused(422, "path contains a malformed path component")
    return path
