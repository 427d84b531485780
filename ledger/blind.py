"""Environments that the watch no longer sees: no look has come to its end for too long. All by the machine's clock."""

from dataclasses import dataclass
from datetime import datetime

from ledger.connection import Conn, row_of
from ledger.queries import load

_sql = load("blind")


@dataclass(frozen=True)
class Blind:
    """``since``: the last look, or where there never was one the first that failed. ``trouble`` is why, where that is
    known."""

    since: datetime
    trouble: str


def of(conn: Conn, environment: str, *, after_s: float) -> Blind | None:
    """None while looks come, and before the first one was asked for."""
    with conn.cursor(row_factory=row_of(Blind)) as cursor:
        return cursor.execute(_sql["blind"], {"environment": environment, "after_s": after_s}).fetchone()


def looked_at(conn: Conn, environment: str) -> datetime | None:
    """When a look last came to its end."""
    row = conn.execute(_sql["looked_at"], {"environment": environment}).fetchone()
    return row["looked_at"] if row else None


def trouble(conn: Conn, environment: str) -> str | None:
    """What the last look went without, or why it did not come to its end; empty where it saw all. None before there
    was one."""
    row = conn.execute(_sql["trouble"], {"environment": environment}).fetchone()
    return str(row["trouble"] or "") if row else None
