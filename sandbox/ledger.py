"""The product's own database, seen from outside: emptied on reset, told the platform's time.

The tables belong to the product (``tbops init-db`` makes them); the sandbox knows only the schema's
name, the clock's table, that migrations are not data, and that a migration may leave rows behind
(the head of a chain) which belong to the empty ledger.
"""

import threading

import psycopg
from psycopg import sql

from sandbox.postgres import LEDGER
from sandbox.standin import World

_DATA_TABLES = """
    SELECT tablename FROM pg_tables
    WHERE schemaname = 'ledger' AND tablename <> 'clock' AND tablename NOT LIKE '%migration%'
"""


class Ledger:
    def __init__(self, world: World) -> None:
        self._world = world
        self._first_rows: dict[str, bytes] = {}  # table: what `tbops init-db` put in it, as COPY writes it
        self._clock_lock = threading.Lock()
        self._clock_writer: psycopg.Connection | None = None

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._world.dsn(LEDGER), autocommit=True)

    def write_clock(self) -> None:
        """Tell ``ledger.now()`` what time the platform has. Does nothing before ``tbops init-db``."""
        with self._clock_lock:
            try:
                self._clock_writer = self._clock_writer or self._connect()
                self._write_clock(self._clock_writer)
            except psycopg.OperationalError:  # Postgres was restarted, or a reset has cut the connection
                self._clock_writer = self._connect()
                self._write_clock(self._clock_writer)

    def _write_clock(self, connection: psycopg.Connection) -> None:
        clock = self._world.clock
        with connection.transaction():
            if connection.execute("SELECT to_regclass('ledger.clock')").fetchone() == (None,):
                return
            connection.execute("DELETE FROM ledger.clock")
            connection.execute(
                "INSERT INTO ledger.clock (origin, wall, speed, advanced)"
                " VALUES (to_timestamp(%s), to_timestamp(%s), %s, make_interval(secs => %s))",
                (clock.origin, clock.started, clock.speed, clock.advanced_s),
            )

    def remember(self) -> None:
        """Keep what ``tbops init-db`` has put into the tables: a reset brings it back."""
        with self._connect() as connection, connection.cursor() as cursor:
            for (table,) in cursor.execute(_DATA_TABLES).fetchall():
                with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier("ledger", table))) as rows:
                    self._first_rows[table] = b"".join(bytes(part) for part in rows)

    def reset(self) -> None:
        """Every table as ``init-db`` left it. A tick under way loses its connection rather than hold this up."""
        with self._connect() as connection:
            connection.execute("SET lock_timeout = '200ms'")
            try:
                self._empty(connection)
            except psycopg.errors.LockNotAvailable:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                connection.execute("SET lock_timeout = '5s'")
                self._empty(connection)

    def _empty(self, connection: psycopg.Connection) -> None:
        if not self._first_rows:
            return
        tables = [sql.Identifier("ledger", table) for table in self._first_rows]
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(tables)))
            for table, rows in self._first_rows.items():
                if rows:
                    with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier("ledger", table))) as into:
                        into.write(rows)
