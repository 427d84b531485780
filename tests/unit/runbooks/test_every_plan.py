"""What every plan keeps, whatever is asked for and however the estate stands (facts/procedures.md §2)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks import steps
from runbooks.errors import Refused
from runbooks.facts.model import Deployment, Facts
from runbooks.plan import Plan, PlannedStep
from runbooks.planner import make_plan
from runbooks.request import (
    AddFields,
    AddIndex,
    Change,
    ChangeType,
    Migrate,
    NewField,
    RemoveFields,
    Request,
    SetDefault,
    SortBy,
)
from runbooks.step import Step
from tests.support.estate import FILES, PEOPLE, PEOPLE_SINK, PEOPLE_SORTED, PEOPLE_TABLE, live

PAUSED_LOOKING_BACK = "tinybird.copy.pause-appending/1"
# What stops something, and what in a plan starts it again; the copies of a table that was replaced are run first
STARTED_BY = {
    "tinybird.copy.pause/1": ("tinybird.copy.resume/1", "pipe"),
    PAUSED_LOOKING_BACK: ("tinybird.copy.resume/1", "pipe"),
    "sequin.sink.pause/1": ("sequin.sink.resume/1", "sink"),
    "connect.connector.pause/1": ("connect.connector.resume/1", "connector"),
    "kubernetes.deployment.stop/1": ("kubernetes.deployment.start/1", "deployment"),
}
# What a run makes or moves for a while, and what ends it again
ENDED_BY = {
    "tinybird.mirror.create/1": "tinybird.mirror.drop/1",
    "tinybird.mirror.feed/1": "tinybird.mirror.end-own-feed/1",
    "tinybird.mirror.copy-create/1": "tinybird.mirror.copy-remove/1",
    "tinybird.copy.create/1": "tinybird.copy.remove-own/1",
    "tinybird.copy.fill/1": "tinybird.copy.remove-fill/1",
    "tinybird.pipe.move/1": "tinybird.pipe.return/1",
}
TAKEN_AWAY = ("tinybird.datasource.set-aside/1", "tinybird.datasource.delete/1")
ASKED = ("nulls", "rows that hold the default", "rows that share a key", "values that do not fit", "views and triggers")
EXCHANGES = {"exchange": "accepted", "exchange-keys": "accepted"}
MADE = "tinybird.datasource.create/1"
REPLACED = {f"tinybird.datasource.{how}/1" for how in ("switch", "switch-written", "exchange", "exchange-written")}


@st.composite
def files(draw: st.DrawFn) -> Mapping[str, str]:
    """The people with some more copies: of them, of one another, with and without a schedule, and endpoints."""
    made = dict(FILES)
    if draw(st.booleans()):  # behind people_copy: it ticks within a long hold
        made["behind.datasource"] = PEOPLE_SORTED
        made["behind_copy.pipe"] = (
            "NODE lately\nSQL >\n    SELECT * FROM people_sorted\n\n"
            "TYPE COPY\nTARGET_DATASOURCE behind\nCOPY_MODE append\nCOPY_SCHEDULE */5 * * * *\n"
        )
    if draw(st.booleans()):  # the newest people, and those of people_sorted, each once
        source = draw(st.sampled_from(["people FINAL", "people_sorted"]))
        made["lately.datasource"] = PEOPLE_SORTED.replace(
            "ENGINE MergeTree", "ENGINE ReplacingMergeTree\nENGINE_VER updatedAt"
        )
        made["lately_copy.pipe"] = (
            f"NODE newest\nSQL >\n    SELECT * FROM {source} WHERE updatedAt > now() - INTERVAL 30 MINUTE\n\n"
            "TYPE COPY\nTARGET_DATASOURCE lately\nCOPY_MODE append\nCOPY_SCHEDULE */15 * * * *\n"
        )
    for n in range(draw(st.integers(0, 3))):
        source = draw(st.sampled_from(["people FINAL", "people_sorted", "people"]))
        columns = draw(st.sampled_from(["*", "id, name, country, createdAt, updatedAt"]))
        mode = draw(st.sampled_from(["replace", "append"]))
        schedule = draw(st.sampled_from([f"COPY_SCHEDULE {n} * * * *", "COPY_SCHEDULE @on-demand"]))
        counted = "" if (columns, source) == ("*", "people_sorted") else ", 1 AS n"
        made[f"more_{n}.datasource"] = PEOPLE_SORTED
        made[f"more_{n}_copy.pipe"] = (
            f"NODE more_{n}_rows\nSQL >\n    SELECT {columns}{counted} FROM {source}\n\n"
            f"TYPE COPY\nTARGET_DATASOURCE more_{n}\nCOPY_MODE {mode}\n{schedule}\n"
        )
    if draw(st.integers(0, 3)):
        made["people.datasource"] = PEOPLE.replace(
            "    `createdAt`", "    `karma` Int32 `json:$.record.karma` DEFAULT 0,\n    `createdAt`"
        )
    if draw(st.booleans()):
        made["people_raw.pipe"] = "NODE raw\nSQL >\n    SELECT id, name FROM people FINAL\n\nTYPE ENDPOINT\n"
    if draw(st.booleans()):
        made["events_raw.pipe"] = "NODE rows\nSQL >\n    SELECT id FROM events FINAL\n\nTYPE ENDPOINT\n"
    return made


@st.composite
def estates(draw: st.DrawFn) -> Facts:
    rows, rate = draw(st.sampled_from([0, 5_000, 50_000_000])), draw(st.sampled_from([None, 0.0, 2.0, 5_000.0]))
    table = replace(PEOPLE_TABLE, rows=rows, writes_per_s=rate, identity=draw(st.sampled_from("fd")))
    sink = replace(PEOPLE_SINK, status=draw(st.sampled_from(["active", "active", "paused"])))
    facts = live(draw(files()), table, sink)
    learnt = draw(st.sampled_from([{}, {"rename": "refused"}, {"exchange": "accepted"}, *[EXCHANGES] * 3]))
    learnt |= draw(st.sampled_from([{}, {"rename": "refused"}, {"rename": "rewrites-references"}]))
    learnt |= draw(st.sampled_from([{}, {"copy-into-itself": "accepted"}]))
    paused = draw(st.sets(st.sampled_from(sorted(name for name, pipe in facts.pipes.items() if pipe.kind == "copy"))))
    pipes = {n: replace(p, schedule_status="shutdown") if n in paused else p for n, p in facts.pipes.items()}
    writers = {"events": tuple(Deployment("default", f"worker-{n}", n) for n in range(draw(st.integers(0, 2))))}
    limits = replace(facts.limits, slot_restart_s=draw(st.sampled_from([15, 600])))  # holds of a minute and of 20
    return replace(facts, capabilities=learnt, pipes=pipes, writers=draw(st.sampled_from([{}, writers])), limits=limits)


fields = st.builds(
    NewField,
    name=st.sampled_from(["nickname", "karma", "price", "shoe_size"]),
    type=st.sampled_from([None, "text", "Nullable(String)", "Int32", "boolean", "numeric(12,2)", "DateTime64(3)"]),
)
computed = st.builds(  # for the events; of the people it is refused
    NewField,
    name=st.just("half"),
    type=st.just("Float32"),
    default=st.sampled_from([None, "0", "0"]),
    source=st.sampled_from(["score / 2", "score / 2", "toYear(updatedAt)"]),
)
added = st.lists(fields | computed, min_size=1, max_size=2, unique_by=lambda field: field.name).map(
    lambda asked: AddFields(fields=tuple(asked))
)
columns = st.sampled_from(["karma", "karma", "karma", "name", "country", "score", "id", "createdAt", "updatedAt"])
changed: st.SearchStrategy[Change] = st.one_of(
    st.builds(ChangeType, name=columns, type=st.sampled_from(["text", "bigint", "Int64", "Nullable(String)", "date"])),
    st.builds(SetDefault, name=columns, default=st.sampled_from(["'x'", "0", "7"])),
    st.builds(RemoveFields, names=st.lists(columns, min_size=1, max_size=2, unique=True).map(tuple)),
    *[st.builds(SortBy, columns=st.lists(columns, min_size=1, max_size=3, unique=True).map(tuple))] * 2,
    st.builds(AddIndex, name=st.just("skip"), expression=columns, type=st.sampled_from(["minmax", "set(100)"])),
)


def asked(change: st.SearchStrategy[Change], *strategies: str | None) -> st.SearchStrategy[Request]:
    return st.builds(
        lambda target, change, strategy: Request(
            text="/tb migrate", job=Migrate(datasources=(target,), change=change), strategy=strategy
        ),
        st.sampled_from(["people", "people", "events", "events"]),
        change,
        st.sampled_from(strategies),
    )


def planned(request: Request, facts: Facts) -> Plan | None:
    try:
        return make_plan(request, facts)
    except Refused:
        return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(asked(added, "recreate", "recreate", "recreate", "rename", "pipe-by-pipe", "alter", None), estates())
def test_every_plan_starts_what_it_stops_and_can_be_carried_out_from_its_rows(request: Request, facts: Facts) -> None:
    _holds(request, facts)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(
    asked(changed, None, None, "recreate", "exchange", "pipe-by-pipe"),
    estates(),
    st.dictionaries(st.sampled_from(ASKED), st.integers(0, 1)),
)
def test_so_does_every_plan_of_another_change(request: Request, facts: Facts, answers: dict[str, int]) -> None:
    _holds(request, replace(facts, answers=answers))


def _holds(request: Request, facts: Facts) -> None:
    plan = planned(request, facts)
    if plan is None:
        return
    _what_is_stopped_is_started(plan, facts)
    _a_way_back_is_known_of_every_stop(plan)
    _only_what_is_paused_is_run_and_before_anything_goes_on(plan)
    _what_was_missed_is_copied_before_a_copy_goes_on(plan)
    _a_hold_is_one_block_with_its_gate_before_it_and_a_budget(plan)
    _every_step_is_found_by_its_op(plan)
    _a_table_is_replaced_by_a_proven_one_while_nothing_comes(plan)
    _postgres_loses_nothing_before_the_end(plan)
    _what_is_made_for_a_while_ends(plan)
    _no_reader_is_moved_back_before_the_table_is_proven(plan)


def _what_is_made_for_a_while_ends(plan: Plan) -> None:
    for at, step in enumerate(plan.steps):
        if step.op in ENDED_BY:
            named = step.params.get("pipe")
            later = [s for s in plan.steps[at + 1 :] if s.op == ENDED_BY[step.op] and s.params.get("pipe") == named]
            assert len(later) == 1, step.title
            assert type(steps.load(step.op, step.params)).remember is not Step.remember, step.op


def _no_reader_is_moved_back_before_the_table_is_proven(plan: Plan) -> None:
    ops = [step.op for step in plan.steps]
    for at, op in enumerate(ops):
        if op == "tinybird.pipe.move/1":
            assert ops.index("proof.mirror/1") < at
            assert plan.steps[at].gate == "approve"
            assert plan.steps[at].hold is None
        if op == "tinybird.pipe.return/1":
            gone = next(n for n, other in enumerate(ops) if other in (*TAKEN_AWAY, *REPLACED))
            proofs = [n for n, other in enumerate(ops) if other in ("proof.values/1", "proof.copy/1")]
            assert ops.index("tinybird.pipe.check-unread/1") < gone < at
            assert any(n < at for n in proofs)
            assert all(n > at for n, other in enumerate(ops) if other == "tinybird.copy.run/1")


def _what_is_stopped_is_started(plan: Plan, facts: Facts) -> None:
    for at, step in enumerate(plan.steps):
        later = plan.steps[at + 1 :]
        if step.op in STARTED_BY:
            op, named = STARTED_BY[step.op]
            if step.op == "tinybird.copy.pause/1" and not _runs(facts, step.params["pipe"]):
                assert not any(s.op == op and s.params[named] == step.params[named] for s in later), step.title
                continue  # it stood still before
            assert any(s.op == op and s.params[named] == step.params[named] for s in later), step.title
        if step.op in TAKEN_AWAY:
            assert any(s.op == MADE for s in later), step.title


def _only_what_is_paused_is_run_and_before_anything_goes_on(plan: Plan) -> None:
    """Copies behind the table's own never append what was made before those have run again."""
    numbers = {op: [n for n, s in enumerate(plan.steps) if s.op == f"tinybird.copy.{op}/1"] for op in ("run", "resume")}
    assert max(numbers["run"], default=0) <= min(numbers["resume"], default=len(plan.steps))
    paused = {s.params["pipe"] for s in plan.steps if s.op in ("tinybird.copy.pause/1", PAUSED_LOOKING_BACK)}
    assert {plan.steps[n].params["pipe"] for ns in numbers.values() for n in ns} <= paused
    assert {f"copy/{pipe}" for pipe in paused} <= set(plan.locks)


def _what_was_missed_is_copied_before_a_copy_goes_on(plan: Plan) -> None:
    """One that looks back: its own pipe is made, run, and removed, outside of the hold, and then it is resumed."""
    for pause in (s for s in plan.steps if s.op == PAUSED_LOOKING_BACK):
        pipe = pause.params["pipe"]
        later = [s for s in plan.steps if _copy_of(s) == pipe and s is not pause]
        assert [s.op.removeprefix("tinybird.copy.") for s in later] == [
            "gap-create/1",
            "gap-run/1",
            "gap-remove/1",
            "resume/1",
        ]
        assert {s.hold for s in later} == {None}
        assert later[0].params["gap"] == pause.params["gap"] == later[1].params["gap"]


def _copy_of(step: PlannedStep) -> str | None:
    if not step.op.startswith("tinybird.copy."):
        return None
    return step.params["gap"]["pipe"] if "gap" in step.params else step.params.get("pipe")


def _runs(facts: Facts, pipe: str) -> bool:
    """Whether the copy runs by itself."""
    output = facts.pipes[pipe].output
    return (
        output is not None
        and output.schedule not in (None, "@on-demand")
        and facts.pipes[pipe].schedule_status != "shutdown"
    )


def _a_way_back_is_known_of_every_stop(plan: Plan) -> None:
    for step in plan.steps:
        if step.op in ("postgres.rewrite/1", *STARTED_BY, TAKEN_AWAY[0], "sequin.backfill.create/1"):
            assert type(steps.load(step.op, step.params)).remember is not Step.remember, step.op


def _a_hold_is_one_block_with_its_gate_before_it_and_a_budget(plan: Plan) -> None:
    budgets = {limit.hold: limit.budget_s for limit in plan.holds}
    for hold, inside in groupby((s for s in plan.steps if s.hold is not None), key=lambda s: s.hold):
        held = list(inside)
        assert [s.gate == "none" for s in held] == [False, *[True] * (len(held) - 1)]
        assert len({s.block for s in held}) == 1
        assert hold is not None
        assert budgets[hold] > 0
        assert held[0].op in STARTED_BY
    stops = [s for s in plan.steps if s.op in STARTED_BY or s.op in TAKEN_AWAY]
    assert all(s.hold is not None for s in stops)
    assert [s.block for s in plan.steps] == sorted(s.block for s in plan.steps)
    assert all(step.gate != "none" for _, block in groupby(plan.steps, key=lambda s: s.block) for step in [next(block)])


def _a_table_is_replaced_by_a_proven_one_while_nothing_comes(plan: Plan) -> None:
    """By two renames or in one call; what fills the new table is gone by then, and how it comes back is known."""
    ops = [step.op for step in plan.steps]
    for at, op in enumerate(ops):
        if op in REPLACED:
            assert type(steps.load(op, plan.steps[at].params)).remember is not Step.remember
            assert {"proof.copy/1", "tinybird.copy.remove-own/1", "connect.connector.pause/1"} <= set(ops[:at])
            assert "connect.connector.resume/1" not in ops[:at]
            assert plan.steps[at].hold is not None
            assert (plan.strategy.name == "exchange") == (".exchange" in op)
            assert "tinybird.pipe.check-references/1" in ops[at:]


def _postgres_loses_nothing_before_the_end(plan: Plan) -> None:
    """Expand, move, contract: what takes something away is behind all proofs and outside of holds, in a block of its
    own; a rewrite alone lies inside one (facts/procedures.md §2.1)."""
    for at, step in enumerate(plan.steps):
        if step.op == "postgres.rewrite/1":
            assert step.hold is not None
        elif step.op == "postgres.drop-columns/1":
            assert (step.gate, step.hold) == ("strong", None)
            assert {s.op for s in plan.steps[at + 1 :]} <= {"sequin.tables.refresh-after/1"}
        elif step.op.startswith("postgres."):
            assert step.hold is None


def _every_step_is_found_by_its_op(plan: Plan) -> None:
    for step in plan.steps:
        loaded = steps.load(step.op, json.loads(json.dumps(step.params)))
        assert (loaded.op, loaded.params(), loaded.title()) == (step.op, step.params, step.title)
