"""Everything people sent, stored once before it is acknowledged and handled once afterwards."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ledger import stored
from ledger.connection import Conn, row_of
from ledger.queries import load
from ledger.values import InboxRow

MOST_ATTEMPTS = 3  # a row that failed so often is parked: the fault is in it, and it would fail for ever

_sql = load("inbox")


@dataclass(frozen=True)
class Accepted:
    """``new`` is False for a delivery that came before: it is acknowledged again and handled once."""

    id: int
    new: bool


def accept(conn: Conn, *, dedup: str, kind: str, payload: dict[str, Any]) -> Accepted:
    """Store a delivery durably: when this returns outside a transaction, it survives any crash."""
    key = stored.text(dedup)
    row = conn.execute(_sql["accept"], {"dedup": key, "kind": kind, "payload": stored.json(payload)}).fetchone()
    if row:
        return Accepted(row["id"], new=True)
    # DO NOTHING waited for the other insert to commit, so it is there to be seen
    known = conn.execute(_sql["known"], {"dedup": key}).fetchone()
    assert known is not None
    return Accepted(known["id"], new=False)


@contextmanager
def handling(conn: Conn, inbox: int) -> Generator[InboxRow | None]:
    """Handle a row in one transaction with everything that follows from it.

    Gives None when it is handled already or somebody else is at it. If the block raises, all it did is
    rolled back, the attempt is counted (see ``fail``) and the error goes on.
    """
    try:
        with conn.transaction():
            yield take(conn, inbox)
    except Exception as broken:
        if not conn.broken:
            fail(conn, inbox, f"{type(broken).__name__}: {broken}")
        raise


def take(conn: Conn, inbox: int) -> InboxRow | None:
    """Lock the row until the caller's transaction ends; None if it is handled or another transaction has it."""
    with conn.cursor(row_factory=row_of(InboxRow)) as cursor:
        return cursor.execute(_sql["take"], {"id": inbox}).fetchone()


def finish(conn: Conn, inbox: int, outcome: str) -> None:
    """Mark it handled, in the caller's transaction. ``outcome`` is for operators: "run 7", "refused"."""
    conn.execute(_sql["finish"], {"id": inbox, "outcome": stored.text(outcome)})


def fail(conn: Conn, inbox: int, why: str) -> bool:
    """Count a failed attempt, outside the transaction that failed. True when that was the last one and it is parked."""
    row = conn.execute(_sql["fail"], {"id": inbox, "why": stored.text(why)[:500], "most": MOST_ATTEMPTS}).fetchone()
    return bool(row and row["parked"])


def unhandled(conn: Conn, older_than_s: float) -> list[int]:
    """Rows not handled and received longer ago than that, oldest first, at most 100: their bell was not heard."""
    return [row["id"] for row in conn.execute(_sql["unhandled"], {"older_than_s": older_than_s})]


def remind(conn: Conn, older_than_s: float) -> list[InboxRow]:
    """The rows whose sender must now be told that no worker has taken them yet. Each is given out once, ever."""
    with conn.cursor(row_factory=row_of(InboxRow)) as cursor:
        return cursor.execute(_sql["remind"], {"older_than_s": older_than_s}).fetchall()
