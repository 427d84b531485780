"""What the GitHub client returns, and when a commit is green. Apart from the client, so that a plan made offline loads
no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from systems.errors import SystemsError

_GOOD = frozenset({"success", "neutral", "skipped"})


@dataclass(frozen=True)
class RepositoryInfo:
    name: str  # "acme/platform"
    default_branch: str


@dataclass(frozen=True)
class FileAt:
    """A file as it is at ``ref``; ``sha`` is its blob's, which a write over it must name."""

    path: str
    content: bytes = field(repr=False)
    sha: str
    ref: str

    @property
    def text(self) -> str:
        return self.content.decode()


@dataclass(frozen=True)
class PullInfo:
    """``mergeable`` is None while GitHub computes it. ``state`` is open or closed; a merged one is closed too."""

    number: int
    url: str
    state: str
    merged: bool
    title: str
    head: str
    head_sha: str
    base: str
    mergeable: bool | None
    mergeable_state: str  # clean | blocked | dirty | unstable | behind | draft | has_hooks | unknown
    labels: tuple[str, ...] = ()
    merged_by: str = ""  # a login; lists do not say it

    @property
    def open(self) -> bool:
        return self.state == "open"


@dataclass(frozen=True)
class CheckRun:
    """``status``: queued, in_progress, completed, waiting, requested, pending. ``conclusion`` is empty until then."""

    name: str
    status: str
    conclusion: str
    url: str


@dataclass(frozen=True)
class StatusInfo:
    """A commit status of the older kind: pending, success, failure or error."""

    context: str
    state: str


@dataclass(frozen=True)
class Checks:
    """All that is known of one commit."""

    runs: tuple[CheckRun, ...]
    statuses: tuple[StatusInfo, ...] = ()


@dataclass(frozen=True)
class Green:
    """Every check that must be there is, and none is bad."""


@dataclass(frozen=True)
class Red:
    names: tuple[str, ...]


@dataclass(frozen=True)
class Waiting:
    """``begun`` is False while one that must run is not to be seen at all."""

    why: str
    begun: bool = True


def verdict(checks: Checks, wanted: Sequence[str]) -> Green | Red | Waiting:
    """Whether a commit is green (facts/systems.md §6). Each of ``wanted`` must have run: right after a push there are
    no runs at all, and none is not green. What else ran counts too."""
    ended = [run for run in checks.runs if run.status == "completed"]
    bad = [run.name for run in ended if run.conclusion not in _GOOD]
    bad += [status.context for status in checks.statuses if status.state in ("failure", "error")]
    if bad:
        return Red(tuple(sorted(set(bad))))
    known = {run.name for run in checks.runs} | {status.context for status in checks.statuses}
    missing = [name for name in wanted if name not in known]
    if missing:
        return Waiting(f"{', '.join(missing)} has not begun", begun=False)
    if not known:
        return Waiting("no check has begun", begun=False)
    going = [run.name for run in checks.runs if run.status != "completed"]
    going += [status.context for status in checks.statuses if status.state == "pending"]
    return Waiting(f"{', '.join(sorted(set(going)))} has not ended") if going else Green()


def is_known_branch(error: SystemsError) -> bool:
    """Whether a branch was refused because it is there already."""
    return error.status == 422 and "Reference already exists" in error.said


def is_open_pull(error: SystemsError) -> bool:
    """Whether a pull request was refused because the branch has one."""
    return error.status == 422 and "A pull request already exists" in error.said


def is_unmergeable(error: SystemsError) -> bool:
    """Whether a merge was refused by checks, reviews, rules or a conflict; ``said`` has GitHub's words."""
    return error.status == 405


def is_moved(error: SystemsError) -> bool:
    """Whether somebody wrote meanwhile: another head, or another file than was read."""
    return error.status == 409
