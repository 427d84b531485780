"""What the API shows: files, commits, pull requests, checks, as JSON."""

import base64
import time
from collections.abc import Sequence
from difflib import unified_diff
from typing import Any

from sandbox.github.checks import NAME, Seen
from sandbox.github.hub import Hub
from sandbox.github.model import Comment, Pull, Status
from sandbox.github.repository import File, Files, Repository, changed

Json = dict[str, Any]
LARGE = 1_000_000  # bytes; a larger file's content is left out
LOGIN = "tbops-sandbox"
_USER: Json = {"login": LOGIN, "id": 1, "type": "Bot"}


class Views:
    def __init__(self, hub: Hub, url: str) -> None:
        self._hub = hub
        self._url = url

    def repository(self, repository: Repository, *, writes: bool) -> Json:
        return {
            "id": 100 + len(repository.name),
            "name": repository.name,
            "full_name": repository.full_name,
            "private": True,
            "owner": {"login": repository.owner, "type": "Organization"},
            "html_url": f"{self._url}/{repository.full_name}",
            "url": self._api(repository),
            "clone_url": f"{self._url}/{repository.full_name}.git",
            "default_branch": "main",
            "archived": False,
            "permissions": {"admin": False, "push": writes, "pull": True},
            "allow_squash_merge": True,
            "allow_merge_commit": True,
            "allow_rebase_merge": False,
        }

    def ref(self, repository: Repository, name: str, sha: str) -> Json:
        url = f"{self._api(repository)}/git/{name}"
        return {"ref": name, "url": url, "object": {"sha": sha, "type": "commit"}}

    def file(self, repository: Repository, path: str, file: File, content: bytes) -> Json:
        """One file's ``contents``: base64 with newlines, or ``encoding: none`` for a large one."""
        small = len(content) <= LARGE
        text = base64.encodebytes(content).decode() if small else ""
        return {**self.entry(repository, path, file.sha, len(content)), "encoding": "base64" if small else "none",
                "content": text}  # fmt: skip

    def entry(self, repository: Repository, path: str, sha: str, size: int, kind: str = "file") -> Json:
        """A line of a folder's ``contents``."""
        url = f"{self._api(repository)}/contents/{path}"
        return {"type": kind, "name": path.rpartition("/")[2], "path": path, "sha": sha, "size": size, "url": url}

    def commit(self, repository: Repository, sha: str) -> Json:
        """A git commit, as the Git Data API shows it."""
        about = repository.about(sha)
        name, _, rest = about.author.decode().partition(" <")
        who = {"name": name, "email": rest.rstrip(">"), "date": moment(about.commit_time)}
        return {
            "sha": sha,
            "url": f"{self._api(repository)}/git/commits/{sha}",
            "message": about.message.decode(errors="replace"),
            "author": who,
            "committer": who,
            "tree": {"sha": about.tree.decode()},
            "parents": [{"sha": parent.decode()} for parent in about.parents],
        }

    def revision(self, repository: Repository, sha: str) -> Json:
        """A commit as lists of commits and branches show it, around what git knows of it."""
        url = f"{self._api(repository)}/commits/{sha}"
        return {"sha": sha, "url": url, "html_url": f"{self._url}/{repository.full_name}/commit/{sha}",
                "commit": self.commit(repository, sha), "author": None, "committer": None,
                "parents": [{"sha": parent.decode()} for parent in repository.about(sha).parents]}  # fmt: skip

    def branch(self, repository: Repository, name: str, sha: str, *, whole: bool = True) -> Json:
        commit = (
            self.revision(repository, sha) if whole else {"sha": sha, "url": f"{self._api(repository)}/commits/{sha}"}
        )
        return {"name": name, "commit": commit, "protected": False}

    def changes(self, repository: Repository, before: Files, after: Files) -> list[Json]:
        """The files that differ, each with its patch, as pull requests, commits and comparisons show them."""
        return [self._change(repository, path, before, after) for path in changed(before, after)]

    def _change(self, repository: Repository, path: str, before: Files, after: Files) -> Json:
        old, new = (_lines(repository, files.get(path)) for files in (before, after))
        # the two lines with the files' names are not part of GitHub's
        patch = list(unified_diff(old, new, lineterm=""))[2:]
        added, gone = (sum(line.startswith(sign) for line in patch) for sign in "+-")
        return {
            "filename": path,
            "status": "added" if path not in before else "removed" if path not in after else "modified",
            "sha": (after.get(path) or before[path]).sha,
            "additions": added,
            "deletions": gone,
            "changes": added + gone,
            "contents_url": f"{self._api(repository)}/contents/{path}",
            "patch": "\n".join(patch),
        }

    def pull(self, repository: Repository, pull: Pull, *, whole: bool = True) -> Json:
        """``whole`` as one is shown; in lists ``mergeable`` and the counts are left out."""
        shown = {
            "id": 5000 + pull.number,
            "number": pull.number,
            "url": f"{self._api(repository)}/pulls/{pull.number}",
            "html_url": f"{self._url}/{repository.full_name}/pull/{pull.number}",
            "issue_url": f"{self._api(repository)}/issues/{pull.number}",
            "comments_url": f"{self._api(repository)}/issues/{pull.number}/comments",
            "commits_url": f"{self._api(repository)}/pulls/{pull.number}/commits",
            "state": "open" if pull.open else "closed",
            "title": pull.title,
            "body": pull.body,
            "draft": pull.draft,
            "user": _USER,
            "head": self._side(repository, pull.head, pull.head_sha),
            "base": self._side(repository, pull.base, pull.base_sha),
            "created_at": moment(pull.created),
            "updated_at": moment(pull.updated),
            "closed_at": moment(pull.closed),
            "merged_at": moment(pull.merged),
            "labels": self.labels(pull),
        }
        if not whole:
            return shown
        mergeable = self._hub.mergeable(repository, pull)
        return {
            **shown,
            "merged": pull.merged is not None,
            "merged_by": {"login": pull.merged_by} if pull.merged else None,
            "mergeable": mergeable.mergeable,
            "mergeable_state": mergeable.state,
            "comments": len(pull.comments),
            "commits": len(repository.between(pull.base_sha, pull.head_sha)),
            "changed_files": len(self._hub.changes(repository, pull)),
        }

    def labels(self, pull: Pull) -> list[Json]:
        return [{"name": label, "color": "ededed", "default": False} for label in pull.labels]

    def comment(self, repository: Repository, pull: Pull, comment: Comment) -> Json:
        url = f"{self._url}/{repository.full_name}/pull/{pull.number}#issuecomment-{comment.id}"
        return {"id": comment.id, "body": comment.body, "html_url": url, "user": _USER,
                "created_at": moment(comment.at)}  # fmt: skip

    def check(self, repository: Repository, seen: Seen) -> Json:
        trouble = seen.check.trouble if seen.conclusion == "failure" else ""
        return {
            "id": seen.check.id,
            "name": NAME,
            "head_sha": seen.check.sha,
            "status": seen.status,
            "conclusion": seen.conclusion,
            "started_at": moment(seen.started),
            "completed_at": moment(seen.completed),
            "html_url": f"{self._url}/{repository.full_name}/runs/{seen.check.id}",
            "output": {"title": trouble or None, "summary": trouble or None},
            "app": {"slug": "github-actions"},
        }

    def combined_status(self, repository: Repository, sha: str, statuses: Sequence[Status]) -> Json:
        """The last of each context. Without any the state is "pending", as GitHub's is."""
        last = {status.context: status for status in statuses}
        states = {status.state for status in last.values()}
        state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
        return {
            "state": state,
            "sha": sha,
            "total_count": len(last),
            "statuses": [self.status(status) for status in last.values()],
            "repository": {"full_name": repository.full_name},
        }

    def status(self, status: Status) -> Json:
        return {"context": status.context, "state": status.state, "description": status.description,
                "created_at": moment(status.at)}  # fmt: skip

    def _side(self, repository: Repository, branch: str, sha: str) -> Json:
        label = f"{repository.owner}:{branch}"
        return {"label": label, "ref": branch, "sha": sha, "repo": {"full_name": repository.full_name}}

    def _api(self, repository: Repository) -> str:
        return f"{self._url}/repos/{repository.full_name}"


def _lines(repository: Repository, file: File | None) -> list[str]:
    return repository.blob(file.sha).decode(errors="replace").splitlines() if file else []


def moment(at: float | None) -> str | None:
    return None if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
