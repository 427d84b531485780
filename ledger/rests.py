"""What a run left stopped behind its end: who takes it up, and who is reminded until somebody has.

A run that goes on with another one names the first of its line in ``finishes``: run 9 goes on with run 7, run 12 with
what 9 left of it, and both name 7. At most one of a line is open. What the last one left becomes the restore list of
the next when that one begins, so that it cannot succeed before all of it is put back.
"""

from collections.abc import Sequence
from datetime import datetime

from ledger import approvals, audit, messages, runs, states
from ledger.connection import Conn, row_of
from ledger.queries import load
from ledger.values import FINISHED, Run, RunView, StepRow

_sql = load("rests")


def refusal(conn: Conn, run: Run, now: datetime) -> str | None:
    """Why nothing new may go on with this run, which is over; None if something may.

    Two who ask at once are told apart: the line is locked until the caller's transaction ends.
    """
    runs.lock(conn, runs.first_of(run))
    line = _line(conn, runs.first_of(run))
    at_it = next((each for each in line if each.state not in FINISHED), None)
    if at_it:
        return f"Run {at_it.id} goes on with what run {run.id} left already; it is {_state(at_it)}."
    begun = [each for each in line if each.started_at is not None]
    if begun and begun[-1].state == "succeeded":
        last = begun[-1]
        at = f" at {approvals.clock(last.finished_at, now)}" if last.finished_at else ""
        if last.id == run.id:
            return f"Run {run.id} has succeeded{at}; nothing of it is left to finish."
        return f"Run {last.id} finished what run {run.id} left{at}; nothing is left."
    return None


def begun(conn: Conn, first: int) -> tuple[RunView, ...]:
    """The runs of a line that began, oldest first. The last one's entries that are ``left`` are what is left."""
    return tuple(runs.get(conn, run.id) for run in _line(conn, first) if run.started_at is not None)


def take_over(conn: Conn, run: Run) -> None:
    """The run begins: what the last one of its line left is its own to put back from here on."""
    if run.finishes is None:
        return
    said = f"Run {run.id} took it up"
    conn.execute(_sql["take_over"], {"run": run.id, "first": run.finishes, "said": said})
    messages.touch(conn, *(messages.run_ref(each.id) for each in _line(conn, run.finishes) if each.id != run.id))


def stopped(conn: Conn, environment: str, *, every_s: float, again_s: float) -> list[int]:
    """The runs of which people must be reminded, ``every_s`` (calendar) after the last word on it: they left something
    stopped and nobody took it up, or they are held or paused while something is. Each is given out again only after
    ``again_s`` (machine's clock)."""
    values = {"environment": environment, "every_s": every_s, "again_s": again_s}
    return [row["id"] for row in conn.execute(_sql["stopped"], values)]


def reminded(conn: Conn, run: int, *, every_s: float) -> bool:
    """Note that people are reminded now. False: somebody else has done so."""
    return conn.execute(_sql["reminded"], {"run": run, "every_s": every_s}).fetchone() is not None


def back_by_hand(conn: Conn, run: int, entries: Sequence[tuple[StepRow, str]]) -> None:
    """What was left is as it should be again, though no run of ours did it; each entry with what was seen."""
    for entry, said in entries:
        states.move_step(conn, run, "restore", entry.number, "strike", said=said)
    if entries:
        audit.append(
            conn, actor=audit.SYSTEM, action="found back", subject=messages.run_ref(run),
            detail={"entries": [entry.title for entry, _ in entries]},
        )  # fmt: skip


def _line(conn: Conn, first: int) -> list[Run]:
    with conn.cursor(row_factory=row_of(Run)) as cursor:
        return cursor.execute(_sql["line"], {"first": first}).fetchall()


def _state(run: Run) -> str:
    return {"proposed": "waiting for approval", "planning": "being planned"}.get(run.state, run.state)
