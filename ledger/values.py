"""What the ledger's rows look like to those who read them: frozen values, one a table.

Field names are the columns' names; ``ledger/migrations`` says what each means. JSON columns are plain
dicts and lists: the ledger stores plans and steps without knowing their classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

RunState = Literal[
    "planning", "refused", "proposed", "rejected", "expired",
    "running", "paused", "held", "restoring", "succeeded", "failed", "aborted",
]  # fmt: skip
StepState = Literal[
    "waiting", "gated", "ready", "acting", "done", "failed", "skipped",  # of the plan
    "listed", "struck", "left",  # of the restore list, beside acting and done
]  # fmt: skip
Phase = Literal["plan", "restore"]
Gate = Literal["none", "approve", "strong"]
Json = Mapping[str, Any]

FINISHED: frozenset[RunState] = frozenset({"refused", "rejected", "expired", "succeeded", "failed", "aborted"})


@dataclass(frozen=True)
class InboxRow:
    id: int
    dedup: str
    kind: str
    payload: Json
    received_at: datetime
    handled_at: datetime | None
    reminded_at: datetime | None
    attempts: int
    outcome: str | None


@dataclass(frozen=True)
class Run:
    id: int
    environment: str
    command: str
    request: Json
    requester: str
    inbox: int | None
    channel: str | None
    state: RunState
    wanted: Literal["run", "pause", "abort"]
    reason: str
    held: Json | None
    ending: str | None
    plan: Json | None
    strategy: str | None
    hash: str | None
    change_hash: str | None
    world: Mapping[str, str]
    found: Json
    acknowledged: Sequence[str]
    note: str | None
    not_before: datetime | None
    created_at: datetime
    proposed_at: datetime | None
    expires_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    owner: str | None
    lease_until: datetime | None
    fence: int
    current_op: str | None
    due_at: datetime | None
    rung_at: datetime | None
    rev: int
    untyped: str | None = None  # refused because this field has no type
    finishes: int | None = None  # the first run of the line that this one goes on with
    reminded_at: datetime | None = None


@dataclass(frozen=True)
class NewStep:
    """A step of a plan as it is proposed; numbered by its place."""

    op: str
    params: Json
    title: str
    gate: Gate
    block: int
    long: bool = False
    hold: int | None = None
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    touches: bool = False


@dataclass(frozen=True)
class StepRow:
    run: int
    phase: Phase
    number: int
    origin: int | None
    op: str
    params: Json
    title: str
    gate: Gate
    long: bool
    block: int
    hold: int | None
    reads: Sequence[str]
    writes: Sequence[str]
    touches: bool
    state: StepState
    memo: Json
    progress: Json | None
    said: str
    acts: int
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class Decision:
    id: int
    run: int
    block: int | None
    action: str
    actor: str
    hash: str | None
    reason: str
    inbox: int | None
    at: datetime
    until: datetime | None
    acknowledged: Sequence[str]


@dataclass(frozen=True)
class Message:
    id: int
    purpose: str
    ref: str
    channel: str
    thread: int | None
    thread_ts: str | None
    recipient: str | None
    body: Json | None
    ts: str | None
    wanted_rev: int
    sent_rev: int
    posting_at: datetime | None
    not_before: datetime | None
    failures: int
    trouble: str | None
    created_at: datetime


@dataclass(frozen=True)
class LockRow:
    resource: str
    run: int
    long: bool
    at: datetime
    until: datetime | None


@dataclass(frozen=True)
class AuditLine:
    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Json
    before: bytes
    hash: bytes


@dataclass(frozen=True)
class RunView:
    """Everything a card is rendered from, read in one snapshot."""

    run: Run
    steps: tuple[StepRow, ...]  # phase plan, in order
    restore: tuple[StepRow, ...]  # phase restore, in order of storing
    decisions: tuple[Decision, ...]
    messages: tuple[Message, ...]
    locks: tuple[LockRow, ...]
    now: datetime  # the calendar's time when it was read
    followed: int | None = None  # the run that took up what this one left (``ledger.rests``)
