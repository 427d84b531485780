"""Files brought into a repository by a pull request: committed, opened, labelled; closed where it comes to nothing.

Each run has a branch of its own, which holds one commit of the run. All that comes later is pinned to that commit:
``Done.found[pushed_key(repository, branch)]`` is its sha, or None where the base holds the files already. Steps that
commit in another way (an encrypted file) put it there too, and share the rest. A run that opens two pull requests in
one repository gives the second a branch of its own, by which its record is kept apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.words import counted
from systems.errors import SystemsError
from systems.github_model import PullInfo, is_known_branch, is_open_pull

if TYPE_CHECKING:
    from systems.github import Repository

BRANCH = "tbops/run-{run}"
TOPICS = "tbops/run-{run}-topics"


def pushed_key(repository: str, branch: str = BRANCH) -> str:
    """Under which name the sha of the run's commit enters the run's record."""
    return f"pushed/{_apart(repository, branch)}"


def pull_key(repository: str, branch: str = BRANCH) -> str:
    """Under which name the pull request's number enters the run's record."""
    return f"pull/{_apart(repository, branch)}"


def _apart(repository: str, branch: str) -> str:
    """Runs that are under way have their first branch's record under the repository alone."""
    return repository if branch in (BRANCH, TOPICS) else f"{repository}:{branch}"


def blob_sha(content: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class OfBranch(Step):
    """What every step of a pull request knows. ``branch`` holds ``{run}``; ``base`` is where it is to be merged."""

    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 10.0

    repository: str
    base: str = "main"
    branch: str = BRANCH

    def _branch(self, at: Site) -> str:
        return self.branch.replace("{run}", str(at.run))

    def _there(self, at: Site) -> Repository:
        return at.hub.repository(self.repository)

    def _pull(self, at: Site) -> PullInfo | None:
        """The run's pull request. One that was over before the run's commit is of an older run of that number."""
        there, known = self._there(at), at.found.get(pull_key(self.repository, self.branch))
        if known is not None:
            return there.pull(int(known))
        found = there.pull_of(self._branch(at), self.base)
        return found if found and (found.open or found.head_sha == self._pushed(at)) else None

    def _pushed(self, at: Site) -> str | None:
        """The sha of the run's commit; None if there was nothing to commit."""
        found = at.found.get(pushed_key(self.repository, self.branch))
        return str(found) if found else None

    def _nothing(self, at: Site) -> Done | None:
        """Done, where the base held everything already and so no commit was made."""
        key = pushed_key(self.repository, self.branch)
        if key in at.found and at.found[key] is None:
            return Done(f"{self.base} of {self.repository} holds it already.")
        return None

    def _mine(self, at: Site) -> PullInfo | Done | Astray:
        """The run's pull request, open as it was pushed, or merged; or why there is none to do anything with."""
        if nothing := self._nothing(at):
            return nothing
        pull = self._pull(at)
        if pull is None:
            return Astray(f"the pull request of {self._branch(at)} is gone")
        return pull if pull.merged else self._strayed(at, pull) or pull

    def _strayed(self, at: Site, pull: PullInfo) -> Astray | None:
        """A pull request that is not this run's any more."""
        if not pull.open:
            return Astray(
                f"somebody closed pull request #{pull.number} ({pull.url}) without merging it: reopen it and resume, "
                "or abort"
            )
        if pull.head_sha != self._pushed(at):
            return Astray(
                f"somebody pushed to {pull.head}: it is at {short(pull.head_sha)}, and this run committed "
                f"{short(self._pushed(at) or '')}; merge or close pull request #{pull.number} by hand ({pull.url})"
            )
        return None


class CommitFiles(OfBranch):
    """Commit files to the run's branch, as one commit on what the base is now. ``files``: path → text, None for one
    that goes. ``seen`` is the blob's sha of each as it was planned from, empty where there was none: one that is
    another by now was changed by somebody, and is not written over."""

    op: ClassVar[str] = "github.branch.commit/1"
    gated: ClassVar[bool] = True

    files: dict[str, str | None]
    seen: dict[str, str] = Field(default_factory=dict)
    message: str

    def title(self) -> str:
        first = next(iter(self.files)).rpartition("/")[2]
        what = first if len(self.files) == 1 else counted(len(self.files), "file")
        return f"Commit {what} to a branch of {self.repository}"

    def reads(self) -> tuple[str, ...]:
        return tuple(f"github/file/{path}/blob" for path in sorted(self.seen))

    def remember(self, at: Site) -> Step | None:
        return DeleteBranch(repository=self.repository, base=self.base, branch=self.branch)

    def look(self, at: Site) -> Seen:
        there, branch = self._there(at), self._branch(at)
        head = there.head(branch)
        if head is not None:
            lacking = _lacking(there.tree(head), self.files)
            if lacking:
                return Astray(f"{self.repository} has a branch {branch} of somebody else: its {lacking[0]} is another")
            said = f"{counted(len(self.files), 'file')} committed to {branch} as {short(head)}."
            return Done(said[:1].upper() + said[1:], {pushed_key(self.repository, self.branch): head})
        base = there.head(self.base)
        if base is None:
            return Astray(f"{self.repository} has no branch {self.base}")
        tree = there.tree(base)
        if not _lacking(tree, self.files):
            said = f"{self.base} of {self.repository} holds every file already."
            return Done(said, {pushed_key(self.repository, self.branch): None})
        moved = [path for path, sha in self.seen.items() if tree.get(path, "") != sha and path in self.files]
        changed = next((path for path in moved if _lacking(tree, {path: self.files[path]})), "")
        why = f"{changed} was changed on {self.base} since the plan was made" if changed else ""
        return Todo(why, {"base": base, "changed": changed})

    def act(self, at: Site) -> None:
        """On the commit that was looked at: what comes to the base later is merged, or found to conflict."""
        if changed := at.memo["changed"]:  # guards find it before, and a new plan is made; this is for who has none
            said = f"{changed} was changed on {self.base} since the plan was made, and is not written over: ask again"
            raise SystemsError("github", f"commit to {self.repository}", status=409, said=said)
        files = {path: None if text is None else text.encode() for path, text in self.files.items()}
        try:
            self._there(at).commit_files(self._branch(at), str(at.memo["base"]), files, self.message)
        except SystemsError as error:
            if not is_known_branch(error):  # an earlier try came after all: the next look knows whose it is
                raise


class OpenPull(OfBranch):
    """Open the pull request of the run's branch."""

    op: ClassVar[str] = "github.pull.open/1"

    heading: str
    body: str = ""

    def title(self) -> str:
        return f"Open a pull request in {self.repository}"

    def remember(self, at: Site) -> Step | None:
        return ClosePull(repository=self.repository, base=self.base, branch=self.branch)

    def look(self, at: Site) -> Seen:
        if nothing := self._nothing(at):
            return nothing
        pull = self._pull(at)
        if pull is None:
            gone = self._there(at).head(self._branch(at)) != self._pushed(at)
            return Astray(f"somebody moved or removed the branch {self._branch(at)}") if gone else Todo()
        if not pull.merged and (strayed := self._strayed(at, pull)):
            return strayed
        found = {pull_key(self.repository, self.branch): pull.number}
        return Done(f"Pull request #{pull.number} is open: {pull.url}", found)

    def act(self, at: Site) -> None:
        body = self.body.replace("{run}", str(at.run))
        try:
            self._there(at).open_pull(self._branch(at), self.base, self.heading, body)
        except SystemsError as error:
            if not is_open_pull(error):
                raise


class LabelPull(OfBranch):
    """Put labels on the run's pull request: a workflow may start by one, not by the opening (facts/estate.md §2)."""

    op: ClassVar[str] = "github.pull.label/1"

    labels: tuple[str, ...]

    def title(self) -> str:
        return f"Label the pull request in {self.repository} with {', '.join(self.labels)}"

    def look(self, at: Site) -> Seen:
        pull = self._mine(at)
        if not isinstance(pull, PullInfo):
            return pull
        if pull.merged or not self._lacking(pull):
            return Done(f"Pull request #{pull.number} is labelled {', '.join(self.labels)}.")
        return Todo()

    def act(self, at: Site) -> None:
        pull = self._pull(at)
        if pull and (lacking := self._lacking(pull)):
            self._there(at).add_labels(pull.number, lacking)

    def _lacking(self, pull: PullInfo) -> list[str]:
        return [label for label in self.labels if label not in pull.labels]


class ClosePull(OfBranch):
    """Close the run's pull request, unless it is merged: a way back."""

    op: ClassVar[str] = "github.pull.close/1"

    def title(self) -> str:
        return f"Close the pull request in {self.repository}"

    def look(self, at: Site) -> Seen:
        pull = self._pull(at)
        if pull is None:
            return Done("There is no pull request to close.")
        if pull.merged:
            return Done(f"Pull request #{pull.number} is merged.")
        if pull.open:
            return Todo()
        return Done(f"Pull request #{pull.number} is closed.")

    def act(self, at: Site) -> None:
        if (pull := self._pull(at)) and pull.open:
            self._there(at).close_pull(pull.number)


class DeleteBranch(OfBranch):
    """Remove the run's branch once it is merged or given up. One that somebody pushed to stays."""

    op: ClassVar[str] = "github.branch.delete/1"

    def title(self) -> str:
        return f"Remove the run's branch in {self.repository}"

    def tidies(self, earlier: Step) -> bool:
        mine = (self.repository, self.base, self.branch)
        return isinstance(earlier, OpenPull) and (earlier.repository, earlier.base, earlier.branch) == mine

    def look(self, at: Site) -> Seen:
        branch = self._branch(at)
        head = self._there(at).head(branch)
        if head is None:
            return Done(f"There is no branch {branch} any more.")
        pushed, pull = self._pushed(at), self._pull(at)
        if pushed and head != pushed:
            said = f"somebody pushed to {branch}: it is at {short(head)}"
            return Done(f"The branch stays, as {said}.") if pull and pull.merged else Astray(said)
        if pull and pull.open:
            return Astray(f"pull request #{pull.number} of {branch} is open")
        return Todo()

    def act(self, at: Site) -> None:
        self._there(at).delete_branch(self._branch(at))


def short(sha: str) -> str:
    """As people read it."""
    return sha[:7]


def _lacking(tree: Mapping[str, str], files: Mapping[str, str | None]) -> list[str]:
    """The paths that are not as they shall be."""
    wanted = {path: None if text is None else blob_sha(text.encode()) for path, text in files.items()}
    return [path for path, sha in wanted.items() if tree.get(path) != sha]
