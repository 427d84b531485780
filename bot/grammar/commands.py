"""What a person can mean by a line, other than a request for a run (``runbooks.request.Request``). Frozen values."""

from dataclasses import dataclass
from typing import Literal

from runbooks.request import Request

Deed = Literal["approve", "reject", "pause", "resume", "abort", "retry"]


@dataclass(frozen=True)
class Decide:
    """A decision on a run. ``step`` is the first of a block; ``up_to`` takes the blocks before it too."""

    deed: Deed
    run: int
    step: int | None = None
    up_to: bool = False
    note: str | None = None


@dataclass(frozen=True)
class Runs:
    environment: str | None = None


@dataclass(frozen=True)
class Show:
    run: int


@dataclass(frozen=True)
class Lineage:
    resource: str
    environment: str | None = None


@dataclass(frozen=True)
class Copies:
    environment: str | None = None


@dataclass(frozen=True)
class Incident:
    """``until``: in so many seconds, or the next morning."""

    deed: Literal["ack", "snooze"]
    incident: int
    until: int | Literal["tomorrow"] | None = None


@dataclass(frozen=True)
class Incidents:
    environment: str | None = None


@dataclass(frozen=True)
class Silence:
    """``for_s`` None: until it is lifted."""

    pipe: str
    for_s: int | None = None
    why: str = ""
    environment: str | None = None


@dataclass(frozen=True)
class Unsilence:
    pipe: str
    environment: str | None = None


@dataclass(frozen=True)
class Freeze:
    """``environment`` None freezes all."""

    reason: str = ""
    environment: str | None = None


@dataclass(frozen=True)
class Unfreeze:
    environment: str | None = None


@dataclass(frozen=True)
class Doctor:
    probe: bool = False
    environment: str | None = None


@dataclass(frozen=True)
class Help:
    command: str | None = None


Command = (
    Request
    | Decide
    | Runs
    | Show
    | Lineage
    | Copies
    | Incident
    | Incidents
    | Silence
    | Unsilence
    | Freeze
    | Unfreeze
    | Doctor
    | Help
)
