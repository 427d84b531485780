"""The source Postgres: its catalog, slot, safe migrations and plain reads (facts/systems.md §2)."""

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

from systems import postgres_sql as questions
from systems.errors import SystemsError
from systems.permit import Permit
from systems.postgres_model import Blocker, ColumnInfo, SlotInfo, TableInfo
from systems.redact import redact

SYSTEM = "postgres"
CONNECT_S = 5
READ_S = 20.0
LOCK_NOT_AVAILABLE = "55P03"

# May go better later: lock and statement timeouts, deadlock, serialization, too many connections, shutting down.
_LATER = ("55P03", "57014", "40P01", "40001", "53300", "57P01", "57P02", "57P03", "25P03")
_PASSWORD = re.compile(r"password=\S+")


class Postgres:
    """One database. A connection a call: ticks are rare and a kept one would be one more thing to lose.

    ``read_s`` is the longest that a statement may take, in seconds.
    """

    def __init__(self, dsn: str, permit: Permit, *, schema: str = "public", read_s: float = READ_S) -> None:
        self._dsn = dsn
        self._permit = permit
        self._schema = schema
        self._read_s = read_s

    def permitted(self, permit: Permit) -> "Postgres":
        return Postgres(self._dsn, permit, schema=self._schema, read_s=self._read_s)

    # -- reading

    def catalog(self, *, publication: str, role: str) -> dict[str, TableInfo]:
        """Every table of the schema by name; ``role`` is the one whose SELECT is looked for."""
        asked = {"schema": self._schema, "publication": publication, "role": role, "table": None}
        with self._reading("the catalog") as connection:
            tables = connection.execute(questions.TABLES, asked).fetchall()
            columns = connection.execute(questions.COLUMNS, asked).fetchall()
            indexes = connection.execute(questions.INDEXES, asked).fetchall()
            published = connection.execute(questions.PUBLISHED, asked).fetchall()
        return _assemble(self._schema, tables, columns, indexes, published)

    def changes(self) -> dict[str, int]:
        """Inserts, updates and deletes by table since the statistics began: two readings give a rate."""
        with self._reading("table statistics") as connection:
            return dict(connection.execute(questions.CHANGES, {"schema": self._schema}).fetchall())

    def columns(self, table: str) -> dict[str, ColumnInfo]:
        """The table's columns by name; empty if there is no such table."""
        asked = {"schema": self._schema, "table": table}
        with self._reading(f"the columns of {table}") as connection:
            rows = connection.execute(questions.COLUMNS, asked).fetchall()
        return {row[1]: ColumnInfo(*row[1:]) for row in rows}

    def slot(self, name: str) -> SlotInfo | None:
        with self._reading(f"slot {name}") as connection:
            row = connection.execute(questions.SLOT, {"slot": name}).fetchone()
        return SlotInfo(row[0], row[1], row[2] or "lost", row[3], row[4]) if row else None

    def blockers(self, table: str) -> list[Blocker]:
        """Who holds a lock on the table, the oldest first."""
        name = f'"{self._schema}"."{table}"'
        with self._reading(f"locks on {table}") as connection:
            rows = connection.execute(questions.BLOCKERS, {"table": name}).fetchall()
        return [Blocker(row[0], row[1] or "", row[2] or "", row[3] or "", row[4] or 0) for row in rows]

    def read(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of one SELECT, read only. ``query`` is built by code, never from a person's words."""
        with self._reading("a query") as connection:
            return connection.execute(cast(LiteralString, query), parameters).fetchall()

    # -- changing

    def migrate(self, statements: str, *, lock_s: float = 3.0) -> None:
        """Run additive SQL in one transaction that gives up after ``lock_s`` of waiting for a lock (§2.2).

        Giving up is SQLSTATE 55P03: ``retryable``, and nothing was changed.
        """
        self._permit(SYSTEM, "migration")
        with self._connected("the migration") as connection, connection.transaction():
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(f"{int(lock_s * 1000)}ms"))
            connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(f"{int(self._read_s * 1000)}ms"))
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = '60s'")
            connection.execute(cast(LiteralString, statements))

    # -- connections

    @contextmanager
    def _reading(self, call: str) -> Generator[psycopg.Connection[tuple[Any, ...]]]:
        with self._connected(call) as connection:
            connection.read_only = True
            connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(f"{int(self._read_s * 1000)}ms"))
            yield connection

    @contextmanager
    def _connected(self, call: str) -> Generator[psycopg.Connection[tuple[Any, ...]]]:
        try:
            with psycopg.connect(self._dsn, connect_timeout=CONNECT_S, application_name="tbops") as connection:
                yield connection
        except psycopg.Error as exc:
            later = exc.sqlstate in _LATER or (exc.sqlstate is None and isinstance(exc, psycopg.OperationalError))
            raise SystemsError(SYSTEM, call, retryable=later, said=self._words(exc)) from exc

    def _words(self, exc: psycopg.Error) -> str:
        state = f" (SQLSTATE {exc.sqlstate})" if exc.sqlstate else ""
        return redact(_PASSWORD.sub("password=***", str(exc)), (self._dsn,)) + state


def is_lock_timeout(error: SystemsError) -> bool:
    """Whether a migration gave up waiting for a lock: nothing was changed, again later."""
    return error.system == SYSTEM and f"SQLSTATE {LOCK_NOT_AVAILABLE}" in error.said


_Rows = Sequence[tuple[Any, ...]]


def _assemble(schema: str, tables: _Rows, columns: _Rows, indexes: _Rows, published: _Rows) -> dict[str, TableInfo]:
    lists = {row[0]: row[1] for row in published}
    found: dict[str, TableInfo] = {}
    for oid, name, identity, granted, owned, rows, size, changes in tables:
        mine = [row for row in indexes if row[0] == oid and row[3] and all(row[3])]
        listed = lists.get(name)
        found[name] = TableInfo(
            schema=schema,
            name=name,
            columns=tuple(ColumnInfo(*row[1:]) for row in columns if row[0] == oid),
            primary_key=next((tuple(row[3]) for row in mine if row[1]), ()),
            unique=tuple(tuple(row[3]) for row in mine if row[2]),
            indexes=tuple(tuple(row[3]) for row in mine),
            identity=identity,
            published=name in lists,
            published_columns=tuple(listed) if listed else None,
            granted=granted,
            owned=owned,
            rows=rows,
            bytes=size,
            changes=changes,
        )
    return found
