"""The source Postgres: its catalog, slot, safe migrations and plain reads (facts/systems.md §2)."""

import re
import select
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn

from systems import postgres_sql as questions
from systems.errors import SystemsError
from systems.permit import Permit
from systems.postgres_model import (
    Blocker,
    ColumnInfo,
    IndexInfo,
    PartitionIndex,
    PartitionInfo,
    ReplicationInfo,
    SlotInfo,
    TableInfo,
)
from systems.redact import redact

SYSTEM = "postgres"
CONNECT_S = 5
READ_S = 20.0

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

    def replication(self, table: str, *, publication: str, role: str) -> ReplicationInfo | None:
        """How far the table is on its way into the publication; None if there is no such table."""
        asked = {"schema": self._schema, "table": table, "publication": publication, "role": role}
        with self._reading(f"the publication of {table}") as connection:
            row = connection.execute(questions.REPLICATION, asked).fetchone()
        if row is None:
            return None
        identity, partitioned, owned, published, granted, role_exists, exists, publication_owned, via_root = row[:9]
        left, alone, listed, unsent, refuses_unsent = row[9:]
        return ReplicationInfo(
            full=identity == "f",
            partitioned=partitioned,
            owned=owned,
            published=published,
            granted=granted,
            role_exists=role_exists,
            publication_exists=exists,
            publication_owned=publication_owned,
            via_root=via_root,
            partitions=tuple(left),
            alone=alone,
            listed=listed,
            unsent=tuple(unsent),
            refuses_unsent=refuses_unsent,
        )

    def index(self, name: str) -> IndexInfo | None:
        """An index and whether somebody builds it; None if there is none of that name."""
        with self._reading(f"the index {name}") as connection:
            row = connection.execute(questions.INDEX, {"schema": self._schema, "index": name}).fetchone()
        return IndexInfo(*row) if row else None

    def unique_index(self, table: str, columns: Sequence[str]) -> str | None:
        """The name of a unique index over exactly these columns that could become the primary key."""
        asked = {"schema": self._schema, "table": table, "columns": list(columns)}
        with self._reading(f"the unique indexes of {table}") as connection:
            row = connection.execute(questions.UNIQUE_INDEX, asked).fetchone()
        return row[0] if row else None

    def partitions(self, table: str, columns: Sequence[str]) -> tuple[PartitionInfo, ...]:
        """A partitioned table, first, and all its partitions, with their indexes over exactly these columns; empty if
        there is no partitioned table of that name."""
        asked = {"schema": self._schema, "table": table, "columns": list(columns)}
        with self._reading(f"the partitions of {table}") as connection:
            rows = connection.execute(questions.PARTITIONS, asked).fetchall()
            of = {**asked, "ids": [row[0] for row in rows]}
            indexes = connection.execute(questions.PARTITION_INDEXES, of).fetchall()
        mine = ((row, tuple(PartitionIndex(*index[1:]) for index in indexes if index[0] == row[0])) for row in rows)
        return tuple(PartitionInfo(*row, indexes=found) for row, found in mine)

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

    def begin(self, statement: str) -> None:
        """Have Postgres begin what may take hours and cannot be in a transaction (CREATE INDEX CONCURRENTLY). It waits
        for locks without an end, so it must be of the kind that nobody queues behind.

        Returns once it is done, or after ``read_s``: the connection is then closed without a cancel, and the server
        goes on by itself, as it looks for its client only when it has something to say.
        """
        self._permit(SYSTEM, "migration")
        with self._connected("the migration") as connection:
            connection.autocommit = True
            for unlimited in ("lock_timeout", "statement_timeout", "client_connection_check_interval"):
                connection.execute(sql.SQL("SET {} = 0").format(sql.Identifier(unlimited)))
            wire = connection.pgconn
            wire.send_query(statement.encode())
            self._awaited(wire)

    def _awaited(self, wire: PGconn) -> None:
        deadline = time.monotonic() + self._read_s
        wire.flush()
        while wire.is_busy():
            left = deadline - time.monotonic()
            if left <= 0:
                wire.finish()
                return
            select.select([wire.socket], [], [], left)
            wire.consume_input()
        result = wire.get_result()
        while wire.get_result() is not None:  # the connection takes nothing else before it has told all
            pass
        if result is not None and result.status == ExecStatus.FATAL_ERROR:
            state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
            said = redact(result.error_message.decode(errors="replace"), (self._dsn,)) + f" (SQLSTATE {state})"
            raise SystemsError(SYSTEM, "the migration", retryable=state in _LATER, said=said)

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


_Rows = Sequence[tuple[Any, ...]]


def _assemble(schema: str, tables: _Rows, columns: _Rows, indexes: _Rows, published: _Rows) -> dict[str, TableInfo]:
    lists = {row[0]: row[1] for row in published}
    filters = {row[0]: row[2] for row in published}
    wholesale = {row[0] for row in published if row[3]}
    found: dict[str, TableInfo] = {}
    for oid, name, identity, granted, owned, rows, size, changes, partitioned, *told in tables:
        heirs, unsent, refuses, veiled, veiled_there = told
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
            partitioned=partitioned,
            heirs=tuple(heirs),
            wholesale=name in wholesale,
            row_filter=filters.get(name, ""),
            unsent=tuple(unsent),
            refuses_unsent=refuses,
            veiled=veiled,
            veiled_there=veiled_there,
        )
    return found
