"""What a process remembers of the watch is what the ledger has, whoever wrote it there, and whatever became of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger import watches
from ledger.connection import Conn, connect
from tests.support.ledger_server import LedgerServer, ledger_server
from workers.watch.kept import Kept
from workers.watch.memory import restored

pytestmark = pytest.mark.integration

HERE = "staging"


@pytest.fixture(scope="module")
def server() -> Iterator[LedgerServer]:
    with ledger_server() as running:
        yield running


@pytest.fixture
def conn(server: LedgerServer) -> Iterator[Conn]:
    with connect(server.database(), name="test") as opened:
        yield opened


def ran(*jobs: str) -> dict[str, Any]:
    runs = [[job, None, 1.0 + at, 1.0 + at, 2.0 + at, "done", 5, ""] for at, job in enumerate(jobs)]
    return {"cron": "0 * * * *", "schedule": "running", "turned": None, "newest": None, "asked": None, "runs": runs}


def wrote(conn: Conn, changed: dict[str, Any], gone: tuple[str, ...] = ()) -> None:
    with conn.transaction():
        watches.begin(conn, HERE)
        watches.remember(conn, HERE, changed, gone)


def the_same(kept: Kept, conn: Conn) -> None:
    assert kept.memory(conn, HERE) == restored(watches.histories(conn, HERE))


def test_what_others_wrote_changed_and_forgot_is_seen(conn: Conn) -> None:
    kept = Kept()
    the_same(kept, conn)
    wrote(conn, {"t_1": ran("a"), "t_2": ran("b"), "d_1": {"name": "members", "quarantine": {"29": 3}}})
    the_same(kept, conn)
    wrote(conn, {"t_2": ran("b", "c"), "t_3": ran("d")})
    the_same(kept, conn)
    wrote(conn, {"t_3": ran("d", "e")}, gone=("t_1", "d_1"))
    the_same(kept, conn)
    wrote(conn, {"t_4": ran("f")}, gone=("t_2",))  # as many as before
    the_same(kept, conn)
    wrote(conn, {}, gone=("t_3", "t_4"))
    the_same(kept, conn)


def test_a_look_reads_only_what_changed(conn: Conn) -> None:
    kept = Kept()
    wrote(conn, {f"t_{n}": ran("a") for n in range(50)})
    before = kept.memory(conn, HERE)
    wrote(conn, {"t_7": ran("a", "b")})
    after = kept.memory(conn, HERE)
    anew = {n for n in after.pipes if after.pipes[n] is not before.pipes[n]}
    assert "t_7" in anew
    assert len(anew) <= 2  # the newest of before is asked for once more: two may have been written in one moment


def test_another_ledger_behind_the_same_name_is_read_whole(server: LedgerServer, conn: Conn) -> None:
    kept = Kept()
    wrote(conn, {"t_1": ran("a"), "t_2": ran("b")})
    the_same(kept, conn)
    with connect(server.database(), name="test") as other:
        the_same(kept, other)
        wrote(other, {"t_3": ran("c"), "t_4": ran("d")})
        the_same(kept, other)
