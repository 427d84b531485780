"""Incidents: one a trouble, however many find it, closed once, opened again as the same, listed on another's card."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest

from ledger import incidents, messages
from ledger.connection import Conn, Pool
from ledger.incidents import Detail, Found

pytestmark = pytest.mark.integration

AT = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)


def found(subject: str = "t_1", said: str = "The copy members_sorted_copy_pipe failed.") -> Found:
    return Found("failed", subject, "members_sorted_copy_pipe", AT, Detail(said=said, rows_before=200))


def test_of_two_who_find_it_one_opens_it_and_one_closes_it(pool: Pool) -> None:
    together = Barrier(2)

    def opened() -> bool:
        with pool.connection() as conn, conn.transaction():
            together.wait()
            return incidents.open_incident(conn, "staging", found()) is not None

    def closed(number: int) -> bool:
        with pool.connection() as conn, conn.transaction():
            together.wait()
            return incidents.close(conn, number, ended=AT, said="It ran again.") is not None

    with ThreadPoolExecutor(2) as two:
        assert sorted(f.result() for f in [two.submit(opened) for _ in range(2)]) == [False, True]
        with pool.connection() as conn:
            (one,) = incidents.all_open(conn, "staging")
        assert sorted(f.result() for f in [two.submit(closed, one.id) for _ in range(2)]) == [False, True]
    with pool.connection() as conn:
        assert [e.what for e in incidents.events(conn, one.id)] == ["opened", "closed"]
        assert incidents.all_open(conn, "staging") == []


def test_the_same_trouble_soon_after_is_the_same_incident(conn: Conn) -> None:
    first = incidents.open_incident(conn, "staging", found())
    assert first is not None
    incidents.close(conn, first.id, ended=AT, said="It ran again.")
    assert [i.id for i in incidents.closed_since(conn, "staging", within_s=60)] == [first.id]

    again = incidents.reopen(conn, first.id, found(said="It failed again."))

    assert again is not None
    assert (again.id, again.state, again.times, again.ended) == (first.id, "open", 2, None)
    assert again.told.said == "It failed again."
    assert incidents.reopen(conn, first.id, found()) is None
    assert incidents.closed_since(conn, "staging", within_s=60) == []


def test_an_update_tells_its_card_only_when_something_changed(conn: Conn) -> None:
    one = incidents.open_incident(conn, "staging", found())
    assert one is not None
    card = messages.want(conn, "incident", incidents.incident_ref(one.id), "C1")

    assert incidents.update(conn, one.id, one.name, one.told) is None
    assert incidents.update(conn, one.id, "members_sorted_copy", one.told) is not None

    message = messages.get(conn, card)
    assert message is not None
    assert message.wanted_rev == 2
    incidents.close(conn, one.id, ended=None, said="Over.")
    assert incidents.update(conn, one.id, "other", one.told) is None


def test_what_is_listed_on_its_card_has_that_card_sent_anew(conn: Conn) -> None:
    cause = incidents.open_incident(conn, "staging", found("t_1"))
    assert cause
    card = messages.want(conn, "incident", incidents.incident_ref(cause.id), "C1")

    first, last = (incidents.open_incident(conn, "staging", found(s), under=cause.id) for s in ("t_2", "t_3"))

    assert first
    assert last
    assert [i.id for i in incidents.folded(conn, cause.id)] == [first.id, last.id]
    incidents.close(conn, last.id, ended=AT, said="It ran again.")
    message = messages.get(conn, card)
    assert message is not None
    assert message.wanted_rev == 4
