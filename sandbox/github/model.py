"""Pull requests and what hangs on them, as the stand-in keeps them. Times are the platform's, in seconds."""

from dataclasses import dataclass, field


@dataclass
class Comment:
    id: int
    body: str
    at: float


@dataclass
class Pull:
    """``head`` and ``base`` are branches; ``head_sha`` stays as it was when the pull request was closed."""

    number: int
    title: str
    body: str
    head: str
    base: str
    created: float
    head_sha: str
    base_sha: str
    draft: bool = False
    updated: float = 0.0
    settled: float = 0.0  # since when head and base are what they are: mergeable is computed from then on
    closed: float | None = None
    merged: float | None = None
    merged_by: str = ""  # a login
    labels: list[str] = field(default_factory=list[str])
    merge_sha: str = ""  # the commit that its merge made on the base
    comments: list[Comment] = field(default_factory=list[Comment])

    @property
    def open(self) -> bool:
        return self.closed is None


@dataclass(frozen=True)
class Check:
    """A run of the repository's CI on one commit. What it is at a time follows from ``since`` and the knobs."""

    id: int
    sha: str
    since: float  # when the pull request got this head
    trouble: str  # why the changed datafiles do not parse; empty if they do


@dataclass
class Status:
    """A commit status of the older kind, set by somebody outside."""

    context: str
    state: str  # pending | success | failure | error
    description: str
    at: float


@dataclass
class Kept:
    """What GitHub keeps of one repository beside git."""

    pulls: list[Pull] = field(default_factory=list[Pull])
    checks: dict[str, Check] = field(default_factory=dict[str, Check])
    statuses: dict[str, list[Status]] = field(default_factory=dict[str, list[Status]])
