"""Effects happen once: whoever dies, wherever, and whatever answer is lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest

from runbooks.site import Site
from runbooks.steps.toy_steps import Await, Broken, Change, Chunks, Put, Unseen  # pyright: ignore[reportMissingImports]
from systems.permit import Permit
from tests.support.engine_story import Toys, plain
from tests.support.outside import Killed
from tests.support.sandbox import PATIENCE_S
from workers.engine import advance

pytestmark = pytest.mark.integration


def test_a_run_goes_to_its_end_and_leaves_nothing_listed(toy: Toys) -> None:
    toy.put("a", "off")
    run = toy.running(*plain(Put(name="a", value="on"), Change(name="b", value="1"), Change(name="a", value="off")))
    assert toy.drive(run) == "succeeded"
    assert toy.log() == ["a=on", "b=1", "a=off"]
    view = toy.view(run)
    assert [step.state for step in view.steps] == ["done", "done", "done"]
    assert [entry.state for entry in view.restore] == ["struck"]
    assert view.locks == ()


def test_a_run_that_left_something_stopped_does_not_succeed(toy: Toys) -> None:
    toy.put("a", "off")
    run = toy.running(*plain(Put(name="a", value="on")))
    assert toy.drive(run) == "failed"
    assert toy.value("a") == "off"
    assert "still to be put back: Put off into a" in toy.view(run).run.reason


@pytest.mark.parametrize("fault", ["kill_before", "kill_after", "drop_before", "drop_after"])
@pytest.mark.parametrize("call", ["put a", "put b"])
def test_an_effect_is_had_once_though_its_worker_dies_or_its_answer_is_lost(toy: Toys, call: str, fault: str) -> None:
    run = toy.running(*plain(Change(name="a", value="1"), Change(name="b", value="1")))
    toy.faults.inject(call, fault)
    assert toy.drive(run) == "succeeded"
    assert toy.log() == ["a=1", "b=1"]
    with toy.pool.connection() as conn:
        rows = conn.execute("SELECT key, answer FROM ledger.intent ORDER BY id").fetchall()
    lost = fault in ("kill_before", "drop_before")
    expected = ["lost", "ok"] if lost else ["adopted"]
    assert [row["answer"] for row in rows if row["key"] == f"{run}/plan/{1 if call == 'put a' else 2}"] == expected


def test_a_kill_at_any_call_changes_nothing_of_the_result(toy: Toys) -> None:
    toy.put("a", "off")
    steps = plain(Put(name="a", value="on"), Chunks(name="c", count=3), Change(name="a", value="off"))
    for call in ("get a", "put a", "get c-1", "put c-1", "put c-2"):
        for fault in ("kill_before", "kill_after"):
            with toy.pool.connection() as conn:
                conn.execute("TRUNCATE outside.log, outside.thing")
            toy.put("a", "off")
            run = toy.running(*steps)
            toy.faults.inject(call, fault)
            assert toy.drive(run) == "succeeded"
            assert toy.log() == ["a=on", "c-0=full", "c-1=full", "c-2=full", "a=off"], (call, fault)


def test_an_effect_that_leaves_no_trace_goes_by_its_answer(toy: Toys) -> None:
    run = toy.running(*plain(Unseen()))
    assert toy.drive(run) == "succeeded"
    assert Counter(toy.log()) == {"bell=rung": 1}


def test_an_effect_that_never_shows_is_not_repeated_for_ever(toy: Toys) -> None:
    toy.put("a", "off")
    run = toy.running(*plain(Change(name="a", value="on")))
    toy.faults.inject("put a", "vanish", 20)
    assert toy.drive(run) == "failed"
    assert toy.log() == []
    assert toy.view(run).steps[0].acts == 5
    assert "nothing of it is to be seen" in toy.view(run).run.reason


def test_a_stale_worker_has_no_effect(toy: Toys) -> None:
    """It stops between its intent and its act for longer than its lease; another takes over and finishes."""
    run = toy.running(*plain(Change(name="a", value="1")))
    stopped, go_on = Event(), Event()

    def slow(environment: str, number: int, permit: Permit) -> Site:
        def stalling(system: str, call: str) -> None:
            stopped.set()
            go_on.wait(PATIENCE_S)
            permit(system, call)

        return toy.context.site(environment, number, stalling)

    first = replace(toy.context, site=slow, owner="stale")
    with ThreadPoolExecutor(1) as other:
        stale = other.submit(advance, first, run)
        assert stopped.wait(PATIENCE_S)
        lease = first.desk.now()
        assert lease is not None
        toy.end_lease(run)
        while toy.tick(run).state is not None:
            toy.pass_time(1)
        assert toy.log() == ["a=1"]
        lease.lost()  # what its pulse finds when it renews; the clock would say so too, a moment later
        go_on.set()
        assert stale.result(PATIENCE_S).state is None
    assert toy.log() == ["a=1"]
    assert toy.state(run) == "succeeded"


def test_the_ledger_itself_gives_no_intent_to_a_stale_worker(toy: Toys) -> None:
    """It stops before it looks, and its own clock has not noticed: the fence has."""
    run = toy.running(*plain(Change(name="a", value="1")))
    stopped, go_on = Event(), Event()

    def slow(environment: str, number: int, permit: Permit) -> Site:
        stopped.set()
        go_on.wait(PATIENCE_S)
        return toy.context.site(environment, number, permit)

    with ThreadPoolExecutor(1) as other:
        stale = other.submit(advance, replace(toy.context, site=slow, owner="stale"), run)
        assert stopped.wait(PATIENCE_S)
        toy.end_lease(run)
        toy.faults.inject("put a", "kill_before")
        with pytest.raises(Killed):
            toy.tick(run)
        go_on.set()
        assert stale.result(PATIENCE_S).state is None
    assert toy.log() == []
    toy.end_lease(run)
    assert toy.drive(run) == "succeeded"
    assert toy.log() == ["a=1"]


def test_two_workers_never_hold_one_run(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1"), Change(name="b", value="2"), Change(name="c", value="3")))
    contexts = [replace(toy.context, owner=f"worker-{n}") for n in range(4)]

    def work(number: int) -> None:
        while toy.view(run).run.due_at is not None:
            advance(contexts[number], run)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert toy.state(run) == "succeeded"
    assert toy.log() == ["a=1", "b=2", "c=3"]


def test_a_run_whose_worker_died_is_taken_over_when_its_lease_ends(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    toy.faults.inject("put a", "kill_before")
    with pytest.raises(Killed):
        toy.tick(run)
    assert toy.tick(run).state is None, "its lease is still alive"
    with toy.pool.connection() as conn:
        conn.execute("UPDATE ledger.run SET lease_until = clock_timestamp() + interval '0.2 s'")
        conn.execute("SELECT pg_sleep(extract(epoch FROM lease_until - clock_timestamp())) FROM ledger.run")
    assert toy.drive(run) == "succeeded"
    assert toy.log() == ["a=1"]


def test_a_system_that_does_not_answer_is_asked_again_and_people_see_why(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    toy.faults.inject("put a", "503", 3)
    first = toy.tick(run)
    step = toy.view(run).steps[0]
    assert step.progress is not None
    assert step.progress["why"] == "Outside answered 503 to put a: no; looking again in 1 s"
    assert first.due_s is not None
    assert toy.drive(run) == "succeeded"
    assert toy.log() == ["a=1"]


def test_a_system_that_stays_silent_holds_the_run_and_calls_people_once(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    toy.faults.inject("put a", "503", 10)
    assert toy.drive(run) == "held"
    view = toy.view(run)
    assert view.run.reason.startswith("Step 1 (Put 1 into a) does not get on: Outside answered 503")
    assert [m.ref for m in view.messages if m.purpose == "alert"] == [f"run/{run}/trouble/1"]
    assert toy.decide(run, "retry").accepted
    assert toy.drive(run) == "succeeded"


def test_a_refusal_fails_the_step_at_once(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1"), Change(name="b", value="1")))
    toy.faults.inject("put b", "403")
    assert toy.drive(run) == "failed"
    assert toy.log() == ["a=1"]
    view = toy.view(run)
    assert [step.state for step in view.steps] == ["done", "failed"]
    assert view.run.reason == "Step 2 (Put 1 into b) failed: Outside answered 403 to put b: no"


def test_a_bug_in_a_step_stops_that_run_alone(toy: Toys) -> None:
    broken = toy.running(*plain(Broken()))
    assert toy.drive(broken) == "failed"
    assert "tbops itself failed (ZeroDivisionError: a bug)" in toy.view(broken).run.reason
    assert toy.drive(toy.running(*plain(Change(name="a", value="1")))) == "succeeded"


def test_a_long_wait_holds_no_worker_and_shows_its_progress(toy: Toys) -> None:
    run = toy.running(*plain(Await(name="a", value="1")))
    advanced = toy.tick(run)
    assert advanced.due_s == pytest.approx(10, abs=0.5)
    assert toy.tick(run).state is None
    step = toy.view(run).steps[0]
    assert (step.state, step.memo) == ("acting", {"looks": 1})
    assert step.progress == {"done": 1, "total": 3, "unit": "rows", "why": "a is absent"}
    toy.put("a", "1")
    assert toy.drive(run) == "succeeded"
    assert toy.view(run).run.found == {"proven": ["a"]}
