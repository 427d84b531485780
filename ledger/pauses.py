"""Copies that runs keep from running by their schedules: those that people had stopped, and what the watch excuses."""

from dataclasses import dataclass
from datetime import datetime

from ledger.connection import Conn, row_of
from ledger.queries import load

EXCUSED_S = 86_400.0  # so long nobody asks after a pause that no hold ends

_sql = load("pauses")


@dataclass(frozen=True)
class Stopped:
    """A copy whose schedule people had stopped. ``at`` is the calendar's; ``note`` is empty where none was given.
    Somebody may have started it in Tinybird."""

    pipe: str
    run: int
    actor: str
    at: datetime
    note: str


@dataclass(frozen=True)
class Pause:
    """A copy that a run has paused. Until ``until`` nobody misses it; ``by_hand``: the run was asked for that and no
    more, and has succeeded."""

    pipe: str  # its name: steps know pipes by it
    run: int
    until: datetime
    by_hand: bool = False


def stopped(conn: Conn, environment: str) -> dict[str, Stopped]:
    """By pipe, until a run starts it again: by whom, when and why."""
    with conn.cursor(row_factory=row_of(Stopped)) as cursor:
        return {row.pipe: row for row in cursor.execute(_sql["stopped"], {"environment": environment}).fetchall()}


def excusing(conn: Conn, environment: str) -> dict[str, Pause]:
    """By pipe: what runs have paused and not resumed, be its time up or not. Of several the one that lasts longest."""
    values = {"environment": environment, "otherwise_s": EXCUSED_S}
    with conn.cursor(row_factory=row_of(Pause)) as cursor:
        return {row.pipe: row for row in cursor.execute(_sql["excusing"], values).fetchall()}
