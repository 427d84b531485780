"""Going back: what was stopped runs again, on every way out, and nothing that must stay stopped does."""

import pytest

from runbooks.step import Step
from runbooks.steps.toy_steps import Await, Change, Put, Stop  # pyright: ignore[reportMissingImports]
from tests.support.engine_story import CHEN, Toys

pytestmark = pytest.mark.integration

Planned = tuple[Step, int, int | None, bool]


def held_plan() -> list[Planned]:
    """Stop a and b, rebuild the table, start b and a again: the shape of every rebuild."""
    return [
        (Stop(name="a", value="stopped"), 1, 1, False),
        (Put(name="b", value="stopped"), 1, 1, False),
        (Change(name="table", value="new"), 1, 1, True),
        (Change(name="b", value="running"), 1, 1, False),
        (Await(name="table", value="new"), 1, None, False),
        (Change(name="a", value="running"), 2, None, False),
    ]


@pytest.fixture
def estate(toy: Toys) -> Toys:
    for name in ("a", "b"):
        toy.put(name, "running")
    toy.put("table", "old")
    return toy


def test_the_plan_itself_empties_the_list(estate: Toys) -> None:
    run = estate.running(*held_plan())
    assert estate.drive(run) == "succeeded"
    assert estate.log() == ["a=stopped", "b=stopped", "table=new", "b=running", "a=running"]


@pytest.mark.parametrize(
    ("refused", "log"),
    [
        ("put a", []),
        ("put b", ["a=stopped", "a=running"]),
        ("put table", ["a=stopped", "b=stopped", "b=running", "a=running"]),
    ],
)
def test_a_failure_before_the_table_is_rebuilt_goes_back_last_in_first_out(
    estate: Toys, refused: str, log: list[str]
) -> None:
    run = estate.running(*held_plan())
    estate.faults.inject(refused, "403")
    assert estate.drive(run) == "failed"
    assert estate.log() == log
    assert not [entry for entry in estate.view(run).restore if entry.state in ("listed", "acting")]


def test_after_a_lost_answer_the_table_counts_as_touched(estate: Toys) -> None:
    """Nobody knows whether it is half rebuilt: what copies from it stays stopped, and people are called."""
    run = estate.running(*held_plan())
    estate.faults.inject("put table", "drop_before", 1)
    estate.drive_until_step(run, 3)
    estate.tick(run)
    assert estate.decide(run, "abort").accepted
    assert estate.drive(run) == "aborted"
    assert (estate.value("a"), estate.value("b")) == ("stopped", "running")


@pytest.mark.parametrize("ticks", range(1, 7))
def test_an_abort_at_any_moment_leaves_nothing_running_that_must_not_and_nothing_stopped_that_may_run(
    estate: Toys, ticks: int
) -> None:
    run = estate.running(*held_plan())
    for _ in range(ticks):
        estate.tick(run)
    proven = bool(estate.view(run).run.found.get("proven"))
    touched = estate.value("table") == "new"
    over = estate.state(run) == "succeeded"
    accepted = estate.decide(run, "abort").accepted
    assert accepted != over
    estate.drive(run)
    assert estate.value("b") == "running"
    assert estate.value("a") == ("running" if over or proven or not touched else "stopped")
    view = estate.view(run)
    assert view.run.state == ("succeeded" if over else "aborted")
    assert not [entry for entry in view.restore if entry.state in ("listed", "acting")]
    left = [entry for entry in view.restore if entry.state == "left"]
    assert [entry.said for entry in left] == (["the table is not proven"] if estate.value("a") == "stopped" else [])
    assert len([m for m in view.messages if m.purpose == "alert"]) == len(left)
    assert view.locks == ()


@pytest.mark.parametrize("fault", ["kill_before", "kill_after", "drop_before", "drop_after", "503"])
def test_going_back_survives_what_going_forward_does(estate: Toys, fault: str) -> None:
    run = estate.running(*held_plan()[:2], (Change(name="c", value="1"), 2, None, False))
    estate.faults.inject("put c", "403")
    estate.drive_until(run, "restoring")
    estate.faults.inject("put b", fault)
    assert estate.drive(run) == "failed"
    assert estate.log() == ["a=stopped", "b=stopped", "b=running", "a=running"]


def test_a_system_that_stays_away_does_not_end_the_restore(estate: Toys) -> None:
    run = estate.running(
        (Put(name="a", value="stopped"), 1, None, False), (Change(name="c", value="1"), 2, None, False)
    )
    estate.faults.inject("put c", "403")
    estate.drive_until(run, "restoring")
    estate.faults.inject("put a", "503", 15)
    assert estate.drive(run) == "failed"
    assert estate.value("a") == "running"
    assert [m.ref for m in estate.view(run).messages if m.purpose == "alert"] == [f"run/{run}/trouble/restore/1"]


def test_what_cannot_be_put_back_is_left_and_the_rest_goes_on(estate: Toys) -> None:
    run = estate.running(*held_plan()[:2], (Change(name="c", value="1"), 2, None, False))
    estate.faults.inject("put c", "403")
    estate.drive_until(run, "restoring")
    estate.faults.inject("put b", "404")
    assert estate.drive(run) == "failed"
    assert [(e.number, e.state) for e in estate.view(run).restore] == [(1, "done"), (2, "left")]
    assert estate.value("a") == "running"


def test_a_stop_that_somebody_undoes_inside_the_hold_holds_the_run(estate: Toys) -> None:
    run = estate.running(*held_plan())
    estate.drive_until_step(run, 3)
    estate.put("a", "running")
    estate.drive_until(run, "held")
    assert "Put running into a" in estate.view(run).run.reason
    assert estate.value("table") == "old"
    assert estate.decide(run, "abort", CHEN).accepted
    assert estate.drive(run) == "aborted"
    assert estate.value("b") == "running"


def test_a_hold_that_lasts_too_long_is_ended_before_the_table_is_touched(estate: Toys) -> None:
    estate.budget_s = 60
    plan = [*held_plan()[:2], (Await(name="never", value="1"), 1, 1, False), *held_plan()[2:]]
    run = estate.running(*plan)
    assert estate.drive(run) == "failed"
    view = estate.view(run)
    assert view.run.reason.startswith("The hold has lasted 30 s, half of the 60 s that it may last")
    assert estate.log() == ["a=stopped", "b=stopped", "b=running", "a=running"]


def test_a_hold_that_lasts_too_long_after_it_calls_people_once_and_goes_on(estate: Toys) -> None:
    estate.budget_s = 60
    plan = held_plan()
    run = estate.running(*plan[:3], (Await(name="late", value="1"), 1, 1, False), *plan[3:])
    for _ in range(12):
        estate.tick(run)
        estate.pass_time(10)
    assert estate.state(run) == "running"
    assert [m.ref for m in estate.view(run).messages if m.purpose == "alert"] == [f"run/{run}/hold/1"]
    estate.put("late", "1")
    assert estate.drive(run) == "succeeded"


def test_a_run_held_inside_a_hold_goes_back_at_the_deadline(estate: Toys) -> None:
    estate.budget_s = 60
    run = estate.running(*held_plan())
    estate.drive_until_step(run, 3)
    estate.put("a", "running")
    estate.drive_until(run, "held")
    assert estate.drive(run) == "failed"
    assert (estate.value("a"), estate.value("b")) == ("running", "running")
