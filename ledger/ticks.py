"""Ticks: taking a run, beginning an effect, storing what came of it (DESIGN §5).

Everything happens under the fence that ``take`` raised: a worker whose lease has ended finds nothing to write
to. Ages and leases are the machine's time, everything that is due is the calendar's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from config.settings import Rules
from ledger import calls, locks, messages, policy, runs, states, stored
from ledger.connection import Conn, row_of
from ledger.queries import load
from ledger.refusals import Asked, Elsewhere, Fenced, Frozen, NotApproved, Shut
from ledger.values import FINISHED, Json, Phase, RunState, StepRow

Wanted = Literal["run", "pause", "abort"]

_sql = load("ticks")


@dataclass(frozen=True)
class TickStep(StepRow):
    """A step with its last intent: ``intent_answer`` is None while nobody knows what became of it, and
    ``intent_age_s`` counts from its answer, or from its beginning while it has none."""

    failures: int
    intent: int | None
    intent_answer: str | None
    intent_age_s: float | None
    answered: int  # effects that came back without an error


@dataclass(frozen=True)
class TakenRun:
    run: int
    environment: str
    state: RunState
    wanted: Wanted
    reason: str
    ending: str | None
    channel: str | None
    hash: str | None
    world: Mapping[str, str]
    found: Json
    owner: str
    fence: int
    now: datetime
    started_at: datetime | None
    target: str | None
    holds: Sequence[Json]


@dataclass(frozen=True)
class Taken:
    """A run under a lease, with all its steps in order of their numbers."""

    row: TakenRun
    steps: tuple[TickStep, ...]  # phase plan
    restores: tuple[TickStep, ...]  # phase restore

    @property
    def run(self) -> int:
        return self.row.run


@dataclass(frozen=True)
class NewRestore:
    """A step that puts back what is there now, as it is stored before the effect."""

    op: str
    params: Json
    title: str
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    long: bool = False


@dataclass(frozen=True)
class Beginning:
    """What an effect needs to begin. ``pausable`` is False where a pause must wait: inside a hold. ``locks``
    are whole names of resources (``ledger.locks``)."""

    step: TickStep
    memo: Json
    progress: Json
    rules: Rules
    locks: Sequence[str] = ()
    restore: NewRestore | None = None
    pausable: bool = True


@dataclass(frozen=True)
class Intent:
    """The right to one effect: its row, and the key that the effect is known by outside."""

    id: int
    key: str


@dataclass(frozen=True)
class StepMark:
    """What a tick found out about one step; ``event`` is its transition (``ledger.states``). None keeps what is."""

    phase: Phase
    number: int
    event: str | None = None
    memo: Json | None = None
    progress: Json | None = None
    said: str | None = None
    failures: int | None = None


@dataclass(frozen=True)
class Due:
    """When to look again: in ``seconds`` of the calendar, or of the machine (a settle time)."""

    seconds: float
    machine: bool = False


@dataclass(frozen=True)
class Notice:
    """People are called, once for each ``ref`` (``ledger.calls``)."""

    ref: str
    channel: str
    body: Json


@dataclass(frozen=True)
class Outcome:
    """What one tick found. ``events`` are the run's transitions in order (``ledger.states``); ``onward``: due now if
    the next step may go on. Without it and without ``due``, people are waited for. ``release`` names short locks to
    give back; all of the run's are given back at its end."""

    steps: tuple[StepMark, ...] = ()
    answer: tuple[int, str] | None = None  # the intent's id, and what became of it
    events: tuple[str, ...] = ()
    reason: str | None = None
    held: Json | None = None
    ending: str | None = None
    world: Mapping[str, str] = field(default_factory=dict[str, str])
    found: Json | None = None
    plan: runs.Proposal | None = None  # made again, before the first effect
    release: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    due: Due | None = None
    onward: bool = False
    shows: bool = False  # people can see a difference though no state changed


@dataclass(frozen=True)
class Stored:
    """``due_s`` is in seconds of the calendar; None: nothing is due. ``publish`` are messages to ring for."""

    state: RunState
    due_s: float | None
    publish: tuple[int, ...]


def take(conn: Conn, run: int, *, owner: str, lease_s: float, ops: Sequence[str]) -> Taken | None:
    """Take the run if it is due, nobody has it, and its next step is one of ``ops``; else None."""
    with conn.cursor(row_factory=row_of(TakenRun)) as cursor:
        values = {"run": run, "owner": owner, "lease_s": lease_s, "ops": list(ops)}
        row = cursor.execute(_sql["take"], values).fetchone()
    if row is None:
        return None
    # a statement of its own: the tick before ours may have stored while ours waited for the row
    return with_steps(conn, row)


def with_steps(conn: Conn, row: TakenRun) -> Taken:
    """The run with its steps as they are stored now."""
    with conn.cursor(row_factory=row_of(TickStep)) as cursor:
        steps = cursor.execute(_sql["steps"], {"run": row.run}).fetchall()
    plan = tuple(step for step in steps if step.phase == "plan")
    return Taken(row, plan, tuple(step for step in steps if step.phase == "restore"))


def intend(conn: Conn, taken: Taken, wish: Beginning) -> Intent:
    """Write that the step's effect begins now, or raise a ``MayNotBegin`` and write nothing.

    The first intent of a step also stores what puts things back, and takes the short locks. The rules of a
    block (approval's life, windows) hold for its beginning: what was begun in time is not left half done.
    Restoring is bound by the fence alone. A freeze stops everything but restoring.
    """
    step = wish.step
    with conn.transaction():
        _check(conn, taken, wish)
        held = locks.take_short(conn, taken.run, wish.locks)
        if held is not None:
            raise Elsewhere(held.resource, held.run)
        if step.state != "acting":
            states.move_step(conn, taken.run, step.phase, step.number, "act")
        key = f"{taken.run}/{step.phase}/{step.number}"
        values = {"run": taken.run, "phase": step.phase, "number": step.number, "key": key, "fence": taken.row.fence}
        kept = {"memo": stored.json(wish.memo), "progress": stored.json(wish.progress)}
        row = conn.execute(_sql["begin_effect"], {**values, **kept}).fetchone()
        if row is None:
            raise Fenced(taken.run)
        if wish.restore is not None:
            _list(conn, taken, step, wish.restore)
    return Intent(row["id"], key)


def _check(conn: Conn, taken: Taken, wish: Beginning) -> None:
    step = wish.step
    values = {"run": taken.run, "fence": taken.row.fence, "owner": taken.row.owner}
    row = conn.execute(_sql["check"], {**values, "hash": taken.row.hash, "block": step.block}).fetchone()
    if row is None or not row["mine"] or row["state"] != taken.row.state:
        raise Fenced(taken.run)
    if step.phase == "restore":
        return
    if row["wanted"] == "abort" or (row["wanted"] == "pause" and wish.pausable):
        raise Asked(row["wanted"])
    if row["frozen_by"] is not None:
        raise Frozen(taken.row.environment, policy.person(row["frozen_by"]))
    needed = policy.approvals_needed(wish.rules, [each.gate for each in taken.steps if each.block == step.block])
    needed = 1 if row["operated"] else needed
    if not row["same_hash"] or row["approved"] < needed:
        raise NotApproved(step.block, lapsed=False)
    if row["begun"]:
        return
    if row["alive"] < needed:
        raise NotApproved(step.block, lapsed=True)
    shut = policy.outside_windows(wish.rules, row["now"])
    if shut:
        raise Shut(shut)


def _list(conn: Conn, taken: Taken, step: TickStep, restore: NewRestore) -> None:
    values = {"run": taken.run, "origin": step.number, "hold": step.hold, "op": restore.op, "long": restore.long}
    listed = {"params": stored.json(restore.params), "title": stored.text(restore.title)}
    keys = {"reads": list(restore.reads), "writes": list(restore.writes)}
    conn.execute(_sql["list_restore"], {**values, **listed, **keys})


def store(conn: Conn, taken: Taken, outcome: Outcome) -> Stored:
    """Write what the tick found and give the lease back, in one commit. ``Fenced``: another worker has the run."""
    run = taken.run
    with conn.transaction():
        intent, answer = outcome.answer or (None, None)
        values = {"run": run, "fence": taken.row.fence, "owner": taken.row.owner, "intent": intent, "answer": answer}
        own = conn.execute(_sql["own"], values).fetchone()
        if own is None:
            raise Fenced(run)
        if outcome.plan is not None:
            runs.replan(conn, run, **outcome.plan)
        for mark in outcome.steps:
            _mark(conn, run, mark)
        # people moved the run while the tick ran: what it found stays, what it wanted of the run does not
        overtaken = own["state"] != taken.row.state
        for event in () if overtaken else outcome.events:
            _move(conn, run, event, outcome)
        _tell(conn, taken, outcome)
        released = _release(conn, taken, outcome, overtaken=overtaken)
        publish = tuple(messages.behind_of(conn, run)) if _visible(outcome) else ()
    return Stored(released["state"], released["due_s"], publish)


def _mark(conn: Conn, run: int, mark: StepMark) -> None:
    values = {"run": run, "phase": mark.phase, "number": mark.number, "said": mark.said, "failures": mark.failures}
    kept = {"memo": stored.json_or_null(mark.memo), "progress": stored.json_or_null(mark.progress)}
    if (mark.memo, mark.progress, mark.failures) != (None, None, None) or mark.event is None:
        conn.execute(_sql["mark_step"], {**values, **kept})
    if mark.event is not None:
        states.move_step(conn, run, mark.phase, mark.number, mark.event, said=mark.said)


def _move(conn: Conn, run: int, event: str, outcome: Outcome) -> None:
    state = states.move_run(conn, run, event, reason=outcome.reason)
    if state == "restoring":
        for row in conn.execute(_sql["unfinished"], {"run": run}).fetchall():
            last = "fail" if row["state"] == "acting" else "skip"
            states.move_step(conn, run, "plan", row["number"], last)
    if state in FINISHED:
        locks.release_all(conn, run)


def _tell(conn: Conn, taken: Taken, outcome: Outcome) -> None:
    for notice in outcome.notices:
        calls.call(conn, notice.ref, notice.channel, notice.body)
    if outcome.release:
        locks.release(conn, taken.run, outcome.release)
    if outcome.shows:
        shown = [messages.step_ref(taken.run, mark.number) for mark in outcome.steps if mark.phase == "plan"]
        messages.touch(conn, messages.run_ref(taken.run), *shown)


def _visible(outcome: Outcome) -> bool:
    return outcome.shows or bool(outcome.events or outcome.notices or any(mark.event for mark in outcome.steps))


def _release(conn: Conn, taken: Taken, outcome: Outcome, *, overtaken: bool) -> dict[str, Any]:
    going_back = taken.row.state == "restoring" or "restore" in outcome.events
    row = conn.execute(
        _sql["release"],
        {
            "run": taken.run,
            "phase": "restore" if going_back else "plan",
            "reason": outcome.reason,
            "held": stored.json_or_null(outcome.held),
            "ending": outcome.ending,
            "world": stored.json(outcome.world),
            "found": stored.json_or_null(outcome.found),
            "finished": sorted(FINISHED),
            "overtaken": overtaken,
            "onward": outcome.onward,
            "wanted": taken.row.wanted,
            "due_s": outcome.due.seconds if outcome.due else None,
            "machine": bool(outcome.due and outcome.due.machine),
        },
    ).fetchone()
    assert row is not None
    return row


def renew(conn: Conn, run: int, *, fence: int, owner: str, lease_s: float) -> bool:
    """Let the lease go on. False: the run is in other hands."""
    values = {"run": run, "fence": fence, "owner": owner, "lease_s": lease_s}
    return conn.execute(_sql["renew"], values).fetchone() is not None


def sweep(conn: Conn, *, again_s: float) -> list[int]:
    """The runs that are due and that no worker has, to be rung for; each again only after ``again_s`` (machine's)."""
    return [row["id"] for row in conn.execute(_sql["sweep"], {"again_s": again_s})]
