"""Locks: rows, so that they outlive the worker that took them and people can be told who holds what.

A resource is ``<environment>/<kind>/<name>``: ``production/table/members``, ``production/slot/sequin_slot``.
Long locks (the table, its copies and their targets) are held for the run; short ones (connector, slot, copy
quota) by the steps that need them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Rollback

from ledger.connection import Conn
from ledger.queries import load

_sql = load("locks")


@dataclass(frozen=True)
class Held:
    """What another run holds; ``until`` is the end that its plan foretells, None where it does not."""

    resource: str
    run: int
    at: datetime
    until: datetime | None


def take_long(conn: Conn, run: int, resources: Sequence[str], until: datetime | None = None) -> Held | None:
    """Lock all of them for the run, or none. None: they are the run's. ``Held`` names the first that is not."""
    return _take(conn, run, resources, long=True, until=until)


def take_short(conn: Conn, run: int, resources: Sequence[str]) -> Held | None:
    """The same for the time of a step; what the run holds already stays as it is."""
    return _take(conn, run, resources, long=False, until=None)


def _take(conn: Conn, run: int, resources: Sequence[str], *, long: bool, until: datetime | None) -> Held | None:
    if not resources:
        return None
    values: dict[str, Any] = {"run": run, "resources": list(resources), "long": long, "until": until}
    held: Held | None = None
    with conn.transaction() as attempt:
        conn.execute(_sql["take"], values)
        row = conn.execute(_sql["foreign"], values).fetchone()
        if row is not None:
            held = Held(**row)
            raise Rollback(attempt)
    return held


def holder(conn: Conn, resource: str, *, but: int) -> Held | None:
    """Who holds the resource now, other than the run ``but``."""
    row = conn.execute(_sql["foreign"], {"resources": [resource], "run": but}).fetchone()
    return Held(**row) if row else None


def release(conn: Conn, run: int, resources: Sequence[str]) -> None:
    """Give short locks back. Long ones stay until the run's end."""
    conn.execute(_sql["release"], {"run": run, "resources": list(resources)})


def release_all(conn: Conn, run: int) -> None:
    """The run is over: give everything back."""
    conn.execute(_sql["release_all"], {"run": run})
