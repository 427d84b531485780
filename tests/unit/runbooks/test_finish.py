"""What a run left is finished from wherever it stands, and nothing reads a table before it is proven."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks import steps
from runbooks.earlier import Past, Rest
from runbooks.errors import Refused
from runbooks.facts.model import Backfill, Column, Deployment, Facts
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Finish, Migrate, NewField, Request
from runbooks.step import Step
from runbooks.steps.copies import PauseCopy, RestoreCopy
from runbooks.steps.set_aside import PutBack
from tests.support.estate import PEOPLE_SINK, live

COPY = "people_copy"
GHOSTS = "tinybird.datasource.delete-ghosts/1"
SWEPT = 18  # steps of recreate, up to and with that one
NICK = Column("nick", "String", "$.record.nick", "''")


def before() -> Facts:
    facts = live()
    pipes = {n: replace(p, schedule_status="running") if n == COPY else p for n, p in facts.pipes.items()}
    people = replace(facts.datasources["people"], id="t_old")
    return replace(facts, pipes=pipes, datasources={**facts.datasources, "people": people})


def request(strategy: str = "recreate") -> Request:
    change = AddFields(fields=(NewField(name="nick", type="text"),))
    return Request(text="migrate …", job=Migrate(datasources=("people",), change=change), strategy=strategy)


def rest(strategy: str = "recreate", *, done: int = 0, **known: object) -> Rest:
    plan = make_plan(request(strategy), before())
    past = [Past(op=s.op, params=s.params, done=n < done) for n, s in enumerate(plan.steps)]
    asked = request(strategy).model_dump(mode="json")
    return Rest.model_validate(
        {"request": asked, "steps": past, "made_by": 7, "locks": plan.locks, "sql": plan.sql, **known}
    )


def left(*, copies: bool = True, put_back: bool = True) -> tuple[Past, ...]:
    pause = next(s for s in _loaded(rest().steps) if isinstance(s, PauseCopy))
    entries: list[Step] = [RestoreCopy(pipe=COPY, table=pause.table)] if copies else []
    if put_back:
        entries.append(PutBack(table=pause.table, kept="people__before_run_7", topic="people"))
    return tuple(Past(op=entry.op, params=entry.params()) for entry in entries)


def standing(
    table: str, *, kept: bool = True, copy: str = "shutdown", sink: str = "active", connector: str = "RUNNING",
    backfill: bool = False,
) -> Facts:  # fmt: skip
    """The facts afterwards; ``table`` is old, new, another or none."""
    facts = before()
    old = facts.datasources["people"]
    found = {n: d for n, d in facts.datasources.items() if n != "people"}
    match table:
        case "old":
            found["people"] = old
        case "new":
            described = next(s for s in _loaded(rest().steps) if s.op == "tinybird.datasource.create/1")
            found["people"] = replace(old, id="t_new", columns=(*old.columns, NICK))
            assert described.params()["table"]["planned"]
        case "another":
            found["people"] = replace(old, id="t_guess", columns=old.columns[:2])
        case _:
            pass
    if kept and table != "old":
        found["people__before_run_7"] = replace(old, name="people__before_run_7")
    assert facts.connector is not None
    open_now = (Backfill("b1", "active", "public.people", 10, 1),) if backfill else ()
    return replace(
        facts,
        datasources=found,
        pipes={n: replace(p, schedule_status=copy) if n == COPY else p for n, p in facts.pipes.items()},
        sinks={"people_sink": replace(PEOPLE_SINK, status=sink, backfills=open_now)},
        connector=replace(facts.connector, state=connector),
    )


def made(found: Rest, facts: Facts) -> Plan:
    return make_plan(Request(text="retry 7", job=Finish(run=7, of="migrate …", rest=found)), facts)


def ops(plan: Plan) -> list[str]:
    return [step.op for step in plan.steps]


def _loaded(past: Sequence[Past]) -> list[Step]:
    return [steps.load(each.op, each.params) for each in past]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(
    st.sampled_from(["old", "new", "none"]), st.booleans(), st.sampled_from(["running", "shutdown"]),
    st.sampled_from(["active", "paused"]), st.sampled_from(["RUNNING", "PAUSED"]), st.booleans(), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_whatever_stands_it_is_started_and_read_only_when_proven(
    table: str, kept: bool, copy: str, sink: str, connector: str, backfill: bool, proven: bool, swept: bool
) -> None:
    facts = standing(table, kept=kept, copy=copy, sink=sink, connector=connector, backfill=backfill)
    known = {"left": left(), "touched": True, "proven": ("people",) if proven and table == "new" else ()}
    past = rest(done=SWEPT if swept and proven else 0, **known)
    if (table, copy, sink, connector, proven, swept) == ("new", "running", "active", "RUNNING", True, True):
        with pytest.raises(Refused, match="Nothing of run 7 is left to finish"):
            made(past, facts)
        return
    plan = made(past, facts)
    done = ops(plan)
    if table == "new" or (table == "none" and not kept):  # what came as deletes goes before anything reads
        assert (GHOSTS in done) != (swept and proven and table == "new")
    if GHOSTS in done:
        reading = [done.index(op) for op in ("tinybird.copy.run/1", "tinybird.copy.resume/1") if op in done]
        assert all(done.index(GHOSTS) < at for at in reading)
        assert "proof.values/1" in done[done.index(GHOSTS) :]
    assert ("connect.connector.resume/1" in done) or connector == "RUNNING"
    assert ("sequin.sink.resume/1" in done) or sink == "active"
    assert ("tinybird.copy.resume/1" in done) or copy == "running"
    assert [s.gate for s in plan.steps] == ["approve", *["none"] * (len(done) - 1)]
    assert {s.block for s in plan.steps} == {1}
    if "sequin.backfill.await/1" in done:
        _nothing_reads_before_the_proof(done, copy if table != "old" else "")  # the old one is whole, only late
        assert ("sequin.backfill.create/1" in done) != backfill
        resumed = [op for op in done if op in ("connect.connector.resume/1", "sequin.sink.resume/1")]
        assert all(done.index(op) < done.index("sequin.backfill.await/1") for op in resumed)


def _nothing_reads_before_the_proof(done: list[str], copy: str) -> None:
    proof = done.index("proof.values/1")
    assert all(done.index(op) > proof for op in ("tinybird.copy.run/1", "tinybird.copy.resume/1"))
    if copy == "running":
        assert done[0] == "tinybird.copy.pause/1"


def test_a_kept_table_whose_name_is_free_is_put_back_when_nothing_was_refused_meanwhile() -> None:
    plan = made(rest(left=left(), touched=True), standing("none", sink="paused", connector="PAUSED"))
    assert ops(plan) == [
        "tinybird.datasource.put-back/1", "connect.connector.resume/1", "sequin.sink.resume/1",
        "tinybird.copy.resume/1",
    ]  # fmt: skip
    assert "ask for the migration itself again afterwards" in plan.strategy.reasons[0]


def test_a_table_of_another_schema_is_left_to_people() -> None:
    with pytest.raises(Refused, match="Delete or rename it, then retry run 7"):
        made(rest(left=left(), touched=True), standing("another"))


def test_what_was_put_back_is_asked_for_anew() -> None:
    plan = made(rest(touched=True), standing("old", copy="running"))
    assert (plan.strategy.name, plan.command, plan.request["change"]) == ("recreate", "retry 7", "add fields")


def test_a_copy_that_somebody_else_paused_is_not_resumed() -> None:
    plan = made(rest(touched=True), standing("old", copy="shutdown"))  # nothing of it was left by the run
    assert plan.strategy.name == "recreate"


def test_what_stayed_stopped_before_the_table_was_touched_is_only_started() -> None:
    plan = made(rest(left=left(put_back=False)), standing("old", sink="paused"))
    assert ops(plan) == ["sequin.sink.resume/1", "tinybird.copy.resume/1"]


def test_an_alter_goes_on_with_what_it_had_not_done() -> None:
    facts = before()
    altered = replace(facts.datasources["people"], columns=(*facts.datasources["people"].columns, NICK))
    plan = made(rest("alter", done=2), replace(facts, datasources={**facts.datasources, "people": altered}))
    assert ops(plan) == ["postgres.migrate/1", "sequin.tables.refresh/1", "proof.values/1"]
    assert [s.gate for s in plan.steps] == ["approve", "approve", "none"]
    assert plan.sql


def test_an_alter_that_did_nothing_on_its_table_begins_anew() -> None:
    assert made(rest("alter"), before()).strategy.name == "alter"


def test_the_hash_binds_the_rest_to_its_run() -> None:
    found, facts = rest(left=left(), touched=True), standing("new")
    first = made(found, facts)
    assert first.request == {"kind": "finish", "run": 7}
    assert first.hash == made(found, facts).hash
    assert first.hash != made(found, standing("new", sink="paused")).hash


def test_outside_the_ledger_nothing_is_known_of_a_run() -> None:
    with pytest.raises(Refused, match="known to the ledger alone"):
        make_plan(Request(text="retry 7", job=Finish(run=7, of="migrate …")), before())


@pytest.mark.parametrize("stands", ["t_old", "t_new"])
def test_a_switch_is_gone_on_with_only_where_it_stands(stands: str) -> None:
    """One that was put back is planned anew, though its step was done."""
    facts = live()
    events = replace(facts.datasources["events"], id="t_old")
    facts = replace(
        facts,
        datasources={**facts.datasources, "events": events},
        writers={"events": (Deployment("default", "worker", 2, 2),)},
    )
    job = Migrate(datasources=("events",), change=AddFields(fields=(NewField(name="karma", type="Int32"),)))
    asked = Request(text="migrate …", job=job, strategy="rename")
    first = make_plan(asked, facts)
    switched = [step.op for step in first.steps].index("tinybird.datasource.switch-written/1")
    past = [Past(op=s.op, params=s.params, done=n <= switched + 3) for n, s in enumerate(first.steps)]
    of = Rest.model_validate({"request": asked.model_dump(mode="json"), "steps": past, "made_by": 7})
    now = replace(facts, datasources={**facts.datasources, "events": replace(events, id=stands)})
    plan = make_plan(Request(text="retry 7", job=Finish(run=7, of="migrate …", rest=of)), now)
    ops = [step.op for step in plan.steps]
    if stands == "t_new":
        assert ops == [step.op for step in first.steps[switched + 4 :]]
        assert ops[0] == "kubernetes.deployment.start/1"
        assert [step.gate for step in plan.steps] == ["approve", *("none" for _ in ops[1:])]  # or nothing begins it
    else:
        assert ops == [step.op for step in first.steps]
