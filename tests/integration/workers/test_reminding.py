"""Nothing that a run stopped stays stopped in silence: people hear of it again and again until it is not."""

from dataclasses import replace
from typing import Any, cast

import pytest

from ledger import rests
from runbooks.steps.toy_steps import Change, Stop  # pyright: ignore[reportMissingImports]
from tests.support.engine_story import Toys
from workers import reminding
from workers.pulse import Pulse

pytestmark = pytest.mark.integration

EVERY_S = 4 * 3600


def elected(toy: Toys) -> list[int]:
    with toy.pool.connection() as conn:
        return rests.stopped(conn, "staging", every_s=EVERY_S, again_s=0)


def heard(toy: Toys) -> list[str]:
    with toy.pool.connection() as conn:
        rows = conn.execute(
            "SELECT body ->> 'text' AS text FROM ledger.message WHERE purpose = 'alert' AND ref LIKE '%/reminder/%'"
            " ORDER BY id"
        )
        return [row["text"] for row in rows]


class Rung:
    """A bell that remembers: Redis has its own tests."""

    def __init__(self) -> None:
        self.rings: list[tuple[str, int]] = []

    def ring(self, what: str, number: int) -> None:
        self.rings.append((what, number))


@pytest.fixture
def left(toy: Toys) -> int:
    """A run aborted behind the point where its table was touched: what it stopped stays so."""
    toy.put("a", "on")
    run = toy.running(
        (Stop(name="a", value="off"), 1, 1, False), (Change(name="t", value="new"), 1, 1, True),
        (Change(name="b", value="x"), 2, None, False),
    )  # fmt: skip
    toy.drive_until_step(run, 3)
    assert toy.decide(run, "abort").accepted
    assert toy.drive(run) == "aborted"
    assert [entry.state for entry in toy.view(run).restore] == ["left"]
    return run


def test_people_are_reminded_at_each_interval_and_not_between(toy: Toys, left: int) -> None:
    assert elected(toy) == []  # they were called when it ended
    toy.pass_time(EVERY_S)
    assert elected(toy) == [left]
    reminding.remind(toy.context, left)
    reminding.remind(toy.context, left)  # rung for twice
    assert heard(toy) == [
        f"Run {left} (toys) ended 4 h ago and left one thing stopped or undone, still so: the table is not proven. "
        f"Press “Finish what is left” on its card, or type /tb retry {left}; this is said again until it is done."
    ]
    assert elected(toy) == []
    toy.pass_time(EVERY_S)
    assert elected(toy) == [left]
    reminding.remind(toy.context, left)
    assert len(heard(toy)) == 2


def test_what_somebody_puts_back_is_seen_and_told_of_no_more(toy: Toys, left: int) -> None:
    with toy.pool.connection() as conn:  # as a proof that came later would have it
        conn.execute('UPDATE ledger.run SET found = \'{"proven": ["table"]}\' WHERE id = %s', [left])
    toy.put("a", "on")
    toy.pass_time(EVERY_S)
    reminding.remind(toy.context, left)
    assert heard(toy) == []
    assert [(entry.state, entry.said) for entry in toy.view(left).restore] == [("struck", "a is on.")]
    toy.pass_time(EVERY_S)
    assert elected(toy) == []


def test_nobody_is_reminded_of_what_another_run_took_up(toy: Toys, left: int) -> None:
    following = toy.proposed()
    with toy.pool.connection() as conn:
        conn.execute("UPDATE ledger.run SET finishes = %s WHERE id = %s", [left, following])
    toy.pass_time(EVERY_S)
    assert elected(toy) == [left]  # not begun yet: it may be turned down
    toy.approved(following)
    assert [(entry.state, entry.origin) for entry in toy.view(following).restore] == [("listed", None)]
    assert [entry.said for entry in toy.view(left).restore] == [f"Run {following} took it up"]
    reminding.remind(toy.context, left)
    assert (elected(toy), heard(toy)) == ([], [])


def test_the_sweep_rings_for_it_once_a_minute_at_most(toy: Toys, left: int) -> None:
    bell = Rung()
    pulse = Pulse(replace(toy.context, bell=cast(Any, bell)))
    pulse.sweep()
    assert ("remind", left) not in bell.rings
    toy.pass_time(EVERY_S)
    pulse.sweep()
    pulse.sweep()  # the first ring may still be in the queue
    assert bell.rings.count(("remind", left)) == 1


def test_a_run_that_waits_for_people_while_something_is_stopped_is_told_of(toy: Toys) -> None:
    toy.put("a", "on")
    run = toy.running((Stop(name="a", value="off"), 1, None, False), (Change(name="b", value="x"), 2, None, False))
    toy.drive_until_step(run, 2)
    assert toy.decide(run, "pause").accepted
    toy.drive_until(run, "paused")
    assert elected(toy) == []
    toy.pass_time(EVERY_S)
    assert elected(toy) == [run]
    reminding.remind(toy.context, run)
    assert heard(toy) == [
        f"Run {run} (toys) is paused (It was paused between steps), and what it stopped waits with it: "
        "“Put on into a”. Decide on its card; this is said again until it goes on."
    ]
    assert [entry.state for entry in toy.view(run).restore] == ["listed"]
