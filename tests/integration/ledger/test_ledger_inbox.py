"""What people send is stored once before it is acknowledged, handled once, and parked when it cannot be."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger import inbox, runs
from ledger.connection import Conn, Pool

pytestmark = pytest.mark.integration


def accept(conn: Conn, dedup: str = "trigger-1") -> int:
    return inbox.accept(conn, dedup=dedup, kind="command", payload={"text": "/tb runs"}).id


def test_twenty_deliveries_at_once_are_one_row(pool: Pool) -> None:
    def deliver(_: int) -> inbox.Accepted:
        with pool.connection() as conn:
            return inbox.accept(conn, dedup="trigger-1", kind="command", payload={})

    with ThreadPoolExecutor(20) as slack:
        accepted = list(slack.map(deliver, range(20)))
    assert len({each.id for each in accepted}) == 1
    assert sum(each.new for each in accepted) == 1


def test_two_workers_handle_a_row_once(pool: Pool) -> None:
    with pool.connection() as one, pool.connection() as two:
        row = accept(one)
        with inbox.handling(one, row) as mine:
            assert mine is not None
            assert mine.payload == {"text": "/tb runs"}
            with inbox.handling(two, row) as theirs:
                assert theirs is None
            inbox.finish(one, row, "listed")
        with inbox.handling(two, row) as late:
            assert late is None


def handle_badly(conn: Conn, row: int, attempt: int) -> None:
    with inbox.handling(conn, row) as mine:
        assert mine is not None
        assert mine.attempts == attempt - 1
        runs.create(conn, environment="staging", command="x", request={}, requester="cli:ana", inbox=row)
        raise KeyError("no such view")


def test_what_a_failed_handling_did_is_undone_and_counted_until_it_is_parked(conn: Conn) -> None:
    row = accept(conn)
    for attempt in range(1, inbox.MOST_ATTEMPTS + 1):
        assert inbox.unhandled(conn, 0) == [row]
        with pytest.raises(KeyError):
            handle_badly(conn, row, attempt)
    assert inbox.unhandled(conn, 0) == []
    assert runs.listing(conn) == []
    outcome = conn.execute("SELECT outcome, handled_at IS NOT NULL AS parked FROM ledger.inbox").fetchone()
    assert outcome == {"outcome": "KeyError: 'no such view'", "parked": True}


def test_a_waiting_sender_is_reminded_once(conn: Conn) -> None:
    row, handled = accept(conn), accept(conn, "trigger-2")
    inbox.finish(conn, handled, "listed")
    assert inbox.remind(conn, 60) == []
    assert [each.id for each in inbox.remind(conn, 0)] == [row]
    assert inbox.remind(conn, 0) == []


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x); DROP TABLE ledger.run", "`{{ }}`\n<!channel>", "mеmbers"])
def test_hostile_text_is_stored_and_read_back(conn: Conn, text: str) -> None:
    row = inbox.accept(conn, dedup=text, kind="command", payload={text: [text, {"deep": text}]}).id
    again = inbox.accept(conn, dedup=text, kind="command", payload={})
    assert again == inbox.Accepted(row, new=False)
    shown = text.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    with inbox.handling(conn, row) as stored:
        assert stored is not None
        assert stored.payload == {shown: [shown, {"deep": shown}]}
        runs.create(conn, environment="staging", command=text, request={"text": text}, requester="cli:ana", note=text)
    assert runs.listing(conn)[0].command == shown


@pytest.mark.benchmark
def test_accepting_takes_a_millisecond(conn: Conn) -> None:
    took: list[float] = []
    for number in range(500):
        began = time.perf_counter()
        inbox.accept(
            conn, dedup=f"trigger-{number}", kind="command", payload={"text": "/tb migrate members add field x"}
        )
        took.append((time.perf_counter() - began) * 1000)
    p50 = statistics.median(took)
    print(f"accept: p50 {p50:.2f} ms, p99 {sorted(took)[495]:.2f} ms (a server without fsync)")
    assert p50 <= 1.0
