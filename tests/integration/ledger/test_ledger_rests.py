"""A retry of a run that is over: who may, that one at a time goes on with it, and that it takes over what was left."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from ledger import audit, decisions, messages, rests, runs, states
from ledger.connection import Conn, Pool
from ledger.decisions import Verdict
from ledger.policy import Actor
from tests.support.ledger_story import ANA, BEN, OMAR, RULES, asked, made, proposed

pytestmark = pytest.mark.integration


def retry(conn: Conn, run: int, actor: Actor = ANA) -> Verdict:
    return decisions.decide(conn, RULES, actor, "retry", run)


def ended(conn: Conn, *, left: int = 1, **given: int) -> int:
    """A run that was begun and aborted, and left so much."""
    run = proposed(conn, given=given)
    with conn.transaction():
        assert decisions.decide(conn, RULES, BEN, "approve", run, hash="h1").accepted
        conn.execute(
            "INSERT INTO ledger.step (run, phase, number, origin, op, params, title, said, state)"
            " SELECT %(run)s, 'restore', 2 * n, 1, 'x/1', jsonb_build_object('n', n), 'X', 'not safe', 'left'"
            " FROM generate_series(1, %(left)s) AS n",
            {"run": run, "left": left},
        )
        for event in ("restore", "abort"):
            states.move_run(conn, run, event)
    return run


def following(conn: Conn, run: int) -> int:
    """The run that a retry makes, proposed."""
    verdict = retry(conn, run)
    assert verdict.accepted
    new = asked(conn, finishes=verdict.goes_on)
    with conn.transaction():
        runs.propose(conn, new, **made(conn))
    return new


def begun(conn: Conn, run: int) -> int:
    assert decisions.decide(conn, RULES, BEN, "approve", run, hash="h1").accepted
    return run


def test_who_may_neither_ask_nor_approve_retries_nothing(conn: Conn) -> None:
    run = ended(conn)
    before = runs.get(conn, run)
    verdict = retry(conn, run, OMAR)
    assert (verdict.accepted, verdict.goes_on) == (False, None)
    assert verdict.said == "You may not retry this run; those who may: <@UBEN> or <@UCHEN>."
    assert runs.get(conn, run).decisions == before.decisions


def test_a_retry_is_a_decision_with_its_line_and_leaves_the_run_as_it_is(conn: Conn) -> None:
    run = ended(conn)
    before = runs.get(conn, run)
    assert retry(conn, run).goes_on == run
    after = runs.get(conn, run)
    assert after.run == before.run
    assert [d.action for d in after.decisions] == ["approve", "retry"]
    assert audit.about(conn, f"run/{run}")[-1].detail["decision"] == "retry"
    assert isinstance(audit.verify(conn), audit.Sound)


def test_what_was_left_becomes_the_restore_list_of_the_run_that_begins(conn: Conn) -> None:
    run = ended(conn, left=2)
    new = following(conn, run)
    assert runs.get(conn, new).restore == ()
    with conn.transaction():
        conn.execute("UPDATE ledger.message SET sent_rev = wanted_rev")
    begun(conn, new)
    taken = [(row.number, row.state, row.params, row.origin, row.acts) for row in runs.get(conn, new).restore]
    assert taken == [(1, "listed", {"n": 1}, None, 0), (2, "listed", {"n": 2}, None, 0)]
    old = runs.get(conn, run)
    assert old.followed == new
    assert {row.said for row in old.restore} == {f"Run {new} took it up"}
    assert messages.behind_of(conn, run)  # its card says so


def test_one_at_a_time_goes_on_and_none_after_it_has_succeeded(conn: Conn) -> None:
    run = ended(conn)
    new = following(conn, run)
    said = retry(conn, run).said
    assert said == f"Run {new} goes on with what run {run} left already; it is waiting for approval."
    begun(conn, new)
    assert retry(conn, run).said == f"Run {new} goes on with what run {run} left already; it is running."
    with conn.transaction():
        states.move_run(conn, new, "succeed")
    at = f"{runs.get(conn, new).run.finished_at:%H:%M} UTC"
    assert retry(conn, run).said == f"Run {new} finished what run {run} left at {at}; nothing is left."
    assert retry(conn, new).said == f"Run {new} has succeeded at {at}; nothing of it is left to finish."


def test_a_line_goes_on_from_its_last_run_whichever_is_named(conn: Conn) -> None:
    run = ended(conn)
    second = begun(conn, following(conn, run))
    with conn.transaction():
        states.move_step(conn, second, "restore", 1, "leave", said="still not safe")
        for event in ("restore", "fail"):
            states.move_run(conn, second, event)
    third = begun(conn, following(conn, second))
    assert runs.get(conn, third).run.finishes == run
    assert [row.said for row in runs.get(conn, second).restore] == [f"Run {third} took it up"]
    assert [view.run.id for view in rests.begun(conn, run)] == [run, second, third]


def test_a_run_that_was_turned_down_takes_nothing(conn: Conn) -> None:
    run = ended(conn)
    new = following(conn, run)
    assert decisions.decide(conn, RULES, BEN, "reject", new, hash="h1").accepted
    old = runs.get(conn, run)
    assert (old.followed, [row.said for row in old.restore]) == (None, ["not safe"])
    assert retry(conn, run).accepted


def test_a_run_that_goes_on_says_that_there_is_nothing_to_retry(conn: Conn) -> None:
    run = begun(conn, proposed(conn))
    assert retry(conn, run).said == f"Run {run} is running: there is nothing to retry."


def test_of_two_who_retry_at_once_one_makes_a_run(conn: Conn, pool: Pool) -> None:
    run = ended(conn)
    start = Barrier(4)

    def click(_: int) -> bool:
        with pool.connection() as mine:
            start.wait()
            with mine.transaction():
                verdict = retry(mine, run)
                if verdict.accepted:
                    asked(mine, finishes=verdict.goes_on)
                return verdict.accepted

    with ThreadPoolExecutor(4) as people:
        assert sorted(people.map(click, range(4))) == [False, False, False, True]
