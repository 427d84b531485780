"""Connections to the ledger's Postgres.

Every connection is in autocommit: a transaction is always written down as ``with conn.transaction():``,
and whoever changes state does it inside one that the caller opened.
"""

import select
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar, cast

from psycopg import Connection, Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import FeatureNotSupported
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

Conn = Connection[DictRow]

# A statement of ours takes milliseconds. One that waits longer than this waits for a lock somebody lost.
_OPTIONS = "-c timezone=UTC -c statement_timeout=15s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"

# Nobody asks a silent connection whether it lives, so the kernel does: a host that is gone is noticed in 30 s.
_ALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}

# The pool tries again after 1, 2, 4, … s and would then sleep through the return of a Postgres that was long away:
# it gives up early instead, and whoever asks next (the sweep, each second) begins anew.
_RECONNECT_S = 2.0

_Row = TypeVar("_Row")


class Pool(ConnectionPool[Conn]):
    """Connections that outlive a migration: a statement prepared before a column was added fails ever after ("cached
    plan must not change result type"), so that its connection is not used again."""

    @contextmanager
    def connection(self, timeout: float | None = None) -> Generator[Conn]:
        with super().connection(timeout) as conn:
            try:
                yield conn
            except FeatureNotSupported:
                conn.close()
                raise


def connect(dsn: str, *, name: str) -> Conn:
    """One connection; ``name`` is what the server shows of it ("tbops bot")."""
    return Conn.connect(**_arguments(dsn, name))


def open_pool(dsn: str, *, name: str, min_size: int = 1, max_size: int = 8) -> Pool:
    """An opened pool. A connection that Postgres has dropped is replaced when it is asked for, not handed out."""
    return Pool(
        "",
        connection_class=Conn,
        kwargs=_arguments(dsn, name),
        min_size=min_size,
        max_size=max_size,
        timeout=5.0,
        reconnect_timeout=_RECONNECT_S,
        check=_check,
        name=name,
        open=True,
    )


def _arguments(dsn: str, name: str) -> dict[str, Any]:
    given = conninfo_to_dict(dsn)
    # the caller's options come last and so win: the sandbox adds `-c tbops.clock=sandbox`
    options = f"{_OPTIONS} {given.get('options') or ''}".strip()
    own = {"options": options, "application_name": name, "row_factory": dict_row, "autocommit": True}
    return {"connect_timeout": 3, **_ALIVE, **given, **own}


def _check(conn: Conn) -> None:
    """Raise for a connection that has been closed. One that is silent has not been: who closes says so, and to ask
    would be a round trip for everybody who borrows."""
    said = select.poll()
    said.register(conn.fileno(), select.POLLIN)
    if said.poll(0):
        ConnectionPool.check_connection(cast(Connection[Any], conn))


def calendar(conn: Conn) -> datetime:
    """Calendar time in UTC: ``ledger.now()``. Leases and Slack use the machine's clock instead."""
    row = conn.execute("SELECT ledger.now() AS now").fetchone()
    assert row is not None
    return row["now"]


def row_of(kind: type[_Row]) -> Callable[[Cursor[Any]], Callable[[Sequence[Any]], _Row]]:
    """A row factory that makes ``kind`` (a dataclass) of the columns it names and passes over others.

    Passing over is what lets this code run on the next schema, which may have more columns.
    """
    wanted = _columns(kind)

    def factory(cursor: Cursor[Any]) -> Callable[[Sequence[Any]], _Row]:
        columns = [column.name for column in cursor.description or ()]
        known = [(at, name) for at, name in enumerate(columns) if name in wanted]
        return lambda values: kind(**{name: values[at] for at, name in known})

    return factory


def pick(kind: type[_Row], row: DictRow) -> _Row:
    """The same for one row that also carries other things."""
    return kind(**{name: row[name] for name in _columns(kind)})


def _columns(kind: type[Any]) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))
