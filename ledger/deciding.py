"""What every decision shares: who decides what on which run, what comes of it, and how it is kept.

``decisions.sql`` is the only file that inserts a decision; each goes in here, with its audit line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from config.settings import Rules
from ledger import approvals, audit, messages, runs, stored
from ledger.connection import Conn
from ledger.policy import person
from ledger.queries import load
from ledger.values import Run

Decided = Literal["approve", "reject", "pause", "resume", "abort", "retry", "accept", "restore"]

_sql = load("decisions")


@dataclass(frozen=True)
class Verdict:
    """``said`` is one plain sentence for the actor. ``unacknowledged`` are the slugs of the warnings that an
    approval must name and did not. After an accepted one ring ``tick`` for the run and ``publish`` for
    ``messages.behind_of(conn, run)``. ``goes_on``: a retry of a run that is over; in the same transaction a new run
    is to be created that ``finishes`` this one."""

    accepted: bool
    said: str
    unacknowledged: tuple[str, ...] = ()
    goes_on: int | None = None


@dataclass(frozen=True)
class Click:
    """What is decided, on a run that is locked; ``now`` is the calendar's."""

    rules: Rules
    actor: str
    action: Decided
    run: Run
    now: datetime
    block: int | None
    up_to: int | None
    hash: str | None
    inbox: int | None
    reason: str
    acknowledge: tuple[str, ...]


def record(conn: Conn, click: Click, block: int | None = None, *, operates: bool = False) -> None:
    """Keep the decision, with its audit line. ``operates``: it is no approval yet, but that the request will be one."""
    action = "operate" if operates else click.action
    approving = action == "approve"
    acknowledged = warned(click) if approving else []
    values = {
        "run": click.run.id,
        "block": block,
        "action": action,
        "actor": click.actor,
        "hash": click.run.hash,
        "reason": click.reason,
        "inbox": click.inbox,
        "until": click.now + timedelta(seconds=click.rules.approval_life_s) if approving else None,
        "acknowledged": stored.json(acknowledged),
    }
    conn.execute(_sql["insert"], values)
    detail = {"decision": action, "block": block, "hash": click.run.hash, "reason": click.reason}
    subject = messages.run_ref(click.run.id)
    audit.append(
        conn, actor=click.actor, action="decide", subject=subject, detail={**detail, "acknowledged": acknowledged}
    )


def warned(click: Click) -> list[str]:
    """The warnings of this plan that this click acknowledges."""
    return sorted({hazard["slug"] for hazard in approvals.hazards(click.run, "warning")} & {*click.acknowledge})


def changed(conn: Conn, run: int) -> None:
    """The run's card shows something else now."""
    messages.touch(conn, messages.run_ref(run))


def was(conn: Conn, run: Run, actions: Sequence[str], what: str, now: datetime) -> str:
    """ "Run 7 is paused already, by @ben at 10:02 UTC." """
    made = [decision for decision in runs.decisions_of(conn, run.id) if decision.action in actions]
    by = f", by {person(made[-1].actor)} at {approvals.clock(made[-1].at, now)}" if made else ""
    return f"Run {run.id} {what}{by}."
