"""Silences: subjects that people do not want to hear of, until a time or until somebody lifts it.

What is silenced is watched and kept as ever; nobody is called for it. Times are the calendar's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger import stored
from ledger.connection import Conn, row_of
from ledger.queries import load

_sql = load("silences")


@dataclass(frozen=True)
class Silence:
    """``until`` None: until it is lifted."""

    environment: str
    subject: str
    name: str
    actor: str
    reason: str
    until: datetime | None
    at: datetime


def silence(
    conn: Conn,
    environment: str,
    subject: str,
    *,
    name: str,
    actor: str,
    until: datetime | None = None,
    reason: str = "",
) -> bool:
    """Silence a subject. False if it is silent already; that silence stays as it is. Who may is asked before."""
    values = {"environment": environment, "subject": subject, "name": stored.text(name), "actor": actor}
    values |= {"until": until, "reason": stored.text(reason)}
    return conn.execute(_sql["silence"], values).fetchone() is not None


def lift(conn: Conn, environment: str, subject: str) -> bool:
    """False if nothing silences it."""
    return conn.execute(_sql["lift"], {"environment": environment, "subject": subject}).fetchone() is not None


def lapse(conn: Conn) -> Sequence[Silence]:
    """Those whose time is over, each told to one caller."""
    with conn.cursor(row_factory=row_of(Silence)) as cursor:
        return cursor.execute(_sql["lapse"]).fetchall()


def of(conn: Conn, environment: str, subject: str) -> Silence | None:
    """What silences a subject now."""
    return next((s for s in standing(conn, environment) if s.subject == subject), None)


def standing(conn: Conn, environment: str | None = None) -> Sequence[Silence]:
    """Every silence that is not over, of one environment or of all, in the order of names."""
    with conn.cursor(row_factory=row_of(Silence)) as cursor:
        return cursor.execute(_sql["standing"], {"environment": environment}).fetchall()
