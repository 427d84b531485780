"""Two who ask the same at the same moment get one run."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from ledger import inbox, runs
from ledger.connection import Pool, connect
from tests.support.ledger_story import ANA

pytestmark = pytest.mark.integration

AT_ONCE = 6
LINE = "migrate members add field x"


def ask(pool: Pool, number: int, command: str, start: Barrier) -> int | None:
    """As the bot does it: a delivery, a look for its twin, a run. The run that was there already, or None."""
    with pool.connection() as conn:
        delivery = inbox.accept(conn, dedup=f"trigger-{number}", kind="command", payload={"text": command})
        start.wait()
        with conn.transaction():
            known = runs.twin(conn, ANA.id, "staging", command, 30)
            if known is None:
                runs.create(
                    conn, environment="staging", command=command, request={}, requester=ANA.id, inbox=delivery.id
                )
            return known


def test_of_the_same_words_at_once_one_becomes_a_run(pool: Pool, dsn: str) -> None:
    start = Barrier(AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as people:
        found = list(people.map(lambda n: ask(pool, n, LINE, start), range(AT_ONCE)))
    with connect(dsn, name="test") as conn:
        made = [run.id for run in runs.listing(conn)]
    assert len(made) == 1
    assert sorted(found, key=str) == [*made * (AT_ONCE - 1), None]


def test_other_words_do_not_wait(pool: Pool, dsn: str) -> None:
    """Both are inside their transactions at the same time: neither could be if they waited for one another."""
    start, inside = Barrier(2), Barrier(2, timeout=10)

    def other(number: int) -> None:
        with pool.connection() as conn:
            delivery = inbox.accept(conn, dedup=f"trigger-{number}", kind="command", payload={"text": LINE})
            start.wait()
            with conn.transaction():
                assert runs.twin(conn, ANA.id, "staging", f"{LINE}{number}", 30) is None
                inside.wait()
                runs.create(
                    conn, environment="staging", command=f"{LINE}{number}", request={}, requester=ANA.id,
                    inbox=delivery.id,
                )  # fmt: skip

    with ThreadPoolExecutor(2) as people:
        list(people.map(other, range(2)))
    with connect(dsn, name="test") as conn:
        assert len(runs.listing(conn)) == 2
