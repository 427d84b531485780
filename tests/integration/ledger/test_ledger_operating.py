"""Who may run copies alone: the request is kept, and approves the plan when there is one."""

import pytest

from config.settings import Rules
from ledger import audit, decisions, freeze, locks, runs, ticks
from ledger.connection import Conn, calendar
from ledger.ticks import Beginning
from tests.support.ledger_story import ANA, BEN, CHEN, WARNING, asked, made, states_of

pytestmark = pytest.mark.integration

ALONE = Rules(request=("UANA",), approve=("UCHEN",), operate=("UBEN",), approvals=2)
WHO = {"requester": BEN, "job": "copy"}


def planned(conn: Conn, run: int, **plan: object) -> decisions.Verdict | None:
    with conn.transaction():
        runs.propose(conn, run, **made(conn, **plan))  # pyright: ignore[reportArgumentType]
        return decisions.operated(conn, ALONE, run)


def test_the_request_of_one_who_may_is_all_the_approval_it_needs(conn: Conn) -> None:
    run = asked(conn, requester=BEN, job="copy")
    assert decisions.operate(conn, ALONE, BEN, run).accepted
    verdict = planned(conn, run)
    assert verdict is not None
    assert verdict.accepted
    view = runs.get(conn, run)
    assert view.run.state == "running"
    assert [(d.action, d.actor, d.hash) for d in view.decisions] == [
        ("operate", BEN.id, None),
        ("approve", BEN.id, "h1"),
    ]
    assert isinstance(audit.verify(conn), audit.Sound)
    taken = ticks.take(conn, run, owner="w", lease_s=60, ops=[view.steps[0].op])
    assert taken is not None
    wish = Beginning(step=taken.steps[0], memo={}, progress={}, rules=ALONE, locks=(), restore=None, pausable=True)
    assert ticks.intend(conn, taken, wish).id > 0, "the tick too counts one approval for both"


@pytest.mark.parametrize(("who", "job"), [(CHEN, "copy"), (ANA, "copy"), (BEN, "migrate")])
def test_no_other_request_is_an_approval(conn: Conn, who: decisions.Actor, job: str) -> None:
    run = asked(conn, requester=who, job=job)
    assert not decisions.operate(conn, ALONE, who, run).accepted
    assert planned(conn, run) is None
    assert runs.get(conn, run).run.state == "proposed"
    assert runs.get(conn, run).decisions == ()


def test_somebody_elses_run_is_not_approved_by_who_may_run_copies(conn: Conn) -> None:
    run = asked(conn, requester=ANA, job="copy")
    assert not decisions.operate(conn, ALONE, BEN, run).accepted


def test_a_warning_is_read_before_it_is_approved(conn: Conn) -> None:
    run = asked(conn, requester=BEN, job="copy")
    decisions.operate(conn, ALONE, BEN, run)
    assert planned(conn, run, hazards=[WARNING]) is None
    verdict = decisions.decide(conn, ALONE, BEN, "approve", run, hash="h1", acknowledge=[WARNING["slug"]])
    assert verdict.accepted, verdict.said
    assert runs.get(conn, run).run.state == "running"


def test_a_freeze_and_anothers_lock_stand_in_its_way_and_are_told(conn: Conn) -> None:
    other = asked(conn)
    assert locks.take_long(conn, other, ["staging/copy/x"], calendar(conn)) is None
    run = asked(conn, requester=BEN, job="copy")
    decisions.operate(conn, ALONE, BEN, run)
    verdict = planned(conn, run, locks=["copy/x"])
    assert verdict is not None
    assert not verdict.accepted
    row = runs.get(conn, run).run
    assert (row.state, row.reason) == ("proposed", verdict.said)
    assert f"Run {other} holds copy/x" in row.reason
    assert states_of(conn, run)[0] == "gated"

    freeze.freeze(conn, "staging", actor=CHEN.id, reason="big day")
    second = asked(conn, requester=BEN, job="copy")
    decisions.operate(conn, ALONE, BEN, second)
    frozen = planned(conn, second)
    assert frozen is not None
    assert "was frozen by <@UCHEN>" in frozen.said
