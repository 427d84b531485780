"""The Git Data API: refs, blobs, trees, commits. Objects are seen by nobody until a ref names them."""

import base64
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.github.errors import Refused, invalid, not_found
from sandbox.github.hub import Hub
from sandbox.github.repository import File, Files, Repository
from sandbox.github.views import Json, Views
from sandbox.github.wire import body_of, needed

# What git itself forbids in names of refs.
_ODD = re.compile(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|@\{|//|/\.|\.lock(/|$)|\.$|/$")


class GitData:
    def __init__(self, hub: Hub, views: Views) -> None:
        self._hub = hub
        self._views = views

    async def ref(self, request: Request, repository: Repository) -> Response:
        name = _ref(request)
        sha = repository.ref(name)
        if sha is None:
            raise not_found()
        return JSONResponse(self._views.ref(repository, name, sha))

    async def matching_refs(self, request: Request, repository: Repository) -> Response:
        """All whose names begin so; none is no error."""
        heads = {f"refs/heads/{branch}": sha for branch, sha in sorted(repository.branches().items())}
        return JSONResponse(
            [self._views.ref(repository, name, sha) for name, sha in heads.items() if name.startswith(_ref(request))]
        )

    async def create_ref(self, request: Request, repository: Repository) -> Response:
        name, sha = needed(await body_of(request), "ref", "sha")
        if not name.startswith("refs/") or name.count("/") < 2 or _ODD.search(name):
            raise Refused(422, f"{name} is not a valid ref name.")
        if repository.ref(name):
            raise Refused(422, "Reference already exists")
        if any(f"refs/heads/{other}".startswith(f"{name}/") or name.startswith(f"refs/heads/{other}/")
               for other in repository.branches()):  # fmt: skip
            raise Refused(422, "Reference cannot be created: a ref above or below it exists")
        self._commit_there(repository, sha)
        repository.move(name, sha)
        return JSONResponse(self._views.ref(repository, name, sha), status_code=201)

    async def move_ref(self, request: Request, repository: Repository) -> Response:
        name, body = _ref(request), await body_of(request)
        sha = needed(body, "sha")[0]
        there = repository.ref(name)
        if there is None:
            raise Refused(422, "Reference does not exist")
        self._commit_there(repository, sha)
        if not body.get("force") and not repository.follows(there, sha):
            raise Refused(422, "Update is not a fast forward")
        repository.move(name, sha)
        return JSONResponse(self._views.ref(repository, name, sha))

    async def delete_ref(self, request: Request, repository: Repository) -> Response:
        name = _ref(request)
        if repository.ref(name) is None:
            raise Refused(422, "Reference does not exist")
        repository.move(name, None)
        return Response(status_code=204)

    async def blob(self, request: Request, repository: Repository) -> Response:
        sha = request.path_params["sha"]
        try:
            content = repository.blob(sha)
        except (KeyError, ValueError, AssertionError):
            raise not_found() from None
        if ".raw" in request.headers.get("accept", ""):
            return Response(content, media_type="application/vnd.github.raw+json; charset=utf-8")
        text = base64.encodebytes(content).decode()
        return JSONResponse({"sha": sha, "size": len(content), "encoding": "base64", "content": text})

    async def create_blob(self, request: Request, repository: Repository) -> Response:
        body = await body_of(request)
        content = body.get("content")
        if not isinstance(content, str):
            raise Refused(422, 'Invalid request.\n\n"content" wasn\'t supplied.')
        try:
            coded = body.get("encoding") == "base64"
            made = base64.b64decode("".join(content.split()), validate=True) if coded else content.encode()
        except ValueError:  # binascii.Error is one
            raise Refused(422, "content is not valid Base64") from None
        return JSONResponse({"sha": repository.add_blob(made)}, status_code=201)

    async def tree(self, request: Request, repository: Repository) -> Response:
        asked = request.path_params["sha"]
        sha = asked if len(asked) == 40 and repository.kind(asked) == "tree" else repository.commit(asked)
        recursive = "recursive" in request.query_params
        files, folders = repository.files(sha), repository.folders(sha)
        entries: list[Json] = [
            {"path": path, "mode": "040000", "type": "tree", "sha": folder} for path, folder in folders.items()
        ]
        for path, file in files.items():
            size = len(repository.blob(file.sha))
            entries.append({"path": path, "mode": f"{file.mode:06o}", "type": "blob", "sha": file.sha, "size": size})
        shown = sorted((e for e in entries if recursive or "/" not in e["path"]), key=lambda e: e["path"])
        return JSONResponse({"sha": repository.tree(sha), "tree": shown, "truncated": False})

    async def create_tree(self, request: Request, repository: Repository) -> Response:
        body = await body_of(request)
        files: Files = {}
        if base := body.get("base_tree"):
            if repository.kind(str(base)) not in ("tree", "commit"):
                raise Refused(422, "base_tree is not a valid tree oid")
            files = repository.files(str(base))
        for entry in body.get("tree") or []:
            self._place(repository, files, entry)
        if not files:
            raise Refused(422, "Invalid tree info")
        made = repository.add_tree(files)
        return JSONResponse({"sha": made, "truncated": False}, status_code=201)

    def _place(self, repository: Repository, files: Files, entry: Any) -> None:
        path = str(entry.get("path") or "")
        if not path or any(part in ("", ".", "..", ".git") for part in path.split("/")):
            raise Refused(422, "tree.path contains a malformed path component")
        if "content" in entry:
            sha = repository.add_blob(str(entry["content"]).encode())
        elif entry.get("sha") is None:
            if files.pop(path, None) is None:
                raise Refused(422, "GitRPC::BadObjectState")
            return
        else:
            sha = str(entry["sha"])
            if repository.kind(sha) != "blob":
                raise Refused(422, f"tree.sha {sha} is not a valid blob")
        files[path] = File(int(str(entry.get("mode") or "100644"), 8), sha)

    async def commit(self, request: Request, repository: Repository) -> Response:
        sha = request.path_params["sha"]
        if repository.kind(sha) != "commit":
            raise not_found()
        return JSONResponse(self._views.commit(repository, sha))

    async def create_commit(self, request: Request, repository: Repository) -> Response:
        body = await body_of(request)
        message, tree = needed(body, "message", "tree")
        if repository.kind(tree) != "tree":
            raise Refused(422, "Tree SHA does not exist")
        parents = [str(parent) for parent in body.get("parents") or []]
        if any(repository.kind(parent) != "commit" for parent in parents):
            raise Refused(422, "Parent SHA does not exist or is not a commit object")
        made = repository.add_commit(tree, parents, message, self._hub.now)
        return JSONResponse(self._views.commit(repository, made), status_code=201)

    def _commit_there(self, repository: Repository, sha: str) -> None:
        if len(sha) != 40:
            raise invalid("Reference", "sha", message="sha is not a valid SHA")
        if repository.kind(sha) != "commit":
            raise Refused(422, "Object does not exist")


def _ref(request: Request) -> str:
    return f"refs/{request.path_params['ref']}"
