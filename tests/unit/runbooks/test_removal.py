"""A field goes: readers first, then Tinybird, and Postgres at the very end, its values kept by key."""

from dataclasses import replace

import pytest

from runbooks.errors import Refused
from runbooks.facts.model import Facts, PgColumn
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.request import Migrate, RemoveFields, Request
from runbooks.steps.postgres_drop import kept_values
from tests.support.estate import FILES, PEOPLE, PEOPLE_TABLE, from_files, live

KARMA = "    `karma` Int32 `json:$.record.karma` DEFAULT 0,\n"
POINTS = KARMA.replace("`karma`", "`points`")
FIELD, LINE = "    `createdAt`", "- `createdAt`"
WITH = {
    **FILES,
    "people.datasource": PEOPLE.replace(FIELD, KARMA + FIELD).replace(LINE, f"- `karma` is good\n    {LINE}"),
}


def request(*names: str, on: str = "people") -> Request:
    return Request(text="…", job=Migrate(datasources=(on,), change=RemoveFields(names=names)))


def planned(*names: str, facts: Facts | None = None, on: str = "people") -> Plan:
    return make_plan(request(*names, on=on), facts or live(WITH))


def ops(plan: Plan) -> list[str]:
    return [step.op for step in plan.steps]


def test_postgres_loses_it_last_in_a_block_of_strong_approval() -> None:
    plan = planned("karma")
    assert plan.strategy.name == "swap"
    assert "karma" not in plan.datafiles["people.datasource"]
    drop = plan.steps[-2]
    assert (drop.op, drop.gate, drop.hold) == ("postgres.drop-columns/1", "strong", None)
    assert drop.block == plan.steps[-3].block + 1 == plan.steps[-1].block
    assert ops(plan)[-1] == "sequin.tables.refresh-after/1"
    assert ops(plan).index("proof.values/1") < len(ops(plan)) - 2
    assert plan.sql == ('ALTER TABLE public."people" DROP COLUMN IF EXISTS "karma";',)
    assert plan.sql[0] in plan.datafiles["V{epoch}__remove_karma_from_people.sql"]
    assert "kept in people__karma_before_run_" in drop.title
    assert {h.slug: h.level for h in plan.hazards}["postgres/ban-drop-column"] in ("warning", "error")


def test_who_names_it_forbids_it() -> None:
    reader = {"karma_page.pipe": "NODE page\nSQL >\n    SELECT id FROM people FINAL WHERE karma > 1\n\nTYPE ENDPOINT\n"}
    plan = planned("karma", facts=live({**WITH, **reader}))
    assert [(h.slug, h.resource) for h in plan.blocked] == [("column-still-used", "people.karma")]
    views = planned("karma", facts=replace(live(WITH), answers={"views and triggers": 1}))
    assert [h.resource for h in views.blocked] == ["postgres/people"]
    assert [q.key for q in questions_of(request("karma"), live(WITH))] == ["views and triggers"]


def test_who_names_it_in_a_select_of_its_own_forbids_it_whatever_else_has_such_a_column() -> None:
    sql = "WITH best AS (SELECT id, sum(karma) AS s FROM people GROUP BY id) SELECT s FROM best JOIN other USING id"
    facts = live({**WITH, "best.pipe": f"NODE page\nSQL >\n    {sql}\n"})
    other = replace(facts.datasources["people"], name="other")
    plan = planned("karma", facts=replace(facts, datasources={**facts.datasources, "other": other}))
    assert [(h.slug, h.resource) for h in plan.blocked] == [("column-still-used", "people.karma")]


def test_a_column_inside_jsonb_leaves_postgres_as_it_is() -> None:
    plan = planned("country")
    assert plan.sql == ()
    assert not [op for op in ops(plan) if op.startswith("postgres.")]
    assert any("Postgres keeps all its columns" in said for said in plan.inferred)


def test_a_column_of_postgres_that_another_field_is_read_from_stays_there() -> None:
    twice = PEOPLE.replace(FIELD, KARMA + POINTS + FIELD)
    assert planned("karma", facts=live({**FILES, "people.datasource": twice})).sql == ()


def test_what_a_run_left_in_postgres_is_dropped_alone() -> None:
    plan = planned("karma", facts=live())
    assert plan.strategy.name == "alter"
    assert ops(plan) == ["postgres.drop-columns/1", "sequin.tables.refresh-after/1"]


def test_a_table_too_large_to_keep_its_values_keeps_the_column() -> None:
    plan = planned("karma", facts=live(WITH, replace(PEOPLE_TABLE, bytes=2 * 10**9)))
    assert "postgres.drop-columns/1" not in ops(plan)
    assert any("drop it by a migration of your own" in said for said in plan.inferred)
    keyless = planned("karma", facts=live(WITH, replace(PEOPLE_TABLE, primary_key=())))
    assert any("has no primary key" in said for said in keyless.inferred)


def test_a_unique_index_that_goes_with_it_is_told_of() -> None:
    table = replace(PEOPLE_TABLE, unique=(("id",), ("karma", "name")))
    said = [h.message for h in planned("karma", facts=live(WITH, table)).hazards if h.slug == "column-still-used"]
    assert said == ["The unique index over karma, name goes with karma."]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("kamra",), "has no field `kamra`; did you mean `karma`"),
        (("id",), "part of the sorting key"),
        (("updatedAt",), "part of the version"),
        (("createdAt",), "part of the partition key"),
        (("uid",), "part of the primary key of `people` in Postgres"),
        (("karma", "x`; DROP"), "no name for a field"),
    ],
)
def test_what_cannot_go_is_refused_in_one_sentence(names: tuple[str, ...], said: str) -> None:
    table = replace(PEOPLE_TABLE, columns=(*PEOPLE_TABLE.columns, PgColumn("uid", "uuid", False)), primary_key=("uid",))
    asked = Migrate.model_construct(datasources=("people",), change=RemoveFields.model_construct(names=names))
    with pytest.raises(Refused, match=said):
        make_plan(Request.model_construct(text="…", job=asked, environment=None, strategy=None), live(WITH, table))


def test_a_folder_is_planned_too() -> None:
    facts = replace(from_files(WITH), sinks=live().sinks, connector=live().connector)
    assert planned("karma", facts=facts).sql == ('ALTER TABLE public."people" DROP COLUMN IF EXISTS "karma";',)


def test_the_name_of_what_is_kept_fits_into_postgres() -> None:
    assert kept_values("collections", "starred", 12) == "collections__starred_before_run_12"
    assert len(kept_values("t" * 60, "c" * 20, 12345)) == 63
