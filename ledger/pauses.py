"""Copies whose schedules people have stopped: by whom, when and why, until a run starts them again."""

from dataclasses import dataclass
from datetime import datetime

from ledger.connection import Conn, row_of
from ledger.queries import load

_sql = load("pauses")


@dataclass(frozen=True)
class Pause:
    """``at`` is the calendar's; ``note`` is empty where none was given. Somebody may have started it in Tinybird."""

    pipe: str
    run: int
    actor: str
    at: datetime
    note: str


def standing(conn: Conn, environment: str) -> dict[str, Pause]:
    """By pipe."""
    with conn.cursor(row_factory=row_of(Pause)) as cursor:
        return {row.pipe: row for row in cursor.execute(_sql["standing"], {"environment": environment}).fetchall()}
