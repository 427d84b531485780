"""`rename <datasource> to <name>`: its order, and when it says why it is not done."""

from dataclasses import replace

import pytest

from runbooks.earlier import Past, Rest
from runbooks.errors import Refused
from runbooks.facts.model import Connector, Deployment, Facts, Sink
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import Shapes
from runbooks.request import Finish, Rename, Request, Unreplicate
from tests.support.estate import PEOPLE_SINK, PEOPLE_TABLE, seeded
from tests.support.rename_plan import NAMES, SHAPE, facts, planned

SORTED = "people_copy"
VIEW = (
    "NODE seen_rows\nSQL >\n    SELECT id, name, country, createdAt, updatedAt FROM people\n\n"
    "TYPE MATERIALIZED\nDATASOURCE people_seen\n"
)


def why_not(known: Facts, old: str = "people", new: str = "persons") -> str:
    with pytest.raises(Refused) as refused:
        planned(known, old, new)
    return str(refused.value)


def test_the_new_one_is_proven_before_a_reader_moves_and_the_old_one_goes_when_none_is_left() -> None:
    ops = [(step.op.partition("/")[0], step.params) for step in planned().steps]
    order = [
        "kafka.topic.create", "tinybird.datasource.create-new", "tinybird.token.grant-append",
        "github.properties.commit", "github.pull.open", "github.properties.merge", "connect.restart",
        "connect.topic.await-tracked", "sequin.tables.refresh", "sequin.sink.create",
        "sequin.backfill.create", "sequin.backfill.await", "stream.await-delivery", "proof.values", "stream.check-flow",
        "tinybird.token.give-scopes", "tinybird.datasource.restore-tags",
        "tinybird.pipe.let-read", "tinybird.pipe.let-read", "tinybird.pipe.let-read", "tinybird.pipe.check-unread",
        "tinybird.copy.await-begun", "proof.values",
        "sequin.sink.delete-old", "stream.await-delivery", "github.properties.commit", "github.pull.open",
        "github.properties.merge", "connect.restart", "connect.topic.await-untracked", "tinybird.token.revoke-append",
        "kafka.topic.delete", "tinybird.datasource.drop-replica", "github.branch.delete", "github.branch.delete",
    ]  # fmt: skip
    assert [op for op, _ in ops] == order
    assert not any("publication" in op or "postgres" in op for op, _ in ops), "the new sink needs the table published"
    assert planned().sql == ()
    created = next(params for op, params in ops if op == "tinybird.datasource.create-new")
    old = facts().datasources["people"]
    assert created["table"]["name"] == "persons"
    assert (created["sorting_key"], created["version"]) == (", ".join(old.sorting_key), old.version)
    assert next(p for op, p in ops if op == "sequin.sink.create") == {
        "sink": "persons_sink", "table": "public.people", "topic": "persons", "like": "people_sink",
    }  # fmt: skip
    assert {p["claim"]["datasource"] for op, p in ops if op == "proof.values"} == {"persons"}
    scopes = next(p["grants"] for op, p in ops if op == "tinybird.token.give-scopes")
    assert scopes == [{"token": "readers", "scope": "DATASOURCES:READ:persons:id != ''"}]


def test_each_pull_request_of_the_run_has_a_branch_of_its_own() -> None:
    branches = [s.params["branch"] for s in planned().steps if s.op == "github.pull.open/1"]
    assert len(set(branches)) == 2
    tidied = [s.params["branch"] for s in planned().steps if s.op == "github.branch.delete/1"]
    assert tidied == branches


def test_readers_are_shown_with_their_new_sql_and_moved_one_approved_step_each() -> None:
    plan = planned()
    moved = {s.params["pipe"]: s for s in plan.steps if s.op == "tinybird.pipe.let-read/1"}
    assert {pipe: s.params["endpoints"] for pipe, s in moved.items()} == {
        "people_copy": [], "people_raw": ["people_raw"], "people_shared": ["people_page"],
    }  # fmt: skip
    assert [s.gate for s in moved.values()] == ["approve"] * 3
    assert "+SELECT people.id FROM persons AS people WHERE country != ''" in plan.diffs["people_shared.pipe"]
    assert "FROM persons AS people WHERE country != ''" in plan.datafiles["people_shared.pipe"]
    assert plan.datafiles.keys() == {"persons.datasource", "people_copy.pipe", "people_raw.pipe", "people_shared.pipe"}
    without = [(h.level, h.resource) for h in plan.hazards if h.slug == "reader-without-final"]
    assert ("warning", "people_shared") in without
    assert {"datasource/people", "datasource/persons", "table/people", "copy/people_copy"} == {*plan.locks}
    assert "restarted twice" in next(h.message for h in plan.hazards if h.slug == "connect-restarts")


def test_both_topics_are_asked_for() -> None:
    asked = questions_of(Request(text="…", job=Rename(datasource="people", to="persons")), facts())
    assert next(q.topics for q in asked if isinstance(q, Shapes)) == ("persons", "people")
    rest = Rest.model_validate(
        {
            "request": Request(text="…", job=Rename(datasource="people", to="persons")).model_dump(mode="json"),
            "steps": [Past(op=s.op, params=s.params, done=False) for s in planned().steps],
            "made_by": 7, "locks": (), "sql": (),
        }
    )  # fmt: skip
    again = Request(text="…", job=Finish(run=7, of="rename people to persons", rest=rest))
    assert questions_of(again, facts()) == asked, "what was begun is planned anew, and asks the same"
    assert make_plan(again, facts()).hash == planned().hash


def test_what_an_earlier_run_left_of_the_old_name_is_taken_away() -> None:
    """Its sink is gone, the readers are moved: the new one is fed and stands."""
    begun = facts()
    persons = replace(begun.datasources["people"], name="persons", id="t_persons")
    moved = {n: p for n, p in begun.pipes.items() if n not in (SORTED, "people_raw", "people_shared", "people_page")}
    begun = replace(
        begun,
        datasources={**begun.datasources, "persons": persons},
        pipes=moved,
        sinks={"persons_sink": replace(PEOPLE_SINK, name="persons_sink", topic="persons")},
        connector=Connector("tinybird-sink", "RUNNING", ("RUNNING",), ("people", "persons")),
        topics={"people": SHAPE, "persons": SHAPE},
    )
    ops = [step.op.partition("/")[0] for step in planned(begun).steps]
    assert ops[0] == "proof.values"
    assert "sequin.sink.create" not in ops
    assert "sequin.sink.delete-old" not in ops
    assert ops[-3:] == ["kafka.topic.delete", "tinybird.datasource.drop-replica", "github.branch.delete"]


def test_a_table_with_two_names_is_not_unreplicated() -> None:
    """A rename that was aborted leaves both; what ends one must not withdraw the table from the other."""
    known = facts()
    both = {**known.sinks, "persons_sink": replace(PEOPLE_SINK, name="persons_sink", topic="persons")}
    with pytest.raises(Refused, match="`/tb rename people to persons` takes `people` away"):
        make_plan(Request(text="…", job=Unreplicate(table="people")), replace(known, sinks=both))


OTHER = Sink("other_sink", "public.orders", "persons", "active", "healthy", "main")


def refused() -> dict[str, tuple[Facts, str]]:
    known = facts()
    people, table = known.datasources["people"], PEOPLE_TABLE
    return {
        "a pipe": (replace(known, pipes={**known.pipes, "persons": known.pipes["people_raw"]}), "is a pipe `persons`"),
        "another table": (replace(known, tables={"people": table, "persons": table}), "another table `persons`"),
        "a topic": (replace(known, topics={"people": SHAPE, "persons": SHAPE}), "is a topic `persons`"),
        "a listed topic": (
            replace(known, connector=Connector("tinybird-sink", "RUNNING", ("RUNNING",), ("people", "persons"))),
            "is a topic `persons`",
        ),
        "a data source": (
            replace(known, datasources={**known.datasources, "persons": replace(people, name="persons", engine="X")}),
            "not like `people`",
        ),
        "another sink": (replace(known, sinks={**known.sinks, "other_sink": OTHER}), "`other_sink` sends"),
        "a paused sink": (replace(known, sinks={"people_sink": replace(PEOPLE_SINK, status="disabled")}), "resume it"),
        "another topic": (
            replace(known, sinks={"people_sink": replace(PEOPLE_SINK, topic="ossPeople")}),
            "No Sequin sink has the topic `people`; `people_sink` sends its table to `ossPeople`",
        ),
        "two sinks": (
            replace(known, sinks={**known.sinks, "more": replace(PEOPLE_SINK, name="more")}),
            "`people_sink`, `more` all send to the topic `people`",
        ),
        "shared": (
            replace(known, datasources={**known.datasources, "people": replace(people, shared=True)}),
            "shared with other workspaces",
        ),
        "services": (replace(known, writers={"people": (Deployment("app", "worker"),)}), "written by `app/worker`"),
        "not published": (replace(known, tables={"people": replace(table, published=False)}), "not wholly replicated"),
        "no unique key": (
            replace(known, tables={"people": replace(table, unique=(("name",),))}),
            "could not be proven by value",
        ),
        "a view": (facts({"people_seen_mv.pipe": VIEW}), "`people_seen_mv` reads `people` and is a materialized pipe"),
        "an unknown text": (
            facts({"people_odd.pipe": "NODE odd\nSQL >\n    SELECT FROM WHERE people (\n\nTYPE ENDPOINT\n"}),
            "`people_odd` cannot be moved: its SQL is not understood",
        ),
    }


@pytest.mark.parametrize("why", refused())
def test_what_cannot_be_done_safely_is_refused_with_what_to_do(why: str) -> None:
    known, said = refused()[why]
    assert said in why_not(known)


def test_what_sequin_does_not_feed_is_refused() -> None:
    known = facts()
    assert "is written by `people_copy`" in why_not(known, known.pipes[SORTED].output.target or "", "persons")
    assert "There is no data source `peopl`. Did you mean `people`?" in why_not(known, "peopl")
    assert "is its name already" in why_not(known, "people", "people")


def test_at_the_estates_size_each_data_source_is_renamed_or_refused() -> None:
    estate = replace(seeded(), names=NAMES)
    plans, whys = list[Plan](), list[str]()
    for name in estate.datasources:
        try:
            plans.append(planned(estate, name, f"{name}_renamed"))
        except Refused as refused:
            whys.append(str(refused))
    assert (len(plans), len(whys)) == (33, 105)
    assert not any(plan.blocked for plan in plans)
    assert all(f"{plan.target}_renamed" in text for plan in plans for text in plan.diffs.values())
    known = ("is written by", "is not fed by Sequin", "is a sink pipe", "is a materialized pipe")
    assert not [why for why in whys if not any(part in why for part in known)]
