"""The product's own database, seen from outside: emptied on reset, told the platform's time.

The tables belong to the product (``tbops init-db`` makes them); the sandbox knows only the schema's
name, the clock's table and that migrations are not data.
"""

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

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._world.dsn(LEDGER), autocommit=True)

    def write_clock(self) -> None:
        """Tell ``ledger.now()`` what time the platform has. Does nothing before ``tbops init-db``."""
        clock = self._world.clock
        with self._connect() as connection, connection.transaction():
            if connection.execute("SELECT to_regclass('ledger.clock')").fetchone() == (None,):
                return
            connection.execute("DELETE FROM ledger.clock")
            connection.execute(
                "INSERT INTO ledger.clock (origin, wall, speed, advanced)"
                " VALUES (to_timestamp(%s), to_timestamp(%s), %s, make_interval(secs => %s))",
                (clock.origin, clock.started, clock.speed, clock.advanced_s),
            )

    def reset(self) -> None:
        """Empty every table of data. A tick that is under way loses its connection rather than hold this up."""
        with self._connect() as connection:
            tables = [row[0] for row in connection.execute(_DATA_TABLES)]
            if not tables:
                return
            truncate = sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(
                sql.SQL(", ").join(sql.Identifier("ledger", table) for table in tables)
            )
            connection.execute("SET lock_timeout = '200ms'")
            try:
                connection.execute(truncate)
            except psycopg.errors.LockNotAvailable:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                connection.execute("SET lock_timeout = '5s'")
                connection.execute(truncate)
