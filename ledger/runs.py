"""Runs: asked for, proposed, planned again, read for rendering."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from psycopg.pq import TransactionStatus

from ledger import audit, locks, messages, states, stored
from ledger.connection import Conn, calendar, row_of
from ledger.errors import AlreadyBegun, NoSuchRun, NotThatState
from ledger.queries import load
from ledger.values import FINISHED, Decision, LockRow, NewStep, Run, RunState, RunView, StepRow

CHANGED = "What the plan relied on has changed, so it was made again and differs: earlier approvals no longer count."
LAPSED = "Nobody decided on this plan in time. Ask again for a fresh one."

_sql = load("runs")


class Proposal(TypedDict):
    """What planning made of a request, as keywords of ``propose`` and ``replan``."""

    plan: Mapping[str, Any]  # Plan.to_json()
    steps: Sequence[NewStep]
    hash: str
    change_hash: str
    world: Mapping[str, str]  # guards: key -> digest
    strategy: str
    expires_at: datetime | None  # calendar time; None: never


def create(
    conn: Conn,
    *,
    environment: str,
    command: str,
    request: Mapping[str, Any],
    requester: str,
    inbox: int | None = None,
    channel: str | None = None,
    thread_ts: str | None = None,
    note: str | None = None,
    not_before: datetime | None = None,
    finishes: int | None = None,
) -> int:
    """A new run in state planning, with its root message when it has a channel; its number. Ring plan and publish.

    ``thread_ts``: somebody's thread that the root message goes into (a mention). ``finishes``: see ``ledger.rests``.
    """
    values = {
        "environment": environment,
        "command": stored.text(command),
        "request": stored.json(request),
        "requester": requester,
        "inbox": inbox,
        "channel": channel,
        "note": None if note is None else stored.text(note),
        "not_before": not_before,
        "finishes": finishes,
    }
    row = conn.execute(_sql["create"], values).fetchone()
    assert row is not None
    run: int = row["id"]
    if channel:
        messages.want(conn, "root", messages.run_ref(run), channel, thread_ts=thread_ts)
    detail = {"environment": environment, "command": command}
    audit.append(conn, actor=requester, action="request", subject=messages.run_ref(run), detail=detail)
    return run


def propose(conn: Conn, run: int, **made: Unpack[Proposal]) -> RunState:
    """The plan is made: planning → proposed. ``NotThatState`` if it is not being planned any more."""
    now = lock(conn, run)
    if now.state != "planning":
        raise NotThatState(f"run {run}", "propose", now.state)
    _put(conn, run, made)
    detail = {"hash": made["hash"], "change_hash": made["change_hash"], "strategy": made["strategy"]}
    return states.move_run(conn, run, "propose", reason="", detail=detail)


def refuse(conn: Conn, run: int, reason: str, *, untyped: str | None = None) -> RunState:
    """No plan can be made: planning → refused. ``reason`` is one plain sentence for people; ``untyped`` the field
    whose type they may choose instead."""
    if untyped is not None:
        conn.execute(_sql["untyped"], {"run": run, "field": stored.text(untyped)})
    return states.move_run(conn, run, "refuse", reason=reason)


def replan(conn: Conn, run: int, **made: Unpack[Proposal]) -> bool:
    """Facts changed before the first effect and the plan was made again. True: same hash, approvals stand.

    With another hash the run is proposed anew, approvals are dropped and long locks given back. Raises
    ``AlreadyBegun`` after the first effect and ``NotThatState`` unless the run is proposed or running.
    """
    now = lock(conn, run)
    if now.state not in states.allowed(states.RUN, "replan"):
        raise NotThatState(f"run {run}", "replan", now.state)
    begun = conn.execute(_sql["begun"], {"run": run}).fetchone()
    if begun and begun["begun"]:
        raise AlreadyBegun(run)
    if made["hash"] == now.hash:
        _freshen(conn, now, made)
        return True
    locks.release_all(conn, run)
    for query in ("drop_steps", "forget_approvals"):
        conn.execute(_sql[query], {"run": run})
    _put(conn, run, made)
    detail = {"hash": made["hash"], "kept": False, "before": now.hash}
    states.move_run(conn, run, "replan", reason=CHANGED, detail=detail)
    return False


def _freshen(conn: Conn, run: Run, made: Proposal) -> None:
    conn.execute(
        _sql["freshen_plan"], {"run": run.id, "plan": stored.json(made["plan"]), "world": stored.json(made["world"])}
    )
    messages.touch(conn, messages.run_ref(run.id))
    detail = {"hash": run.hash, "kept": True}
    audit.append(conn, actor=audit.SYSTEM, action="replan", subject=messages.run_ref(run.id), detail=detail)


def _put(conn: Conn, run: int, made: Proposal) -> None:
    steps = made["steps"]
    values = {
        "run": run,
        "plan": stored.json(made["plan"]),
        "strategy": made["strategy"],
        "hash": made["hash"],
        "change_hash": made["change_hash"],
        "world": stored.json(made["world"]),
        "expires_at": made["expires_at"],
        "current_op": steps[0].op if steps else None,
    }
    conn.execute(_sql["put_plan"], values)
    first = min((step.block for step in steps), default=0)
    with conn.cursor() as cursor:
        cursor.executemany(
            _sql["add_step"], [_step_values(run, number, step, first) for number, step in enumerate(steps, 1)]
        )


def _step_values(run: int, number: int, step: NewStep, first: int) -> dict[str, Any]:
    return {
        "run": run,
        "number": number,
        "op": step.op,
        "params": stored.json(step.params),
        "title": stored.text(step.title),
        "gate": step.gate,
        "long": step.long,
        "block": step.block,
        "hold": step.hold,
        "reads": list(step.reads),
        "writes": list(step.writes),
        "touches": step.touches,
        "state": "gated" if step.block == first else "waiting",
    }


def first_of(run: Run) -> int:
    """The first run of the line that this one is in (``ledger.rests``); itself where it goes on with nothing."""
    return run.finishes or run.id


def lock(conn: Conn, run: int) -> Run:
    """The run as it is, and as it stays until the caller's transaction ends; ``NoSuchRun``."""
    with conn.cursor(row_factory=row_of(Run)) as cursor:
        row = cursor.execute(_sql["lock"], {"run": run}).fetchone()
    if row is None:
        raise NoSuchRun(run)
    return row


def get(conn: Conn, run: int) -> RunView:
    """All that a card shows, in one snapshot (inside a caller's transaction: in that one's); ``NoSuchRun``."""
    outermost = conn.info.transaction_status is TransactionStatus.IDLE
    with conn.transaction():
        if outermost:
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return _view(conn, run)


def _view(conn: Conn, run: int) -> RunView:
    with conn.cursor(row_factory=row_of(Run)) as cursor:
        row = cursor.execute(_sql["get"], {"run": run}).fetchone()
    if row is None:
        raise NoSuchRun(run)
    steps = steps_of(conn, run)
    with conn.cursor(row_factory=row_of(LockRow)) as cursor:
        taken = cursor.execute(_sql["locks"], {"run": run}).fetchall()
    return RunView(
        run=row,
        steps=tuple(step for step in steps if step.phase == "plan"),
        restore=tuple(step for step in steps if step.phase == "restore"),
        decisions=tuple(decisions_of(conn, run)),
        messages=tuple(messages.of_run(conn, run)),
        locks=tuple(taken),
        now=calendar(conn),
        followed=_followed(conn, row),
    )


def _followed(conn: Conn, run: Run) -> int | None:
    if run.state not in FINISHED:
        return None
    row = conn.execute(_sql["followed"], {"run": run.id, "first": first_of(run)}).fetchone()
    return row["id"] if row else None


def steps_of(conn: Conn, run: int) -> list[StepRow]:
    """The run's steps: the plan's in order, then the restore list's."""
    with conn.cursor(row_factory=row_of(StepRow)) as cursor:
        return cursor.execute(_sql["steps"], {"run": run}).fetchall()


def decisions_of(conn: Conn, run: int) -> list[Decision]:
    with conn.cursor(row_factory=row_of(Decision)) as cursor:
        return cursor.execute(_sql["decisions"], {"run": run}).fetchall()


def twin(conn: Conn, requester: str, environment: str, command: str, within_s: float) -> int | None:
    """The open run that the same person asked for in the same words less than ``within_s`` ago (machine's clock).

    Whoever asks the same at this moment waits until the caller's transaction has ended, and then finds its run.
    """
    conn.execute(_sql["alone"], {"requester": requester, "environment": environment, "command": command})
    values = {"requester": requester, "environment": environment, "command": command, "within_s": within_s}
    row = conn.execute(_sql["twin"], values).fetchone()
    return row["id"] if row else None


def listing(
    conn: Conn, *, environment: str | None = None, states: Iterable[RunState] | None = None, limit: int = 20
) -> list[Run]:
    """The newest runs first; ``states`` None means any."""
    values = {"environment": environment, "states": None if states is None else list(states), "limit": limit}
    with conn.cursor(row_factory=row_of(Run)) as cursor:
        return cursor.execute(_sql["listing"], values).fetchall()


def planning(conn: Conn, older_than_s: float) -> list[int]:
    """Runs still to be planned, to be rung again; each at most once in ``older_than_s`` seconds (machine's clock)."""
    return [row["id"] for row in conn.execute(_sql["planning"], {"older_than_s": older_than_s})]


def expire(conn: Conn) -> list[int]:
    """Proposed runs that nobody decided on in time become expired; their numbers."""
    with conn.transaction():
        lapsed: list[int] = [row["id"] for row in conn.execute(_sql["lapsed"])]
        for run in lapsed:
            states.move_run(conn, run, "expire", reason=LAPSED)
    return lapsed
