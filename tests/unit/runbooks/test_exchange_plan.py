"""Two tables that change places in one call: only where the workspace is known to do it, and for other keys alone."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from runbooks.earlier import Kept, Past, Rest
from runbooks.errors import Refused
from runbooks.facts.model import Connector, Deployment, Facts, Token
from runbooks.guards import digest_of_schema
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import (
    AddFields,
    AddIndex,
    Change,
    Finish,
    Migrate,
    NewField,
    Request,
    Revert,
    SetDefault,
    SortBy,
)
from tests.support.estate import FILES, PEOPLE_TABLE, live

KNOWN = {"exchange": "accepted", "exchange-keys": "accepted"}
PAGES = {
    "people_raw.pipe": "NODE raw\nSQL >\n    SELECT id, name FROM people FINAL\n\nTYPE ENDPOINT\n",
    "events_raw.pipe": "NODE raw\nSQL >\n    SELECT id FROM events FINAL\n\nTYPE ENDPOINT\n",
}
RENAMED, LED_BACK = "tinybird.datasource.keep-exchanged/1", "tinybird.pipe.check-references/1"


def facts(known: Mapping[str, str] = KNOWN, files: Mapping[str, str] = FILES) -> Facts:
    """People, who change a thousand times a second, and events, which others might write too, each with an endpoint
    that reads the table itself; and what a probe has found."""
    return replace(
        live({**files, **PAGES}, replace(PEOPLE_TABLE, writes_per_s=1_000.0)),
        tokens=(Token("backend", (("DATASOURCES:APPEND", "events"),)),),
        capabilities=known,
        connector=Connector("tinybird-sink", "RUNNING", ("RUNNING",), ("people", "events")),
        writers={"events": (Deployment("crowd", "worker-dpl", 2, 2),)},
        answers={"rows that share a key": 0},
    )


def planned(change: Change, of: Facts | None = None, on: str = "people", strategy: str | None = None) -> Plan:
    job = Migrate(datasources=(on,), change=change)
    return make_plan(Request(text="/tb migrate", job=job, strategy=strategy), of or facts())


def sort_by(*columns: str) -> SortBy:
    return SortBy(columns=columns)


def ops(plan: Plan) -> list[str]:
    return [step.op for step in plan.steps]


def rejected(plan: Plan) -> str:
    return next(each.reason for each in plan.strategy.rejected if each.name == "exchange")


@pytest.mark.parametrize(
    ("on", "switch", "renames"), [("people", "exchange", "swap"), ("events", "exchange-written", "rename")]
)
def test_a_table_that_an_endpoint_reads_is_exchanged_where_the_workspace_does_it(
    on: str, switch: str, renames: str
) -> None:
    """It breaks no read, and else it is what swap or rename would do, step by step."""
    plan = planned(sort_by("createdAt", "id"), on=on)
    assert (plan.strategy.name, plan.downtime.seconds) == ("exchange", 0)
    other = planned(sort_by("createdAt", "id"), on=on, strategy=renames)
    assert other.downtime.seconds > 0
    assert (plan.hold, plan.holds, plan.took) == (other.hold, other.holds, other.took)
    assert plan.hazards == other.hazards
    assert ("unknown-writer" in {hazard.slug for hazard in plan.hazards}) == (on == "events")
    at = ops(plan).index(f"tinybird.datasource.{switch}/1")
    assert ops(plan)[at + 1 : at + 3] == [RENAMED, LED_BACK]
    kinds = {f"tinybird.datasource.{switch}/1", RENAMED}
    assert [op for op in ops(plan) if op not in kinds] == [op for op in ops(other) if ".switch" not in op]
    assert plan.steps[at].params["before"] == digest_of_schema(facts().datasources[on])
    assert plan.steps[at].params["before"] != plan.steps[at].params["table"]["planned"]


def test_what_no_endpoint_reads_is_renamed_as_ever() -> None:
    assert planned(sort_by("name", "id"), replace(live(), capabilities=KNOWN)).strategy.name == "swap"


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "nobody knows whether this workspace can exchange two tables: /tb doctor probe finds out"),
        ({"exchange": "refused"}, "this workspace cannot exchange two tables (found by /tb doctor probe)"),
        (
            {"exchange": "accepted"},
            "nobody knows whether this workspace can exchange two tables of other sorting keys: /tb doctor probe finds "
            "out",
        ),
        (
            {"exchange": "accepted", "exchange-keys": "refused"},
            "this workspace cannot exchange two tables of other sorting keys (found by /tb doctor probe)",
        ),
    ],
)
def test_a_workspace_that_was_not_seen_to_do_it_is_not_asked_for_it(known: dict[str, str], said: str) -> None:
    plan = planned(sort_by("name", "id"), facts(known))
    assert (plan.strategy.name, rejected(plan)) == ("pipe-by-pipe", said)  # an endpoint reads it


@pytest.mark.parametrize(
    ("change", "on", "said"),
    [
        (
            AddFields(fields=(NewField(name="karma", type="integer"),)),
            "people",
            "it needs two tables of the same columns, and karma would differ: alter would have to come first",
        ),
        (
            SetDefault(name="country", default="'-'"),
            "people",
            "it needs two tables of the same columns, and country would differ: alter would have to come first",
        ),
        (
            AddIndex(name="skip", expression="name", type="minmax"),
            "people",
            "it needs two tables of the same schema, and more than their sorting keys would differ",
        ),
    ],
)
def test_whatever_else_changes_is_another_schema(change: Change, on: str, said: str) -> None:
    assert rejected(planned(change, on=on)) == said


def test_what_hinders_a_swap_or_a_rename_hinders_it_too() -> None:
    unwritten = replace(facts(), writers={})
    with pytest.raises(Refused, match="exchange: nobody named the deployments that write events"):
        planned(sort_by("createdAt", "id"), unwritten, on="events")


def test_a_workspace_that_cannot_rename_can_exchange() -> None:
    """The old table is kept under the name that it got."""
    plan = planned(sort_by("createdAt", "id"), facts({**KNOWN, "rename": "refused"}))
    assert plan.strategy.name == "exchange"
    assert {"name": "swap", "reason": "this workspace cannot rename a data source"} in [
        each.model_dump() for each in plan.strategy.rejected
    ]


def test_a_key_that_is_only_written_otherwise_cannot_be_told_apart() -> None:
    """Nothing but the schema under a name says which table it is."""
    spaced = FILES["people.datasource"].replace("SORTING_KEY id", "SORTING_KEY lower( name ), id")
    now = facts(files={**FILES, "people.datasource": spaced})
    was = replace(now.datasources["people"], id="t_was", name="was", sorting_key=("lower(name)", "id"))
    of = replace(now, datasources={**now.datasources, "was": was})
    job = Revert(run=7, kept=Kept(name="was", id="t_was", of="people"))
    with pytest.raises(Refused, match="exchange: by their schemas nobody could tell the new table from the old one;"):
        make_plan(Request(text="/tb revert 7", job=job), of)


@pytest.mark.parametrize("moved", [False, True], ids=["ids stay", "ids move"])
@pytest.mark.parametrize("stands", ["old", "new"])
def test_an_aborted_exchange_is_gone_on_with_only_where_the_new_table_stands(stands: str, moved: bool) -> None:
    """Whatever its id is: known by its schema."""
    asked = Request(text="migrate …", job=Migrate(datasources=("events",), change=sort_by("createdAt", "id")))
    first = make_plan(asked, facts())
    done = ops(first).index("connect.connector.resume/1")
    past = [Past(op=s.op, params=s.params, done=n <= done) for n, s in enumerate(first.steps)]
    of = Rest.model_validate({"request": asked.model_dump(mode="json"), "steps": past, "made_by": 7})
    events = facts().datasources["events"]
    if stands == "new":
        events = replace(events, sorting_key=("createdAt", "id"), id="t_new" if moved else events.id)
    now = replace(facts(), datasources={**facts().datasources, "events": events})
    plan = make_plan(Request(text="retry 7", job=Finish(run=7, of="migrate …", rest=of)), now)
    assert ops(plan) == (ops(first)[done + 1 :] if stands == "new" else ops(first))
