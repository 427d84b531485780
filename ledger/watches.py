"""What the watch knows: how far it has seen of each environment, and what it remembers of each pipe."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ledger import stored
from ledger.connection import Conn
from ledger.queries import load

_sql = load("watches")


def elect(conn: Conn, environments: Sequence[str], *, every_s: float) -> list[str]:
    """The environments not looked at for ``every_s`` (machine's clock); each is given to one caller only."""
    values = {"environments": list(environments), "every_s": every_s}
    return [row["environment"] for row in conn.execute(_sql["elect"], values)]


def seen(conn: Conn, environment: str) -> datetime | None:
    """The platform's time of the last look that came to its end; None before the first."""
    return _seen(conn, "seen", environment)


def begin(conn: Conn, environment: str) -> datetime | None:
    """The same, and until the caller's transaction ends no other look of this environment is folded in."""
    return _seen(conn, "begin", environment)


def looked(conn: Conn, environment: str, until: datetime, *, trouble: str) -> None:
    """A look has come to its end, and everything up to ``until`` is told. ``trouble``: what it went without."""
    values = {"environment": environment, "seen": until.isoformat(), "trouble": stored.text(trouble)}
    conn.execute(_sql["looked"], values)


def failing(conn: Conn, environment: str, why: str) -> None:
    """A look has not come to its end; ``why`` in a plain sentence."""
    conn.execute(_sql["failing"], {"environment": environment, "trouble": stored.text(why)})


def remembered(conn: Conn, environment: str) -> tuple[int, datetime | None]:
    """Of how many subjects something is remembered, and when that last changed (the machine's clock)."""
    row = conn.execute(_sql["remembered"], {"environment": environment}).fetchone()
    assert row is not None
    return row["subjects"], row["changed"]


def histories(conn: Conn, environment: str, *, since: datetime | None = None) -> dict[str, Mapping[str, Any]]:
    """What is remembered, by subject; of those that changed at ``since`` or later."""
    values = {"environment": environment, "since": since}
    return {row["subject"]: row["history"] for row in conn.execute(_sql["histories"], values)}


def names(conn: Conn, environment: str) -> dict[str, str]:
    """The subjects of which something is remembered, by what they were called in the last look."""
    return {row["name"]: row["subject"] for row in conn.execute(_sql["names"], {"environment": environment})}


def remember(conn: Conn, environment: str, changed: Mapping[str, Mapping[str, Any]], gone: Iterable[str]) -> None:
    """What is remembered now of the subjects that changed; of those that are ``gone`` nothing is."""
    if changed:
        with conn.cursor() as cursor:
            cursor.executemany(
                _sql["remember"],
                [
                    {"environment": environment, "subject": subject, "history": stored.json(history)}
                    for subject, history in changed.items()
                ],
            )
    if subjects := list(gone):
        conn.execute(_sql["forget"], {"environment": environment, "subjects": subjects})


def _seen(conn: Conn, query: str, environment: str) -> datetime | None:
    row = conn.execute(_sql[query], {"environment": environment}).fetchone()
    if row is None or not row["seen"]:
        return None
    read = datetime.fromisoformat(row["seen"])
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read
