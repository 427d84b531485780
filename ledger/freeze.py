"""The freeze: while it stands no run of the environment begins an effect. Looking goes on, restoring too."""

from dataclasses import dataclass
from datetime import datetime

from ledger import audit, stored
from ledger.connection import Conn, row_of
from ledger.queries import load

EVERYWHERE = "*"

_sql = load("freeze")


@dataclass(frozen=True)
class Freeze:
    environment: str
    actor: str
    reason: str
    at: datetime


def freeze(conn: Conn, environment: str, *, actor: str, reason: str = "") -> bool:
    """Freeze an environment, or ``*``. False if it is frozen already; that freeze stays as it is.

    Who may is asked before, by ``decisions.may``.
    """
    with conn.transaction():
        values = {"environment": environment, "actor": actor, "reason": stored.text(reason)}
        if conn.execute(_sql["freeze"], values).fetchone() is None:
            return False
        subject = f"environment/{environment}"
        audit.append(conn, actor=actor, action="freeze", subject=subject, detail={"reason": reason})
    return True


def unfreeze(conn: Conn, environment: str, *, actor: str) -> bool:
    """Lift the freeze and have waiting runs look again. False if there is none."""
    with conn.transaction():
        if conn.execute(_sql["unfreeze"], {"environment": environment}).fetchone() is None:
            return False
        conn.execute(_sql["wake"], {"environment": environment})
        audit.append(conn, actor=actor, action="unfreeze", subject=f"environment/{environment}")
    return True


def standing(conn: Conn, environment: str) -> Freeze | None:
    """What freezes this environment now, its own freeze or the one for all."""
    with conn.cursor(row_factory=row_of(Freeze)) as cursor:
        return cursor.execute(_sql["standing"], {"environment": environment}).fetchone()


def all_standing(conn: Conn, environment: str | None = None) -> list[Freeze]:
    """Every freeze that stands, or those that touch one environment."""
    with conn.cursor(row_factory=row_of(Freeze)) as cursor:
        return cursor.execute(_sql["all_standing"], {"environment": environment}).fetchall()
