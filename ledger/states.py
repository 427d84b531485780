"""The states of runs and steps, once, as a table, and the only two ways to change one.

A transition is one compare-and-set: two who want different things of the same run at the same moment
cannot both have it. Each raises the run's ``rev`` and its messages' ``wanted_rev`` and writes an audit line,
in the caller's transaction.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ledger import audit, messages, stored
from ledger.connection import Conn
from ledger.errors import NotThatState
from ledger.queries import load
from ledger.values import FINISHED, Phase, RunState, StepState

RUN: tuple[tuple[RunState, str, RunState], ...] = (
    ("planning", "propose", "proposed"),
    ("planning", "refuse", "refused"),
    ("proposed", "replan", "proposed"),
    ("running", "replan", "proposed"),  # only before the first effect, and only if the new plan has another hash
    ("proposed", "approve", "running"),
    ("proposed", "reject", "rejected"),
    ("proposed", "expire", "expired"),
    ("running", "pause", "paused"),
    ("paused", "resume", "running"),
    ("running", "hold", "held"),
    ("held", "accept", "running"),
    ("held", "retry", "running"),
    ("running", "succeed", "succeeded"),
    ("running", "restore", "restoring"),
    ("paused", "restore", "restoring"),
    ("held", "restore", "restoring"),
    ("restoring", "fail", "failed"),
    ("restoring", "abort", "aborted"),
    ("restoring", "expire", "expired"),
)

STEP: tuple[tuple[StepState, str, StepState], ...] = (
    ("waiting", "gate", "gated"),
    ("gated", "approve", "ready"),
    ("ready", "act", "acting"),
    ("ready", "finish", "done"),  # looked at and found so
    ("acting", "finish", "done"),
    ("ready", "fail", "failed"),
    ("acting", "fail", "failed"),
    ("failed", "retry", "ready"),
    ("gated", "finish", "done"),  # people did it elsewhere
    ("waiting", "skip", "skipped"),
    ("gated", "skip", "skipped"),
    ("ready", "skip", "skipped"),
)

RESTORE: tuple[tuple[StepState, str, StepState], ...] = (
    ("listed", "act", "acting"),
    ("listed", "strike", "struck"),  # the plan's own step, or somebody, has put it back
    ("acting", "finish", "done"),
    ("listed", "leave", "left"),
    ("acting", "leave", "left"),
    ("left", "strike", "struck"),  # somebody has put it back since
)

STEP_FINISHED: frozenset[StepState] = frozenset({"done", "failed", "skipped", "struck", "left"})

_sql = load("states")


def allowed(table: Iterable[tuple[str, str, str]], event: str) -> dict[str, str]:
    """From which states ``event`` leads where."""
    return {before: after for before, name, after in table if name == event}


def move_run(
    conn: Conn,
    run: int,
    event: str,
    *,
    reason: str | None = None,
    actor: str = audit.SYSTEM,
    detail: Mapping[str, Any] | None = None,
) -> RunState:
    """Change a run's state, or raise ``NotThatState`` and change nothing.

    ``reason`` is the plain sentence shown beside the state; None keeps the one there. A finished run is no
    longer due; leaving ``held`` forgets what held it.
    """
    moves = allowed(RUN, event)
    values = {"run": run, "reason": None if reason is None else stored.text(reason), "finished": sorted(FINISHED)}
    moved = conn.execute(_sql["move_run"], {**values, **_columns(moves)}).fetchone()
    if moved is None:
        known = conn.execute(_sql["run_state"], {"run": run}).fetchone()
        raise NotThatState(f"run {run}", event, known["state"] if known else None)
    messages.touch(conn, messages.run_ref(run))
    said = {"from": moved["before"], "to": moved["state"], **({"reason": reason} if reason else {}), **(detail or {})}
    audit.append(conn, actor=actor, action=event, subject=messages.run_ref(run), detail=said)
    return cast(RunState, moved["state"])


def move_step(
    conn: Conn, run: int, phase: Phase, number: int, event: str, *, said: str | None = None, actor: str = audit.SYSTEM
) -> StepState:
    """Change a step's state, or raise ``NotThatState`` and change nothing. ``said`` None keeps what is there."""
    moves = allowed(STEP if phase == "plan" else RESTORE, event)
    key = {"run": run, "phase": phase, "number": number}
    values = {**key, "said": None if said is None else stored.text(said), "finished": sorted(STEP_FINISHED)}
    values |= {"run_ref": messages.run_ref(run), "step_ref": messages.step_ref(run, number)}
    moved = conn.execute(_sql["move_step"], {**values, **_columns(moves)}).fetchone()
    if moved is None:
        known = conn.execute(_sql["step_state"], key).fetchone()
        raise NotThatState(f"step {number} ({phase}) of run {run}", event, known["state"] if known else None)
    subject = f"{messages.run_ref(run)}/{'step' if phase == 'plan' else 'restore'}/{number}"
    detail = {"from": moved["before"], "to": moved["state"], **({"said": said} if said else {})}
    audit.append(conn, actor=actor, action=event, subject=subject, detail=detail)
    return cast(StepState, moved["state"])


def move_block(conn: Conn, run: int, block: int, event: str) -> list[int]:
    """Change the state of every step of a block that allows it; their numbers.

    Part of a decision, which raises ``rev`` and writes the audit line for all of it.
    """
    moved = conn.execute(_sql["move_block"], {"run": run, "block": block, **_columns(allowed(STEP, event))})
    return sorted(row["number"] for row in moved)


def _columns(moves: Mapping[str, str]) -> dict[str, list[str]]:
    return {"before": list(moves), "after": list(moves.values())}
