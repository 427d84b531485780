"""Migrations: each once, whole or not at all, whoever else migrates at the same moment."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.errors import FeatureNotSupported

from ledger import messages, migrate
from ledger.connection import calendar, connect, open_pool
from tests.support.ledger_server import LedgerServer

pytestmark = pytest.mark.integration


def test_migrating_twice_changes_nothing_the_second_time(server: LedgerServer) -> None:
    dsn = server.empty()
    known = migrate.pending(dsn)
    assert known
    assert known[0] == "0001_ledger"
    assert migrate.init(dsn) == known
    assert migrate.pending(dsn) == []
    assert migrate.init(dsn) == []


def test_processes_that_start_together_migrate_once(server: LedgerServer) -> None:
    dsn = server.empty()
    with ThreadPoolExecutor(6) as processes:
        applied = list(processes.map(lambda _: migrate.init(dsn), range(6)))
    assert sorted(len(names) > 0 for names in applied) == [False] * 5 + [True]


def test_the_calendar_is_the_sandboxs_only_for_connections_that_say_so(server: LedgerServer) -> None:
    dsn = server.database()
    with (
        connect(dsn, name="test") as plain,
        connect(f"{dsn}?options=-c%20tbops.clock%3Dsandbox", name="test") as sandbox,
    ):
        plain.execute(
            "INSERT INTO ledger.clock (origin, wall, advanced) VALUES (clock_timestamp(), clock_timestamp(), '1 day')"
        )
        assert (calendar(sandbox) - calendar(plain)).total_seconds() == pytest.approx(86400, abs=5)


def test_a_connection_cut_off_by_a_restart_is_not_handed_out(server: LedgerServer) -> None:
    dsn = server.database()
    with open_pool(dsn, name="test", max_size=1) as pool:
        with pool.connection() as conn:
            pid = conn.info.backend_pid
        with connect(dsn, name="other") as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        with pool.connection() as conn:
            assert conn.info.backend_pid != pid
            assert calendar(conn)


def test_a_connection_that_knows_the_schema_before_a_migration_fails_once_at_most(server: LedgerServer) -> None:
    """Code N-1 goes on while schema N is made: what it prepared was ``SELECT *``."""
    dsn = server.database()
    with open_pool(dsn, name="test", max_size=1) as pool:
        with pool.connection() as conn:
            for _ in range(10):  # psycopg prepares what it is asked for often
                messages.get(conn, 1)
        with connect(dsn, name="other") as other:
            other.execute("ALTER TABLE ledger.message ADD COLUMN later text")
        with pytest.raises(FeatureNotSupported), pool.connection() as conn:
            messages.get(conn, 1)
        with pool.connection() as conn:
            assert messages.get(conn, 1) is None
