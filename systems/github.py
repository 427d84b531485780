"""GitHub: branches, files, pull requests and their checks (facts/systems.md §6).

``merge_commit_sha`` and ``assignee`` are not read: the API of 2026-03-10 has them no more.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from systems.errors import SystemsError
from systems.github_app import AppToken
from systems.github_model import CheckRun, Checks, FileAt, PullInfo, RepositoryInfo, StatusInfo
from systems.http import Http, Manner, Wire
from systems.permit import Permit
from systems.shapes import Shape

SYSTEM = "github"
RAW = "application/vnd.github.raw+json"
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_PAGE = 100
# Somebody wrote between looking and writing: only a new look knows what to do now.
_CONFLICT = frozenset({409})
_RENEWED = frozenset({401})
_READ_AGAIN = frozenset({429, 502, 503, 504})


class GitHub:
    """One GitHub: ``https://api.github.com``, or ``https://HOST/api/v3`` of an Enterprise one. ``token`` is a person's
    or an App's (``AppToken``)."""

    def __init__(self, url: str, token: str | Callable[[], str], permit: Permit, *, wire: Wire | None = None) -> None:
        renewed = _RENEWED if isinstance(token, AppToken) else frozenset[int]()
        manner = Manner(said=_said, later=_CONFLICT | renewed, again=_READ_AGAIN | renewed, headers=_HEADERS)
        self._http = Http(SYSTEM, url, token, permit, manner=manner, wire=wire)

    def permitted(self, permit: Permit) -> "GitHub":
        other = object.__new__(GitHub)
        other._http = self._http.permitted(permit)
        return other

    def close(self) -> None:
        self._http.close()

    def repository(self, name: str) -> "Repository":
        """``acme/platform``."""
        return Repository(self._http, name)


class Repository:
    """One repository. Every method raises ``SystemsError``; those that change something ask the permit first, and
    what changes something that others see is one call."""

    def __init__(self, http: Http, name: str) -> None:
        self._http = http
        self.name = name
        self._path = f"/repos/{quote(name, safe='/')}"

    def info(self) -> RepositoryInfo:
        """404 where there is none and where the token may not see it."""
        shape = self._get("")
        return RepositoryInfo(str(shape.need("full_name")), str(shape.need("default_branch")))

    def head(self, branch: str) -> str | None:
        """The sha that a branch is at; None if there is no such branch."""
        shape = self._found(f"/git/ref/heads/{_inside(branch)}")
        return str(shape.inside("object").need("sha")) if shape else None

    def file(self, path: str, ref: str) -> FileAt | None:
        """A file as it is at a branch or a commit; None if there is none."""
        shape = self._found(f"/contents/{_inside(path)}", {"ref": ref})
        if shape is None:
            return None
        sha = str(shape.need("sha"))
        if shape.text("encoding") == "base64":
            content = base64.b64decode(shape.text("content"))
        else:  # above 1 MB the content is left out; by its sha it is the same one, whoever writes meanwhile
            content = self._http.fetch(f"{self._path}/git/blobs/{_inside(sha)}", accept=RAW)
        return FileAt(path, content, sha, ref)

    def tree(self, ref: str, folder: str = "") -> dict[str, str]:
        """Path → blob's sha of all files below a folder, at a branch or a commit."""
        shape = self._get(f"/git/trees/{_inside(ref)}", {"recursive": "1"})
        if shape.get("truncated"):
            said = f"{self.name} has more files than GitHub lists at once"
            raise SystemsError(SYSTEM, f"GET {self._path}/git/trees", said=said)
        start = f"{folder.strip('/')}/" if folder.strip("/") else ""
        entries = [entry for entry in shape.each("tree") if entry.text("type") == "blob"]
        return {e.text("path"): e.text("sha") for e in entries if e.text("path").startswith(start)}

    def create_branch(self, branch: str, sha: str) -> None:
        """422 if it is there: ``is_known_branch``."""
        self._change("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": sha})

    def move_branch(self, branch: str, sha: str) -> None:
        """To a commit that follows the one it is at; 422 for any other."""
        self._change("PATCH", f"/git/refs/heads/{_inside(branch)}", {"sha": sha, "force": False})

    def delete_branch(self, branch: str) -> None:
        """422 if it is gone."""
        self._change("DELETE", f"/git/refs/heads/{_inside(branch)}")

    def put_file(self, branch: str, path: str, content: bytes, message: str, *, seen: FileAt | None) -> str:
        """Write one file, over ``seen`` or (None) where there was none; the commit's sha. 409 if it is another one
        by now, 422 if it has come to be."""
        body = {"message": message, "content": base64.b64encode(content).decode(), "branch": branch}
        body = {**body, "sha": seen.sha} if seen else body
        return str(self._change("PUT", f"/contents/{_inside(path)}", body).inside("commit").need("sha"))

    def commit_files(self, branch: str, base: str, files: Mapping[str, bytes | None], message: str) -> str:
        """Several files as one commit on ``base``, None for one that goes; the commit's sha.

        The branch is made, or moved from ``base`` to it. That last call is the one effect: blobs, trees and commits
        are seen by nobody until a ref names them, and what is left of an attempt that died before is collected by
        GitHub. If the branch has moved meanwhile, the last call is refused with 422 and nothing has changed.
        """
        entries = [self._entry(path, content) for path, content in files.items()]
        tree = self._get(f"/git/commits/{_inside(base)}").inside("tree").need("sha")
        made = self._change("POST", "/git/trees", {"base_tree": tree, "tree": entries}).need("sha")
        body = {"message": message, "tree": made, "parents": [base]}
        commit = str(self._change("POST", "/git/commits", body).need("sha"))
        if self.head(branch) is None:
            self.create_branch(branch, commit)
        else:
            self.move_branch(branch, commit)
        return commit

    def open_pull(self, branch: str, base: str, title: str, body: str) -> PullInfo:
        """422 if the branch has one or holds nothing new: ``is_open_pull``."""
        asked = {"title": title, "head": branch, "base": base, "body": body, "draft": False}
        return _pull(self._change("POST", "/pulls", asked))

    def pull(self, number: int) -> PullInfo:
        return _pull(self._get(f"/pulls/{number}"))

    def pull_of(self, branch: str, base: str) -> PullInfo | None:
        """The newest pull request of a branch, open or not; None without one. Asked for once more by its number, as
        lists do not say whether it can be merged."""
        owner = self.name.partition("/")[0]
        asked = {"head": f"{owner}:{branch}", "base": base, "state": "all", "sort": "created", "direction": "desc"}
        listed = self._listed("/pulls", asked)
        # GitHub ignores a head that it does not understand and lists every pull request
        mine = [found for found in listed if found.inside("head").text("ref") == branch]
        return self.pull(int(mine[0].need("number"))) if mine else None

    def open_pulls(self, base: str) -> tuple[PullInfo, ...]:
        """The pull requests that wait for ``base`` to take them, the oldest first; the first hundred. Lists do not say
        whether one can be merged."""
        asked = {"base": base, "state": "open", "sort": "created", "direction": "asc", "per_page": str(_PAGE)}
        return tuple(_pull(each) for each in self._listed("/pulls", asked))

    def checks(self, sha: str) -> Checks:
        """What ran on a commit: ask for the sha that was pushed, never for a branch. See ``verdict``."""
        runs: list[CheckRun] = []
        page = 1
        while True:
            asked = {"per_page": str(_PAGE), "filter": "latest", "page": str(page)}
            shape = self._get(f"/commits/{_inside(sha)}/check-runs", asked)
            found = shape.each("check_runs")
            runs += [_run(run) for run in found]
            if not found or len(runs) >= (shape.number("total_count") or 0):
                break
            page += 1
        # its ``state`` is "pending" where there is none at all, so each one is looked at
        combined = self._get(f"/commits/{_inside(sha)}/status", {"per_page": str(_PAGE)})
        statuses = tuple(StatusInfo(s.text("context"), s.text("state")) for s in combined.each("statuses"))
        return Checks(tuple(runs), statuses)

    def last_commit(self, branch: str, folder: str) -> str | None:
        """The newest commit of a branch, or at a sha, that touches something below a folder."""
        found = self._listed("/commits", {"sha": branch, "path": folder, "per_page": "1"})
        return str(found[0].need("sha")) if found else None

    def pulls_with(self, sha: str) -> tuple[PullInfo, ...]:
        """The pull requests that brought a commit, the newest first."""
        found = self._listed(f"/commits/{_inside(sha)}/pulls")
        return tuple(sorted((_pull(each) for each in found), key=lambda pull: -pull.number))

    def merge(self, number: int, sha: str, method: str) -> str:
        """Merge (``squash``, ``merge``, ``rebase``) if the head is still ``sha``; the base's new sha. 405
        ``is_unmergeable``, 409 ``is_moved``."""
        answer = self._change("PUT", f"/pulls/{number}/merge", {"sha": sha, "merge_method": method})
        return str(answer.need("sha"))

    def close_pull(self, number: int) -> None:
        self._change("PATCH", f"/pulls/{number}", {"state": "closed"})

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """To a pull request, which GitHub numbers among the issues; those that it has stay, and one that the
        repository does not know yet is made."""
        self._http.change("POST", f"{self._path}/issues/{number}/labels", body={"labels": list(labels)})

    def comment(self, number: int, text: str) -> None:
        """On a pull request."""
        self._change("POST", f"/issues/{number}/comments", {"body": text})

    def _entry(self, path: str, content: bytes | None) -> dict[str, Any]:
        """One line of a new tree. Text is in it; other bytes need a blob of their own."""
        entry: dict[str, Any] = {"path": path, "mode": "100644", "type": "blob"}
        if content is None:
            return {**entry, "sha": None}
        try:
            return {**entry, "content": content.decode()}
        except UnicodeDecodeError:
            body = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
            return {**entry, "sha": self._change("POST", "/git/blobs", body).need("sha")}

    def _listed(self, path: str, params: Mapping[str, str] | None = None) -> Sequence[Shape]:
        """Each of a list, which GitHub answers without anything around it."""
        whole = f"{self._path}{path}"
        return Shape(SYSTEM, f"GET {whole}", {"listed": self._http.get(whole, params)}).each("listed")

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Shape:
        whole = f"{self._path}{path}"
        return Shape(SYSTEM, f"GET {whole}", self._http.get(whole, params))

    def _found(self, path: str, params: Mapping[str, str] | None = None) -> Shape | None:
        """None for what is not there. A 404 can also mean that the token may not see the repository: ``info`` raises
        then."""
        try:
            return self._get(path, params)
        except SystemsError as error:
            if error.status != 404:
                raise
        self.info()
        return None

    def _change(self, method: str, path: str, body: Any = None) -> Shape:
        whole = f"{self._path}{path}"
        return Shape(SYSTEM, f"{method} {whole}", self._http.change(method, whole, body=body) or {})


def _inside(name: str) -> str:
    """A path or a branch as part of a path: its slashes stay."""
    return quote(name, safe="/")


def _pull(shape: Shape) -> PullInfo:
    head, mergeable = shape.inside("head"), shape.get("mergeable")
    return PullInfo(
        number=int(shape.need("number")),
        url=shape.text("html_url"),
        state=str(shape.need("state")),
        merged=bool(shape.get("merged") or shape.get("merged_at")),
        title=shape.text("title"),
        head=head.text("ref"),
        head_sha=str(head.need("sha")),
        base=shape.inside("base").text("ref"),
        mergeable=None if mergeable is None else bool(mergeable),
        mergeable_state=shape.text("mergeable_state", "unknown"),
        labels=tuple(label.text("name") for label in shape.each("labels")),
        merged_by=shape.inside("merged_by").text("login"),
    )


def _run(shape: Shape) -> CheckRun:
    return CheckRun(shape.text("name"), shape.text("status"), shape.text("conclusion"), shape.text("html_url"))


def _said(body: Any) -> str:
    """``message``, and what the errors say beside it."""
    if not isinstance(body, dict):
        return ""
    fields = cast(dict[str, Any], body)
    errors = cast(list[Any], fields.get("errors") or []) if isinstance(fields.get("errors"), list) else []
    told = [_told(error) for error in errors]
    return ": ".join(part for part in (str(fields.get("message") or ""), "; ".join(t for t in told if t)) if part)


def _told(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    fields = cast(dict[str, Any], error)
    return str(fields.get("message") or " ".join(str(fields[k]) for k in ("field", "code") if fields.get(k)))
