"""What people say while a run goes on, and what changes under it."""

import pytest

from ledger import freeze, locks
from ledger.connection import open_pool
from runbooks.steps.toy_steps import Await, Change, Put, Rebuild  # pyright: ignore[reportMissingImports]
from tests.support.engine_story import CHEN, CLOCK, Toys, plain, toys
from tests.support.ledger_server import LedgerServer

pytestmark = pytest.mark.integration

_SET_CLOCK = "UPDATE ledger.clock SET origin = %s, wall = clock_timestamp(), advanced = '0'"


def test_no_effect_before_its_block_is_approved(toy: Toys) -> None:
    toy.plan = [*plain(Change(name="a", value="1"), Change(name="b", value="1"))]
    run = toy.proposed()
    assert toy.drive(run) == "proposed"
    assert toy.decide(run, "approve", block=1).accepted
    assert toy.drive(run) == "running"
    assert toy.log() == ["a=1"]
    assert toy.decide(run, "approve", block=2).accepted
    assert toy.drive(run) == "succeeded"


def test_a_freeze_between_approval_and_act_stops_the_effect_until_it_is_lifted(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    with toy.pool.connection() as conn:
        freeze.freeze(conn, "staging", actor=CHEN.id, reason="incident")
    toy.tick(run)
    assert toy.log() == []
    progress = toy.view(run).steps[0].progress
    assert progress is not None
    assert "staging was frozen by" in progress["why"]
    with toy.pool.connection() as conn:
        freeze.unfreeze(conn, "staging", actor=CHEN.id)
    assert toy.drive(run) == "succeeded"


def test_a_freeze_does_not_keep_what_was_stopped_stopped(toy: Toys) -> None:
    toy.put("a", "running")
    run = toy.running(*plain(Put(name="a", value="stopped"), Change(name="b", value="1")))
    toy.faults.inject("put b", "403")
    toy.drive_until(run, "restoring")
    with toy.pool.connection() as conn:
        freeze.freeze(conn, "*", actor=CHEN.id)
    assert toy.drive(run) == "failed"
    assert toy.value("a") == "running"


def test_an_approval_that_has_run_out_begins_nothing(toy: Toys) -> None:
    toy.put("a", "running")
    run = toy.running(*plain(Put(name="a", value="stopped"), Await(name="c", value="1"), Change(name="b", value="1")))
    toy.tick(run)
    toy.pass_time(9 * 3600)
    toy.put("c", "1")
    assert toy.drive(run) == "expired"
    assert toy.log() == ["a=stopped", "a=running"]
    assert "approval has run out" in toy.view(run).run.reason


def test_outside_the_windows_nothing_begins(server: LedgerServer) -> None:
    dsn = server.database()
    with open_pool(f"{dsn}?options={CLOCK.replace(' ', '%20').replace('=', '%3D')}", name="test") as pool:
        toy = toys(dsn, pool, windows=["Mon 08:00-09:00 UTC"])
        run = toy.running(*plain(Change(name="a", value="1")))
        with pool.connection() as conn:
            conn.execute(
                "UPDATE ledger.clock SET origin = '2026-12-02 12:00Z', wall = clock_timestamp(), advanced = '0'"
            )
            conn.execute("UPDATE ledger.run SET due_at = ledger.now()")
            conn.execute("UPDATE ledger.decision SET until = '2026-12-09'")
        toy.tick(run)
        assert toy.log() == []
        with pool.connection() as conn:
            conn.execute(
                "UPDATE ledger.clock SET origin = '2026-12-07 08:30Z', wall = clock_timestamp(), advanced = '0'"
            )
        assert toy.drive(run) == "succeeded"


def test_a_pause_begins_between_steps_and_ends_with_resume(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1"), Change(name="b", value="1")))
    toy.tick(run)
    assert toy.decide(run, "pause").accepted
    assert toy.drive(run) == "paused"
    assert toy.log() == ["a=1"]
    assert toy.decide(run, "resume").accepted
    assert toy.drive(run) == "succeeded"


def test_a_pause_waits_for_the_end_of_a_hold_and_says_so(toy: Toys) -> None:
    toy.put("a", "running")
    run = toy.running(
        (Put(name="a", value="stopped"), 1, 1, False),
        (Change(name="t", value="1"), 1, 1, False),
        (Change(name="a", value="running"), 1, 1, False),
        (Change(name="z", value="1"), 2, None, False),
    )
    toy.tick(run)
    assert toy.decide(run, "pause").accepted
    toy.tick(run)
    assert "it begins when the hold has ended" in toy.view(run).run.reason
    assert toy.drive(run) == "paused"
    assert toy.log() == ["a=stopped", "t=1", "a=running"]
    assert toy.decide(run, "abort").accepted
    assert toy.drive(run) == "aborted"


def test_an_abort_right_after_an_approval_has_no_effect_at_all(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    assert toy.decide(run, "abort").accepted
    assert toy.drive(run) == "aborted"
    assert toy.log() == []


def test_drift_before_the_first_effect_plans_again_and_keeps_approvals_of_the_same_plan(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    toy.put("a", "somebody else's")
    assert toy.drive(run) == "succeeded"
    assert toy.log() == ["a=1"]


def test_drift_that_makes_another_plan_asks_people_again(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    toy.put("a", "somebody else's")
    toy.plan = [*plain(Change(name="a", value="2"))]
    assert toy.drive(run) == "proposed"
    assert toy.log() == []
    toy.approved(run)
    assert toy.drive(run) == "succeeded"
    assert toy.log() == ["a=2"]


def test_drift_after_an_effect_holds_the_run_with_what_was_expected_and_found(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1"), Change(name="b", value="1")))
    toy.tick(run)
    toy.put("b", "somebody else's")
    assert toy.drive(run) == "held"
    held = toy.view(run).run.held
    assert held is not None
    assert held["key"] == "outside/b"
    assert held["expected"] != held["found"]
    assert not toy.decide(run, "retry").accepted
    assert toy.decide(run, "accept").accepted
    assert toy.drive(run) == "succeeded"


def test_a_table_that_is_another_one_by_now_is_noticed_before_anything_is_done(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="copy", value="full"), Rebuild(name="t", value="new")))
    toy.put("t", "somebody else's")
    toy.plan = [*plain(Change(name="copy", value="fuller"), Rebuild(name="t", value="new"))]
    assert toy.drive(run) == "proposed"
    assert toy.log() == []


def test_a_table_that_changed_while_it_was_copied_stops_nothing_in_vain(toy: Toys) -> None:
    toy.put("a", "running")
    run = toy.running(
        (Change(name="copy", value="full"), 1, None, False),
        (Put(name="a", value="stopped"), 2, 1, False),
        (Rebuild(name="t", value="new"), 2, 1, True),
        (Rebuild(name="t", value="newer"), 2, 1, True),
        (Change(name="a", value="running"), 2, 1, False),
    )
    toy.drive_until_step(run, 2)
    toy.put("t", "somebody else's")
    assert toy.drive(run) == "held"
    assert toy.log() == ["copy=full"]
    held = toy.view(run).run.held
    assert held is not None
    assert held["key"] == "tinybird/datasource/t/schema"
    assert toy.decide(run, "accept").accepted
    assert toy.drive(run) == "succeeded"
    assert toy.log() == ["copy=full", "a=stopped", "t=new", "t=newer", "a=running"]


def test_what_the_run_itself_changed_is_not_drift(toy: Toys) -> None:
    run = toy.running(*plain(Change(name="a", value="1"), Change(name="a", value="2"), Change(name="a", value="3")))
    assert toy.drive(run) == "succeeded"


def test_a_shared_resource_is_waited_for_and_its_holder_named(toy: Toys) -> None:
    other = toy.running(*plain(Change(name="z", value="1")))
    assert toy.drive(other) == "succeeded"
    run = toy.running(*plain(Change(name="a", value="1", shared=("connector/sink",)), Change(name="b", value="1")))
    with toy.pool.connection() as conn:
        assert locks.take_short(conn, other, ["staging/connector/sink"]) is None
    toy.tick(run)
    progress = toy.view(run).steps[0].progress
    assert progress is not None
    assert progress["why"] == f"waiting for run {other}, which holds staging/connector/sink"
    assert toy.log() == ["z=1"]
    with toy.pool.connection() as conn:
        locks.release(conn, other, ["staging/connector/sink"])
    toy.pass_time(5)
    toy.tick(run)
    assert toy.log() == ["z=1", "a=1"]
    assert [lock.resource for lock in toy.view(run).locks] == ["staging/table/table"], (
        "given back when the step is done"
    )
    assert toy.drive(run) == "succeeded"


def test_an_approval_of_another_plan_begins_nothing(toy: Toys) -> None:
    """The approval was taken away between the click and the effect."""
    run = toy.running(*plain(Change(name="a", value="1")))
    with toy.pool.connection() as conn:
        conn.execute("UPDATE ledger.decision SET hash = 'another'")
    assert toy.drive(run) == "held"
    assert toy.log() == []
