"""Deciding: who decides at the same moment, twice, too late, on the wrong plan, or may not."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from config.settings import Rules
from ledger import audit, decisions, freeze, messages, runs, states
from ledger.approvals import clock
from ledger.connection import Conn, Pool, calendar, connect
from ledger.decisions import Verdict
from ledger.policy import Actor
from tests.support.ledger_story import (
    ANA,
    BEN,
    CHEN,
    ERROR,
    OMAR,
    RULES,
    SELF,
    WARNING,
    asked,
    in_group,
    made,
    proposed,
    states_of,
    undone,
)
from tests.support.seeds import new_seed

pytestmark = pytest.mark.integration


def approve(
    conn: Conn,
    run: int,
    actor: Actor = BEN,
    *,
    rules: Rules = RULES,
    block: int | None = None,
    up_to: int | None = None,
) -> Verdict:
    return decisions.decide(conn, rules, actor, "approve", run, hash="h1", block=block, up_to=up_to)


def test_an_approval_starts_the_run_and_gates_the_next_block(conn: Conn) -> None:
    run = proposed(conn, blocks=("approve", "approve", "approve"))
    assert states_of(conn, run) == ["gated", "gated", "waiting", "waiting", "waiting", "waiting"]
    before = runs.get(conn, run)

    verdict = approve(conn, run, block=1)

    after = runs.get(conn, run)
    assert verdict.accepted
    assert "steps 1–2 of run" in verdict.said
    assert after.run.state == "running"
    assert after.run.due_at is not None
    assert after.run.due_at <= after.now
    assert states_of(conn, run) == ["ready", "ready", "gated", "gated", "waiting", "waiting"]
    assert after.run.rev > before.run.rev
    assert after.messages[0].wanted_rev > before.messages[0].wanted_rev
    assert [(d.actor, d.block, d.hash) for d in after.decisions] == [(BEN.id, 1, "h1")]
    assert messages.behind_of(conn, run) == [after.messages[0].id]


def test_approve_up_to_approves_all_blocks_so_far(conn: Conn) -> None:
    run = proposed(conn, blocks=("approve", "approve", "approve"))
    assert approve(conn, run, up_to=2).accepted
    assert states_of(conn, run) == ["ready", "ready", "ready", "ready", "gated", "gated"]


def test_blocks_are_approved_in_order(conn: Conn) -> None:
    run = proposed(conn, blocks=("approve", "approve"))
    verdict = approve(conn, run, block=2)
    assert not verdict.accepted
    assert verdict.said == "Steps are approved in order: approve steps 1–2 first."
    assert runs.get(conn, run).run.state == "proposed"


def test_a_second_click_hears_who_was_first_and_when(conn: Conn) -> None:
    run = proposed(conn)
    assert approve(conn, run, block=1).accepted
    at = runs.get(conn, run).decisions[0].at
    for late in (BEN, CHEN):
        verdict = approve(conn, run, late, block=1)
        assert not verdict.accepted
        assert verdict.said == f"Steps 1–2 were already approved by <@UBEN> at {at:%H:%M} UTC."
    assert len(runs.get(conn, run).decisions) == 1


def test_of_a_thousand_clicks_at_once_exactly_one_wins(pool: Pool) -> None:
    with pool.connection() as conn:
        run = proposed(conn)
    seed = new_seed()
    print(f"seed {seed}")
    shuffled = random.Random(seed).choices([BEN, CHEN], k=1000)

    def click(actor: Actor) -> bool:
        with pool.connection() as own:
            return approve(own, run, actor, block=1).accepted

    with ThreadPoolExecutor(20) as people:
        accepted = list(people.map(click, shuffled))
    assert sum(accepted) == 1
    with pool.connection() as conn:
        assert len(runs.get(conn, run).decisions) == 1
        assert isinstance(audit.verify(conn), audit.Sound)


def test_approve_against_reject_at_once_leaves_one_outcome(pool: Pool) -> None:
    for _ in range(20):
        with pool.connection() as conn:
            run = proposed(conn)
        start = Barrier(2)

        def click(actor: Actor, action: decisions.Decided, run: int = run, start: Barrier = start) -> Verdict:
            with pool.connection() as own:
                start.wait(5)
                return decisions.decide(own, RULES, actor, action, run, hash="h1")

        with ThreadPoolExecutor(2) as people:
            approving, rejecting = people.submit(click, BEN, "approve"), people.submit(click, CHEN, "reject")
        won = [name for name, each in (("running", approving), ("rejected", rejecting)) if each.result().accepted]
        with pool.connection() as conn:
            assert won == [runs.get(conn, run).run.state]


def test_a_strong_block_needs_two_people_and_one_twice_is_one(conn: Conn) -> None:
    run = proposed(conn, blocks=("strong",))
    first = approve(conn, run, block=1)
    assert first.accepted
    assert "one more person must approve steps 1–2 too" in first.said
    again = approve(conn, run, block=1)
    assert not again.accepted
    assert "You have already approved steps 1–2" in again.said
    assert runs.get(conn, run).run.state == "proposed"
    assert approve(conn, run, CHEN, block=1).accepted
    assert runs.get(conn, run).run.state == "running"


def test_the_last_missing_approval_lets_later_approved_blocks_through(conn: Conn) -> None:
    run = proposed(conn, blocks=("strong", "approve"))
    assert approve(conn, run, up_to=2).accepted
    assert states_of(conn, run) == ["gated", "gated", "waiting", "waiting"]
    assert approve(conn, run, CHEN, block=1).accepted
    assert states_of(conn, run) == ["ready"] * 4


@pytest.mark.parametrize("how", [{"block": 1}, {"up_to": 1}, {}])
@pytest.mark.parametrize("hash", ["h1", None])
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_nobody_approves_their_own_run_from_any_surface(
    conn: Conn, how: dict, hash: str | None, environment: str
) -> None:
    run = proposed(conn, environment=environment)
    verdict = decisions.decide(conn, SELF, ANA, "approve", run, hash=hash, **how)
    assert not verdict.accepted
    assert verdict.said == "You asked for this run, so somebody else must approve it: <@UBEN>."
    assert runs.get(conn, run).run.state == "proposed"
    assert not runs.get(conn, run).decisions


def test_nobody_approves_their_own_run_through_a_group_or_the_command_line(conn: Conn) -> None:
    grouped = Rules(approve=("S1",))
    run = proposed(conn)
    assert not approve(conn, run, in_group(ANA, "S1"), rules=grouped).accepted
    os_user = Actor("cli:ana")
    run = proposed(conn, requester=os_user)
    assert not approve(conn, run, os_user, rules=Rules(approve=("cli:ana",))).accepted


def test_nobody_accepts_drift_in_their_own_run(conn: Conn) -> None:
    run = proposed(conn)
    approve(conn, run)
    hold(conn, run)
    assert not decisions.decide(conn, SELF, ANA, "accept", run, hash="h1").accepted
    assert runs.get(conn, run).run.state == "held"


def test_rules_may_allow_self_approval(conn: Conn) -> None:
    run = proposed(conn)
    assert approve(conn, run, ANA, rules=SELF.model_copy(update={"self_approval": True})).accepted


@pytest.mark.parametrize("action", ["approve", "reject", "pause", "resume", "abort", "retry", "accept", "restore"])
def test_somebody_without_rights_changes_nothing(conn: Conn, action: decisions.Decided) -> None:
    run = proposed(conn)
    before = runs.get(conn, run)
    verdict = decisions.decide(conn, RULES, OMAR, action, run, hash="h1")
    assert not verdict.accepted
    assert "<@UBEN> or <@UCHEN>" in verdict.said
    after = runs.get(conn, run)
    assert (after.run, after.decisions) == (before.run, before.decisions)


def test_a_button_of_an_older_plan_does_nothing(conn: Conn) -> None:
    run = proposed(conn)
    for action in ("approve", "reject"):
        verdict = decisions.decide(conn, RULES, BEN, action, run, hash="h0")
        assert not verdict.accepted
        assert "older plan" in verdict.said
    assert runs.get(conn, run).run.state == "proposed"


def test_an_older_card_still_stops_the_run(conn: Conn) -> None:
    run = proposed(conn)
    approve(conn, run)
    assert decisions.decide(conn, RULES, BEN, "abort", run, hash="h0").accepted


def test_a_plan_nobody_decided_on_expires(dsn: str) -> None:
    with connect(f"{dsn}?options=-c%20tbops.clock%3Dsandbox", name="test") as conn:
        conn.execute("INSERT INTO ledger.clock (origin, wall) VALUES (clock_timestamp(), clock_timestamp())")
        clicked, swept = proposed(conn, life_s=3600), proposed(conn, life_s=3600)
        assert runs.expire(conn) == []
        conn.execute("UPDATE ledger.clock SET advanced = '3601 s'")

        verdict = approve(conn, clicked)
        assert not verdict.accepted
        assert "expired at" in verdict.said
        assert runs.get(conn, clicked).run.state == "expired"
        assert runs.expire(conn) == [swept]
        assert "has expired" in approve(conn, swept).said


def test_an_approval_counts_only_for_its_life(dsn: str) -> None:
    with connect(f"{dsn}?options=-c%20tbops.clock%3Dsandbox", name="test") as conn:
        conn.execute("INSERT INTO ledger.clock (origin, wall) VALUES (clock_timestamp(), clock_timestamp())")
        run = proposed(conn, blocks=("strong",), life_s=7 * 86400)
        assert approve(conn, run).accepted
        conn.execute("UPDATE ledger.clock SET advanced = '9 hours'")
        assert "one more person" in approve(conn, run, CHEN).said
        assert runs.get(conn, run).run.state == "proposed"
        assert approve(conn, run, BEN).accepted  # may be given again
        assert runs.get(conn, run).run.state == "running"


def test_an_error_blocks_approval_and_names_the_fix(conn: Conn) -> None:
    run = proposed(conn, hazards=[ERROR])
    assert approve(conn, run).said == f"Run {run} cannot be approved: The path of x is the root. Name a path."
    assert runs.get(conn, run).run.state == "proposed"


def test_a_warning_must_be_acknowledged_and_is_kept_in_the_decision(conn: Conn) -> None:
    run = proposed(conn, blocks=("approve", "approve"), hazards=[WARNING])
    verdict = approve(conn, run, block=1)
    assert not verdict.accepted
    assert verdict.unacknowledged == ("append-lookback",)
    slugs = ["append-lookback", "no-such-warning"]
    assert decisions.decide(conn, RULES, BEN, "approve", run, block=1, hash="h1", acknowledge=slugs).accepted
    view = runs.get(conn, run)
    assert view.decisions[0].acknowledged == ["append-lookback"] == view.run.acknowledged
    assert approve(conn, run, CHEN, block=2).accepted  # asked once a run


def test_a_frozen_environment_takes_no_approval(conn: Conn) -> None:
    run = proposed(conn)
    assert freeze.freeze(conn, "staging", actor=CHEN.id, reason="release day")
    assert not freeze.freeze(conn, "staging", actor=BEN.id)
    said = approve(conn, run).said
    assert "staging was frozen by <@UCHEN>" in said
    assert "(release day)" in said
    assert freeze.unfreeze(conn, "staging", actor=CHEN.id)
    assert approve(conn, run).accepted
    freeze.freeze(conn, "*", actor=CHEN.id)
    assert freeze.standing(conn, "production") is not None


def test_a_table_in_other_hands_refuses_the_approval(conn: Conn) -> None:
    first, second = (proposed(conn, locks=["table/members"]) for _ in range(2))
    assert approve(conn, first).accepted
    verdict = approve(conn, second)
    assert not verdict.accepted
    assert verdict.said.startswith(f"Run {first} holds table/members until about ")
    view = runs.get(conn, second)
    assert view.run.state == "proposed"
    assert not view.decisions
    assert not view.locks
    assert [lock.resource for lock in runs.get(conn, first).locks] == ["staging/table/members"]


def test_a_run_asked_for_later_begins_then(conn: Conn) -> None:
    at = calendar(conn) + timedelta(hours=5)
    run = proposed(conn, given={"not_before": at})
    assert approve(conn, run).said.endswith(f"it begins at {clock(at, calendar(conn))}.")
    assert runs.get(conn, run).run.due_at == at


def test_another_plan_drops_the_approvals_for_good(conn: Conn) -> None:
    run = proposed(conn, blocks=("strong",), locks=["table/members"])
    approve(conn, run)
    with conn.transaction():
        assert not runs.replan(conn, run, **made(conn, blocks=("strong",), hash="h2"))
    view = runs.get(conn, run)
    assert view.run.state == "proposed"
    assert "earlier approvals no longer count" in view.run.reason
    assert not view.locks
    with conn.transaction():
        runs.replan(conn, run, **made(conn, blocks=("strong",), hash="h1"))  # the first plan again
    assert "one more person" in approve(conn, run, CHEN).said
    assert runs.get(conn, run).run.state == "proposed"


def test_the_same_plan_keeps_the_approvals(conn: Conn) -> None:
    run = proposed(conn, blocks=("approve", "approve"))
    approve(conn, run)
    with conn.transaction():
        assert runs.replan(conn, run, **made(conn, blocks=("approve", "approve")))
    assert runs.get(conn, run).run.state == "running"
    assert states_of(conn, run) == ["ready", "ready", "gated", "gated"]


def hold(conn: Conn, run: int, *, drift: bool = True) -> None:
    with conn.transaction():
        states.move_run(conn, run, "hold", reason="the schema of members changed")
        held = b"""'{"key": "k", "expected": "d1", "found": "d2"}'""" if drift else b"NULL"
        conn.execute(b"UPDATE ledger.run SET due_at = NULL, held = " + held + b" WHERE id = %s", [run])


def test_accepting_drift_makes_what_was_found_the_baseline(conn: Conn) -> None:
    run = proposed(conn)
    approve(conn, run)
    hold(conn, run)
    refused = decisions.decide(conn, RULES, BEN, "retry", run, hash="h1")
    assert not refused.accepted
    assert "accept what was found, or stop and restore" in refused.said
    assert decisions.decide(conn, RULES, BEN, "accept", run, hash="h1").accepted
    after = runs.get(conn, run).run
    assert (after.state, after.held, after.world["k"]) == ("running", None, "d2")
    assert after.due_at is not None


def test_a_retry_makes_the_failed_step_ready_again(conn: Conn) -> None:
    run = proposed(conn)
    approve(conn, run)
    with conn.transaction():
        states.move_step(conn, run, "plan", 1, "fail", said="Tinybird said no.")
    hold(conn, run, drift=False)
    assert decisions.decide(conn, RULES, ANA, "retry", run, hash="h1").accepted
    assert states_of(conn, run) == ["ready", "ready"]
    assert runs.get(conn, run).run.state == "running"


def test_pause_and_abort_say_what_is_wanted_and_a_tick_does_it(conn: Conn) -> None:
    run = proposed(conn)
    approve(conn, run)
    assert decisions.decide(conn, RULES, ANA, "pause", run).accepted  # whoever asked may stop it
    assert (runs.get(conn, run).run.wanted, runs.get(conn, run).run.state) == ("pause", "running")
    second = decisions.decide(conn, RULES, BEN, "pause", run)
    assert not second.accepted
    assert "is paused already, by <@UANA> at" in second.said
    assert decisions.decide(conn, RULES, BEN, "resume", run).accepted
    assert runs.get(conn, run).run.wanted == "run"
    with conn.transaction():
        states.move_run(conn, run, "pause")
    assert decisions.decide(conn, RULES, BEN, "resume", run).accepted
    assert runs.get(conn, run).run.state == "running"
    assert decisions.decide(conn, RULES, BEN, "abort", run, reason="wrong table").accepted
    assert runs.get(conn, run).run.wanted == "abort"
    for action in ("abort", "pause", "resume", "approve"):
        assert not decisions.decide(conn, RULES, BEN, action, run, hash="h1").accepted
    assert runs.get(conn, run).decisions[-1].reason == "wrong table"


def test_abort_before_any_approval_rejects(conn: Conn) -> None:
    run = proposed(conn)
    assert decisions.decide(conn, RULES, ANA, "abort", run).accepted
    assert runs.get(conn, run).run.state == "rejected"
    assert "was rejected, by <@UANA> at" in approve(conn, run).said


def test_every_verdict_on_a_missing_or_unplanned_run_is_a_sentence(conn: Conn) -> None:
    assert approve(conn, 99).said == "There is no run 99."
    assert "still being planned" in approve(conn, asked(conn)).said


def test_a_refused_decision_writes_no_audit_line(conn: Conn) -> None:
    run = proposed(conn)
    lines = len(audit.about(conn, f"run/{run}"))
    approve(conn, run, OMAR)
    assert len(audit.about(conn, f"run/{run}")) == lines
    approve(conn, run, BEN)
    assert [line.action for line in audit.about(conn, f"run/{run}")] == ["request", "propose", "decide", "approve"]


def test_a_decision_whose_transaction_fails_leaves_no_trace(conn: Conn) -> None:
    run = proposed(conn)
    undone(conn, lambda: approve(conn, run))
    view = runs.get(conn, run)
    assert view.run.state == "proposed"
    assert not view.decisions
    assert [line.action for line in audit.about(conn, f"run/{run}")] == ["request", "propose"]


def test_only_one_file_inserts_a_decision() -> None:
    root = Path(decisions.__file__).parents[1]
    files = [
        path
        for room in ("ledger", "bot", "workers", "tbops")
        for path in (root / room).rglob("*")
        if path.suffix in (".py", ".sql")
    ]
    inserting = [path.name for path in files if "INSERT INTO ledger.decision " in path.read_text()]
    assert inserting == ["decisions.sql"]


def test_times_of_other_days_carry_their_day() -> None:
    at = datetime(2026, 11, 21, 10, 2, tzinfo=UTC)
    assert clock(at, at) == "10:02 UTC"
    assert clock(at, at + timedelta(days=1)) == "2026-11-21 10:02 UTC"
