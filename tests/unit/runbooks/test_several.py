"""Several data sources in one run: one file of SQL, all of Tinybird before any of Postgres, each proven."""

from dataclasses import replace

import pytest

from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import TAKEN, Count, Rehearsal
from runbooks.request import AddFields, Migrate, NewField, Request, SortBy
from tests.support.estate import EVENTS, FILES, PEOPLE, PEOPLE_SINK, PEOPLE_TABLE, live

DELETED = AddFields(fields=(NewField(name="deletedAt", type="Nullable(DateTime64(3))"),))


def facts() -> Facts:
    one = live({**FILES, "teams.datasource": PEOPLE})
    sink = replace(PEOPLE_SINK, name="teams_sink", table="public.teams", topic="teams")
    tables = {**(one.tables or {}), "teams": replace(PEOPLE_TABLE, name="teams")}
    return replace(one, tables=tables, sinks={**one.sinks, sink.name: sink})


def planned(*names: str, change: AddFields | SortBy = DELETED, strategy: str | None = None) -> Plan:
    return make_plan(Request(text="…", job=Migrate(datasources=names, change=change), strategy=strategy), facts())


def test_tinybird_comes_before_postgres_for_all_of_them() -> None:
    plan = planned("people", "teams")
    assert [(step.op, step.params.get("name") or step.params.get("table")) for step in plan.steps[:-1]] == [
        ("tinybird.datasource.alter/1", "people_sorted"),
        ("tinybird.datasource.alter/1", "people"),
        ("tinybird.datasource.alter/1", "teams"),
        ("postgres.migrate/1", "people"),
        ("postgres.migrate/1", "teams"),
        ("sequin.tables.refresh/1", None),
        ("proof.values/1", None),
    ]
    assert [step.params["claim"]["datasource"] for step in plan.steps[-2:]] == ["people", "teams"]
    assert (plan.target, plan.strategy.name, plan.hold.seconds) == ("people, teams", "alter", 0)


def test_one_that_lives_in_tinybird_alone_goes_along_without_sql() -> None:
    plan = planned("people", "events")
    assert len(plan.sql) == 1
    assert [s.params["name"] for s in plan.steps[:3]] == ["people_sorted", "people", "events"]


def test_there_is_one_file_of_sql() -> None:
    plan = planned("people", "teams")
    (name,) = (name for name in plan.datafiles if name.endswith(".sql"))
    assert name == "V{epoch}__add_deletedAt_to_2_tables.sql"
    assert all(statement in plan.datafiles[name] for statement in plan.sql)
    assert len(plan.sql) == 2
    assert {"people.datasource", "teams.datasource", "people_sorted.datasource"} < plan.datafiles.keys()


def test_all_of_them_are_locked_guarded_and_bound() -> None:
    plan = planned("people", "teams")
    assert {"datasource/people", "datasource/teams"} <= set(plan.locks)
    assert {f"tinybird/datasource/{name}/schema" for name in ("people", "teams")} <= plan.guards.keys()
    assert plan.hash != planned("people").hash
    assert Plan.from_json(plan.to_json()).hash == plan.hash


def test_each_is_asked_about_and_judged_by_its_own_answers() -> None:
    request = Request(text="…", job=Migrate(datasources=("people", "teams"), change=DELETED))
    apart = {"teams": replace(PEOPLE_TABLE, name="teams", unique=(("name",),))}
    known = replace(facts(), tables={**(facts().tables or {}), **apart})
    (shared,) = (q for q in questions_of(request, known) if isinstance(q, Count))
    assert 'FROM "public"."teams"' in shared.sql
    none, some = (make_plan(request, replace(known, answers={shared.key: n})) for n in (0, 3))
    assert not none.blocked
    assert [(h.slug, h.resource) for h in some.blocked] == [("sorting-key-not-unique", "teams")]


def test_an_alter_that_tinybird_would_not_take_for_one_of_them_is_refused_before_any() -> None:
    computed = AddFields(fields=(NewField(name="twice", type="Int16", source="score * 2"),))
    request = Request(text="…", job=Migrate(datasources=("events", "visits"), change=computed))
    known = live({**FILES, "visits.datasource": EVENTS})
    asked = [q for q in questions_of(request, known) if isinstance(q, Rehearsal)]
    assert [q.datasource for q in asked] == ["events", "visits"]
    assert make_plan(request, replace(known, answers={q.key: TAKEN for q in asked})).strategy.name == "alter"
    with pytest.raises(Refused, match="no such type"):
        make_plan(request, replace(known, answers={asked[1].key: "no such type"}))


@pytest.mark.parametrize(
    ("names", "change", "strategy", "said"),
    [
        (("people", "teems"), DELETED, None, "There is no data source `teems`; did you mean `teams`"),
        (("people", "people"), DELETED, None, "`people` is there twice"),
        (("people", "teams"), SortBy(columns=("name", "id")), None, "`sort by` is carried out for one"),
        (("people", "teams"), DELETED, "recreate", "`people` needs `recreate`"),
        (("people", "teams"), AddFields(fields=(NewField(name="name", type="text"),)), None, "has a field `name`"),
    ],
)
def test_what_cannot_go_together_is_refused_in_one_sentence(
    names: tuple[str, ...], change: AddFields | SortBy, strategy: str | None, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        planned(*names, change=change, strategy=strategy)
