"""Each kind of change on the sandbox, from the request to what queries say afterwards."""

from collections.abc import Iterator
from typing import Any

import pytest

from runbooks.facts import live
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import answered
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
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    with story(sandbox) as told:
        yield told


def planned(run: Story, table: str, change: Change, strategy: str | None = None) -> Plan:
    """As a worker plans it: the facts, then what this change asks, then the plan."""
    request = Request(text="/tb migrate", job=Migrate(datasources=(table,), change=change), strategy=strategy)
    site = run.at()
    facts = live.read(site)
    return make_plan(request, answered(facts, questions_of(request, facts), site.postgres, site.tinybird, site.kafka))


def carried_out(run: Story, plan: Plan) -> Plan:
    assert not plan.blocked, plan.blocked
    run.carry_out(plan)
    assert run.astray == "", run.said
    assert [entry.state for entry in run.entries] == ["struck"] * len(run.entries)
    return plan


def one(sandbox: Sandbox, sql: str) -> Any:
    return next(iter(sandbox.tb(sql)[0].values()))


def default_in_postgres(sandbox: Sandbox, table: str, column: str) -> str:
    found = sandbox.pg(
        "SELECT column_default AS d FROM information_schema.columns WHERE table_name = %s AND column_name = %s",
        [table, column],
    )
    return str(found[0]["d"])


def test_several_fields_at_once(sandbox: Sandbox, run: Story) -> None:
    fields = (NewField(name="nickname", type="text"), NewField(name="shoeSize", type="Int32", default="41"))
    carried_out(run, planned(run, "members", AddFields(fields=fields)))
    assert one(sandbox, "SELECT toString(countIf(nickname = '' AND shoeSize = 41)) AS n FROM members FINAL") == "5000"
    both = (NewField(name="half", type="Float32", source="score / 2"), NewField(name="mood", type="String"))
    plan = carried_out(run, planned(run, "activities", AddFields(fields=both)))
    assert plan.strategy.name == "alter"
    wrong = "SELECT toString(countIf(half != CAST(score / 2 AS Float32) OR mood != '')) AS n FROM activities FINAL"
    assert one(sandbox, wrong) == "0"


def test_a_default_holds_for_rows_to_come_and_changes_none_that_is_there(sandbox: Sandbox, run: Story) -> None:
    before = sandbox.tb("SELECT isPrivate AS v, toString(count()) AS n FROM collections FINAL GROUP BY v ORDER BY v")
    plan = carried_out(run, planned(run, "collections", SetDefault(name="isPrivate", default="true")))
    assert plan.strategy.name == "alter"
    after = sandbox.tb("SELECT isPrivate AS v, toString(count()) AS n FROM collections FINAL GROUP BY v ORDER BY v")
    assert after == before
    assert default_in_postgres(sandbox, "collections", "isPrivate") == "true"
    sandbox.pg("INSERT INTO collections (name, slug) VALUES ('new', 'new')")
    arrived = "SELECT isPrivate AS v FROM collections FINAL WHERE slug = 'new'"
    sandbox.until(lambda: sandbox.tb(arrived) == [{"v": 1}], what="a row with the new default")
    after_all = sandbox.log.last()
    run.carry_out(plan)
    assert sandbox.log.count("tinybird", "POST /v0/datasources/collections/alter", after=after_all) == 0


def test_a_default_of_rows_in_parts_without_the_column_does_not_change_them(sandbox: Sandbox, run: Story) -> None:
    """The column was added in place, so old parts read the default of the day."""
    added = NewField(name="rank", type="Int32", default="0")
    carried_out(run, planned(run, "collections", AddFields(fields=(added,))))
    plan = carried_out(run, planned(run, "collections", SetDefault(name="rank", default="9")))
    assert plan.steps[0].op == "sequin.backfill.create/1"
    assert one(sandbox, "SELECT toString(countIf(rank != 0)) AS n FROM collections FINAL") == "0"


def test_a_default_where_rows_have_no_value_is_written_into_all_of_them(sandbox: Sandbox, run: Story) -> None:
    sandbox.pg("UPDATE collections SET description = NULL, \"updatedAt\" = now() WHERE slug < 'm'")
    empty = sandbox.pg("SELECT count(*)::text AS n FROM collections WHERE description IS NULL")[0]["n"]
    plan = carried_out(run, planned(run, "collections", SetDefault(name="description", default="'none yet'")))
    assert "tinybird.datasource.create/1" in [step.op for step in plan.steps]
    found = one(sandbox, "SELECT toString(countIf(description = 'none yet')) AS n FROM collections FINAL")
    assert found == empty != "0"


def test_where_tinybird_cannot_change_a_default_the_plan_says_so_and_makes_the_table_anew(
    sandbox: Sandbox, run: Story
) -> None:
    sandbox.knobs(tinybird__alter_changes_default=False)
    plan = planned(run, "collections", SetDefault(name="isPrivate", default="true"))
    assert "tinybird.datasource.create/1" in [step.op for step in plan.steps]
    assert any("not supported" in rejected.reason for rejected in plan.strategy.rejected)


def test_an_index_is_there_and_answers_stay_what_they_were(sandbox: Sandbox, run: Story) -> None:
    counted = "SELECT toString(count()) AS n FROM members FINAL WHERE displayName < 'D'"
    before = one(sandbox, counted)
    plan = carried_out(run, planned(run, "members", AddIndex(name="by_made", expression="createdAt", type="minmax")))
    assert [step.op for step in plan.steps] == ["tinybird.datasource.index/1"]
    indexes = sandbox.tinybird.get("/v0/datasources/members").json()["indexes"]
    assert [(i["name"], i["expr"], i["type_full"]) for i in indexes] == [("by_made", "createdAt", "minmax")]
    assert one(sandbox, counted) == before


def test_a_key_that_is_not_unique_is_counted_before_anything_is_touched(sandbox: Sandbox, run: Story) -> None:
    sandbox.pg("UPDATE collections SET name = 'the same' WHERE slug IN (SELECT slug FROM collections LIMIT 3)")
    names = sandbox.pg("SELECT count(*) - count(DISTINCT name) AS n FROM collections")[0]["n"]
    plan = planned(run, "collections", SortBy(columns=("name",)))
    assert [h.slug for h in plan.blocked] == ["sorting-key-not-unique"]
    assert f"{names:,} rows share their key" in plan.blocked[0].message
    assert sandbox.log.count("tinybird", "POST /v0/datasources*") == 0


def type_in_postgres(sandbox: Sandbox, table: str, column: str) -> str:
    sql = "SELECT data_type AS t FROM information_schema.columns WHERE table_name = %s AND column_name = %s"
    found = sandbox.pg(sql, [table, column])
    assert found, f"there is no {table}.{column}"
    return str(found[0]["t"])


def type_in_tinybird(sandbox: Sandbox, table: str, column: str) -> str:
    columns = sandbox.tinybird.get(f"/v0/datasources/{table}").json()["columns"]
    found = next(c for c in columns if c["name"] == column)
    return f"Nullable({found['type']})" if found["nullable"] and "Nullable" not in found["type"] else found["type"]


def test_a_type_changes_on_both_sides_and_greater_values_go_through(sandbox: Sandbox, run: Story) -> None:
    plan = carried_out(run, planned(run, "organizations", ChangeType(name="employees", type="bigint")))
    assert type_in_postgres(sandbox, "organizations", "employees") == "bigint"
    assert type_in_tinybird(sandbox, "organizations", "employees") == "Nullable(Int64)"
    kept = sandbox.pg("SELECT count(*)::text AS n, sum(employees)::text AS s FROM organizations")
    assert sandbox.tb("SELECT toString(count()) AS n, toString(sum(employees)) AS s FROM organizations FINAL") == kept
    sandbox.pg(
        'UPDATE organizations SET employees = 7000000000, "updatedAt" = now() '
        "WHERE size = (SELECT max(size) FROM organizations)"
    )
    sandbox.until(
        lambda: sandbox.tb("SELECT id FROM organizations FINAL WHERE employees = 7000000000"), what="a greater value"
    )
    run.carry_out(plan.model_copy(update={"steps": [s for s in plan.steps if s.op == "postgres.rewrite/1"]}))
    assert run.astray == ""


def test_text_becomes_numbers_when_all_of_it_is_and_not_otherwise(sandbox: Sandbox, run: Story) -> None:
    sandbox.pg("UPDATE organizations SET size = '17', \"updatedAt\" = now()")
    sandbox.pg(
        "UPDATE organizations SET size = 'a few', \"updatedAt\" = now() "
        "WHERE founded = (SELECT max(founded) FROM organizations)"
    )
    few = sandbox.pg("SELECT count(*) AS n FROM organizations WHERE size = 'a few'")[0]["n"]
    blocked = planned(run, "organizations", ChangeType(name="size", type="integer", default="0"))
    assert [h.slug for h in blocked.blocked] == ["values-do-not-fit"]
    assert blocked.blocked[0].message.startswith(f"{few} row")
    assert sandbox.log.count("tinybird", "POST /v0/datasources*") == 0
    sandbox.pg("UPDATE organizations SET size = '3', \"updatedAt\" = now() WHERE size = 'a few'")
    carried_out(run, planned(run, "organizations", ChangeType(name="size", type="integer", default="0")))
    total = sandbox.pg("SELECT sum(size)::text AS s FROM organizations")[0]["s"]
    assert one(sandbox, "SELECT toString(sum(size)) AS s FROM organizations FINAL") == total
    assert default_in_postgres(sandbox, "organizations", "size") == "0"


def test_a_type_of_tinybird_alone_leaves_postgres_as_it_is(sandbox: Sandbox, run: Story) -> None:
    plan = carried_out(run, planned(run, "collections", ChangeType(name="isPrivate", type="Bool")))
    assert plan.sql == ()
    assert type_in_tinybird(sandbox, "collections", "isPrivate") == "Bool"
    private = sandbox.pg('SELECT count(*)::text AS n FROM collections WHERE "isPrivate"')[0]["n"]
    assert one(sandbox, "SELECT toString(countIf(isPrivate)) AS n FROM collections FINAL") == private


@pytest.mark.parametrize(
    ("last", "stays"),
    [("postgres.rewrite/1", "integer"), pytest.param("sequin.backfill.await/1", "bigint", marks=pytest.mark.long)],
    ids=["before the table is touched", "once the new table has rows"],
)  # fmt: skip
def test_given_up_the_type_goes_back_as_long_as_the_old_table_stands(
    sandbox: Sandbox, run: Story, last: str, stays: str
) -> None:
    plan = planned(run, "organizations", ChangeType(name="employees", type="bigint"))
    run.carry_out(plan, until=next(n for n, step in enumerate(plan.steps, start=1) if step.op == last))
    assert run.astray == ""
    assert type_in_postgres(sandbox, "organizations", "employees") == "bigint"
    run.put_back()
    assert type_in_postgres(sandbox, "organizations", "employees") == stays
    left = {entry.step.op: entry.reason for entry in run.entries if entry.state == "left"}
    if stays == "integer":
        assert left == {}
    else:
        assert "stays bigint in Postgres" in left["postgres.rewrite-back/1"]
    assert sandbox.sink("organizations_sink")["status"] == "active"
    assert sandbox.connector()["connector"]["state"] == "RUNNING"


def test_what_names_the_column_in_postgres_is_found_before_postgres_refuses(sandbox: Sandbox, run: Story) -> None:
    sandbox.pg("CREATE VIEW large AS SELECT id FROM organizations WHERE employees > 1000")
    retyped = planned(run, "organizations", ChangeType(name="employees", type="bigint"))
    removed = planned(run, "organizations", RemoveFields(names=("employees",)))
    for plan in (retyped, removed):
        assert any("policies of Postgres name employees (1)" in h.message for h in plan.blocked)
    assert not planned(run, "organizations", ChangeType(name="founded", type="bigint")).blocked
