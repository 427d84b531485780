"""Tables that runs set aside: people are reminded when the retire date has come, until the table is gone.

A kept table escapes erasure that goes by name (facts/procedures.md §2.15), so it must not be forgotten.
"""

from ledger import audit, messages
from ledger.connection import Conn
from ledger.queries import load

EVERY_S = 86_400.0  # by the calendar: so often people are reminded

_sql = load("kept")


def due(conn: Conn, environment: str, *, again_s: float, every_s: float = EVERY_S) -> list[int]:
    """The runs whose kept table is past its date, ``every_s`` after the last reminder, while no run that drops it is
    open; and those of which one has dropped it, which is still to be noted.

    Each is given out again only after ``again_s`` (machine's clock).
    """
    values = {"environment": environment, "every_s": every_s, "again_s": again_s}
    return [row["id"] for row in conn.execute(_sql["due"], values)]


def gone(conn: Conn, run: int) -> None:
    """The table is no longer there, whoever dropped it."""
    if conn.execute(_sql["gone"], {"run": run}).fetchone() is not None:
        audit.append(conn, actor=audit.SYSTEM, action="kept table gone", subject=messages.run_ref(run))
        messages.touch(conn, messages.run_ref(run))


def reminded(conn: Conn, run: int, *, every_s: float = EVERY_S) -> bool:
    """Note that people are reminded now. False: somebody else has done so."""
    return conn.execute(_sql["reminded"], {"run": run, "every_s": every_s}).fetchone() is not None
