"""GitHub's own side of the repositories: pull requests, the checks of their heads, merging.

Nothing runs in the background: whoever asks, pushes or merges first brings it up to date. All of it belongs to the
event loop's thread.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.github import checks, merging
from sandbox.github.checks import Seen
from sandbox.github.errors import Refused, invalid, not_found
from sandbox.github.merging import not_mergeable
from sandbox.github.model import Check, Comment, Kept, Pull
from sandbox.github.repository import BRANCH, Files, Repository, changed
from sandbox.standin import World

FIRST_ID = 9_000_000


@dataclass(frozen=True)
class Mergeable:
    """``mergeable`` is None while it is being computed; ``blocked`` says which rule forbids the merge."""

    mergeable: bool | None
    state: str
    blocked: str


class Hub:
    def __init__(self, world: World) -> None:
        self.world = world
        self.repositories: dict[str, Repository] = {}
        self._kept: dict[str, Kept] = {}
        self._last_id = FIRST_ID

    @property
    def now(self) -> float:
        return self.world.clock.time()

    def begin(self, repositories: Iterable[Repository]) -> None:
        """These repositories, without any pull request."""
        self.repositories = {repository.full_name: repository for repository in repositories}
        self._kept = {name: Kept() for name in self.repositories}
        self._last_id = FIRST_ID

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def repository(self, owner: str, name: str) -> Repository:
        found = self.repositories.get(f"{owner}/{name}")
        if found is None:
            raise not_found()
        return found

    def kept(self, repository: Repository) -> Kept:
        return self._kept[repository.full_name]

    def catch_up(self, repository: Repository) -> None:
        """Notice what was pushed: heads that moved begin their checks, a branch that is gone closes its request."""
        for pull in self.kept(repository).pulls:
            if not pull.open:
                continue
            head, base = repository.head(pull.head), repository.head(pull.base)
            if head is None or base is None:
                pull.closed = pull.updated = self.now
                continue
            if (head, base) != (pull.head_sha, pull.base_sha):
                pull.settled = pull.updated = self.now
            if head != pull.head_sha:
                pull.head_sha = head
                self._check(repository, pull)
            pull.base_sha = base

    def open(self, repository: Repository, title: str, head: str, base: str, body: str, draft: bool) -> Pull:
        """Raises ``Refused`` 422 as GitHub does."""
        head = head.removeprefix(f"{repository.owner}:")
        head_sha, base_sha = repository.head(head), repository.head(base)
        if base_sha is None:
            raise invalid("PullRequest", "base")
        if head_sha is None:
            raise invalid("PullRequest", "head")
        kept = self.kept(repository)
        if any(pull.open and (pull.head, pull.base) == (head, base) for pull in kept.pulls):
            told = f"A pull request already exists for {repository.owner}:{head}."
            raise Refused(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": told}])
        if repository.follows(head_sha, base_sha):
            told = f"No commits between {base} and {head}"
            raise Refused(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": told}])
        now = self.now
        made = Pull(len(kept.pulls) + 1, title, body, head, base, now, head_sha, base_sha, draft, now, now)
        kept.pulls.append(made)
        if not self.world.knobs["github.check_by_label"]:
            self._check(repository, made)
        return made

    def pull(self, repository: Repository, number: int) -> Pull:
        self.catch_up(repository)
        pulls = self.kept(repository).pulls
        if not 1 <= number <= len(pulls):
            raise not_found()
        return pulls[number - 1]

    def comment(self, pull: Pull, body: str) -> Comment:
        made = Comment(self.next_id(), body, self.now)
        pull.comments.append(made)
        pull.updated = self.now
        return made

    def label(self, repository: Repository, pull: Pull, labels: Iterable[str]) -> None:
        """Those that it has stay. A new one begins what the workflow has for ``labeled``."""
        new = [label for label in dict.fromkeys(labels) if label not in pull.labels]
        pull.labels += new
        if new and pull.open:
            pull.updated = self.now
            self._check(repository, pull)

    def close(self, pull: Pull) -> None:
        pull.closed = pull.updated = self.now

    def reopen(self, repository: Repository, pull: Pull) -> None:
        if pull.merged is not None or repository.head(pull.head) is None:
            raise invalid("PullRequest", "state", message="state cannot be changed.")
        pull.closed, pull.updated = None, self.now
        self.catch_up(repository)

    def runs(self, repository: Repository, sha: str) -> list[Seen]:
        """The check runs of a commit that have begun."""
        check = self.kept(repository).checks.get(sha)
        found = checks.seen(check, self.now, self.world.knobs) if check else None
        return [found] if found else []

    def mergeable(self, repository: Repository, pull: Pull) -> Mergeable:
        if not pull.open:
            return Mergeable(None, "unknown", "")
        knobs = self.world.knobs
        runs = self.runs(repository, pull.head_sha)
        behind = not repository.follows(pull.base_sha, pull.head_sha)
        why = merging.blocked(knobs, runs, behind)
        if self.now < pull.settled + float(knobs["github.mergeable_after_s"]):
            return Mergeable(None, "unknown", why)
        _, conflicts = merging.merge_files(repository, pull.base_sha, pull.head_sha)
        state = "draft" if pull.draft else merging.state(bool(conflicts), why, runs, behind, knobs)
        return Mergeable(not conflicts, state, why)

    def merge(
        self, repository: Repository, pull: Pull, *, sha: str = "", method: str = "merge", title: str = "", by: str = ""
    ) -> str:
        """The new head of the base branch; ``by`` is a login. Raises ``Refused`` 405 or 409."""
        if not pull.open or pull.draft:
            raise not_mergeable()
        if method not in merging.MODES:
            raise not_mergeable(f"{method.capitalize()} merges are not allowed on this repository.")
        if sha and sha != pull.head_sha:
            raise Refused(409, "Head branch was modified. Review and try the merge again.")
        behind = not repository.follows(pull.base_sha, pull.head_sha)
        if why := merging.blocked(self.world.knobs, self.runs(repository, pull.head_sha), behind):
            raise not_mergeable(why)
        files, conflicts = merging.merge_files(repository, pull.base_sha, pull.head_sha)
        if conflicts:
            raise not_mergeable()
        parents = [pull.base_sha] if method == "squash" else [pull.base_sha, pull.head_sha]
        said = title or (
            f"{pull.title} (#{pull.number})"
            if method == "squash"
            else f"Merge pull request #{pull.number} from {repository.owner}/{pull.head}"
        )
        made = repository.add_commit(repository.add_tree(files), parents, said, self.now)
        repository.move(BRANCH + pull.base, made)
        pull.merge_sha, pull.merged_by = made, by
        pull.merged = pull.closed = pull.updated = self.now
        self.catch_up(repository)
        return made

    def changes(self, repository: Repository, pull: Pull) -> list[str]:
        """The paths that a pull request changes."""
        return changed(*self.sides(repository, pull.base_sha, pull.head_sha))

    def sides(self, repository: Repository, base: str, head: str) -> tuple[Files, Files]:
        """The files of what two commits have in common, and of the second."""
        common = repository.base_of(base, head)
        return repository.files(common) if common else {}, repository.files(head)

    def _check(self, repository: Repository, pull: Pull) -> None:
        """A head that touches datafiles gets its check run, once."""
        known = self.kept(repository).checks
        touched = [path for path in self.changes(repository, pull) if path.startswith(checks.WATCHED)]
        if not touched or pull.head_sha in known:
            return
        files = repository.files(pull.head_sha)
        texts = [
            (path, repository.blob(files[path].sha).decode(errors="replace"))
            for path in touched
            if path in files and path.endswith((".datasource", ".pipe"))
        ]
        known[pull.head_sha] = Check(self.next_id(), pull.head_sha, self.now, checks.trouble(texts))
