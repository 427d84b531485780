"""What every plan must keep: stops are undone, steps survive being stored (facts/procedures.md §2)."""

import json

import pytest

from runbooks import steps
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from runbooks.steps import UnknownStep
from tests.support.estate import live

STARTS = {
    "tinybird.copy.pause/1": "tinybird.copy.resume/1",
    "sequin.sink.pause/1": "sequin.sink.resume/1",
    "connect.connector.pause/1": "connect.connector.resume/1",
}


@pytest.fixture(params=["alter", "recreate"])
def plan(request: pytest.FixtureRequest) -> Plan:
    job = Migrate(datasources=("people",), change=AddFields(fields=(NewField(name="nickname", type="text"),)))
    return make_plan(Request(text="/tb migrate", job=job, strategy=request.param), live())


def test_a_stored_step_is_the_same_step(plan: Plan) -> None:
    for planned in plan.steps:
        loaded = steps.load(planned.op, json.loads(json.dumps(planned.params)))
        assert (loaded.op, loaded.params(), loaded.title()) == (planned.op, planned.params, planned.title)


def test_whatever_is_stopped_is_started_again_later(plan: Plan) -> None:
    ops = [step.op for step in plan.steps]
    for number, op in enumerate(ops):
        if op in STARTS:
            assert STARTS[op] in ops[number:], f"{op} is never undone"


def test_no_gate_lies_inside_a_hold(plan: Plan) -> None:
    held = [step for step in plan.steps if step.hold]
    assert [step.gate for step in held[1:]] == ["none"] * len(held[1:])
    assert len({step.block for step in held}) <= 1


def test_a_step_of_another_version_is_refused_by_its_name() -> None:
    with pytest.raises(UnknownStep, match=r"sequin\.sink\.pause/99"):
        steps.load("sequin.sink.pause/99", {})
