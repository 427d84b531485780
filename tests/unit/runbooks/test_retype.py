"""Another type: in Tinybird alone where Postgres' can stay, else inside the hold; what does not fit forbids it."""

from dataclasses import replace

import pytest

from runbooks.changes.casts import carries, kept_in, misfits, using
from runbooks.errors import Refused
from runbooks.facts.model import Facts, Limits, PgColumn
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import Count
from runbooks.request import AddFields, ChangeType, Migrate, NewField, Request
from runbooks.types import clickhouse
from tests.support.estate import FILES, PEOPLE, PEOPLE_TABLE, from_files, live

KARMA = "`karma` Int32 `json:$.record.karma` DEFAULT 0"
WITH = {
    **FILES,
    "people.datasource": PEOPLE.replace(
        "    `createdAt`",
        f"    {KARMA},\n    `price` String `json:$.record.price` DEFAULT '',\n"
        "    `tags` Array(String) `json:$.record.tags[:]` DEFAULT [],\n    `createdAt`",
    ),
}
TABLE = replace(PEOPLE_TABLE, columns=(*PEOPLE_TABLE.columns, PgColumn("tags", "text[]", nullable=False)), bytes=10**6)


def facts(**changed: object) -> Facts:
    return live(WITH, replace(TABLE, **changed))  # type: ignore[arg-type]


def request(name: str, kind: str, default: str | None = None, on: str = "people") -> Request:
    change = ChangeType(name=name, type=kind, default=default)
    return Request(text="…", job=Migrate(datasources=(on,), change=change))


def planned(name: str, kind: str, default: str | None = None, of: Facts | None = None) -> Plan:
    return make_plan(request(name, kind, default), of or facts())


def ops(plan: Plan) -> list[str]:
    return [step.op for step in plan.steps]


def test_a_type_of_postgres_changes_both_sides_and_postgres_inside_the_hold() -> None:
    plan = planned("karma", "bigint")
    assert plan.strategy.name == "recreate"
    assert "`karma` Int64 `json:$.record.karma` DEFAULT 0" in plan.datafiles["people.datasource"]
    order = ["postgres.check-values/1", "sequin.sink.pause/1", "stream.drain/1", "postgres.rewrite/1"]
    order += ["sequin.tables.refresh/1", "connect.connector.pause/1", "tinybird.datasource.set-aside/1"]
    places = [ops(plan).index(op, 1) for op in order]
    assert places == sorted(places)
    rewrite = next(step for step in plan.steps if step.op == "postgres.rewrite/1")
    assert (rewrite.hold, rewrite.params["before"], rewrite.params["after"]) == (1, "integer", "bigint")
    assert '"karma" TYPE bigint USING "karma"::text::bigint' in plan.sql[0]
    assert "<> E'bigint' THEN" in plan.datafiles["V{epoch}__change_karma_in_people.sql"]
    assert "1 s to rewrite people" in plan.hold.formula
    assert {h.slug: h.level for h in plan.hazards}["postgres/changing-column-type"] == "warning"


@pytest.mark.parametrize(
    ("name", "kind", "default", "after"),
    [
        ("karma", "Int64", None, "`karma` Int64 `json:$.record.karma` DEFAULT 0"),
        ("karma", "Nullable(Int32)", None, "`karma` Nullable(Int32) `json:$.record.karma`"),
        ("karma", "Float64", "1.5", "`karma` Float64 `json:$.record.karma` DEFAULT 1.5"),
        ("name", "LowCardinality(String)", None, "`name` LowCardinality(String) `json:$.record.name` DEFAULT ''"),
        ("createdAt", "DateTime", None, "`createdAt` DateTime `json:$.record.createdAt`"),
    ],
)
def test_a_type_of_clickhouse_that_takes_what_postgres_sends_leaves_postgres_alone(
    name: str, kind: str, default: str | None, after: str
) -> None:
    plan = planned(name, kind, default)
    takes_no_more = kind in ("LowCardinality(String)", "DateTime")  # than the old column: derived from it
    assert plan.strategy.name == ("swap" if takes_no_more else "recreate")
    assert after in plan.datafiles["people.datasource"]
    assert plan.sql == ()
    assert not [op for op in ops(plan) if op.startswith("postgres.")]


def test_a_type_of_clickhouse_that_does_not_take_it_changes_postgres_too() -> None:
    plan = planned("name", "Int32")
    assert plan.request["postgres_type"] == "integer"
    assert "`name` Int32 `json:$.record.name` DEFAULT 0" in plan.datafiles["people.datasource"]


def test_values_that_do_not_fit_are_counted_before_anything_is_touched() -> None:
    counts = {q.key: q.sql for q in questions_of(request("name", "integer"), facts()) if isinstance(q, Count)}
    assert "NOT pg_input_is_valid(\"name\"::text, E'integer')" in counts["values that do not fit"]
    assert "pg_rewrite" in counts["views and triggers"]
    plan = planned("name", "integer", of=replace(facts(), answers={"values that do not fit": 7}))
    assert ["7 rows hold a name that is no integer." in h.message for h in plan.blocked] == [True]
    unknown = planned("name", "integer", of=replace(facts(), answers={"values that do not fit": None}))
    assert [h.slug for h in unknown.blocked] == ["values-do-not-fit"]
    none = planned(
        "name", "integer", of=replace(facts(), answers={"values that do not fit": 0, "views and triggers": 0})
    )
    assert not none.blocked


def test_what_hangs_on_the_column_in_postgres_forbids_it() -> None:
    plan = planned("karma", "bigint", of=replace(facts(), answers={"views and triggers": 2}))
    assert [(h.slug, h.resource) for h in plan.blocked] == [("column-still-used", "postgres/people")]


def test_a_table_too_large_to_rewrite_is_refused_with_the_other_way() -> None:
    with pytest.raises(Refused, match="Add a new field of that type, fill it in batches"):
        planned("karma", "bigint", of=facts(bytes=2 * 10**9))
    small = replace(facts(bytes=10**6), limits=Limits(rewrite_max_bytes=10**5))
    with pytest.raises(Refused, match="1 MB, and 0 MB are allowed"):
        planned("karma", "bigint", of=small)
    assert planned("karma", "Int64", of=facts(bytes=2 * 10**9)).sql == ()  # Tinybird alone: nothing is rewritten


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("kamra", "bigint", "has no field `kamra`; did you mean `karma`"),
        ("karma", "Int32", "is Int32 already"),
        ("karma", "bigit", "no type `bigit`; did you mean `bigint`"),
        ("name", "varchar(40)", "stays so when Postgres has character varying"),
        ("id", "bigint", "part of the sorting key"),
        ("updatedAt", "DateTime", "part of the version"),
        ("createdAt", "Nullable(DateTime64(3))", "part of the partition key"),
        ("tags", "text", "another path than one value"),
        ("name", "text[]", "another path than one value"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(name: str, kind: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        planned(name, kind)


def test_a_null_that_the_new_type_does_not_take_is_told_of() -> None:
    without = WITH["people.datasource"].replace(
        KARMA, KARMA.replace("Int32", "Nullable(Int32)").replace(" DEFAULT 0", "")
    )
    files = {**WITH, "people.datasource": without}
    plan = make_plan(request("karma", "Int32"), live(files, TABLE))
    assert "`karma` Int32 `json:$.record.karma` DEFAULT 0" in plan.datafiles["people.datasource"]
    assert not plan.blocked


def test_readers_of_a_column_of_another_kind_are_told_of_and_narrow_targets_too() -> None:
    copied = "SCHEMA >\n    `id` String,\n    `karma` Int32\n\nENGINE MergeTree\nENGINE_SORTING_KEY id\n"
    pipe = "NODE k\nSQL >\n    SELECT id, karma FROM people FINAL\n\nTYPE COPY\nTARGET_DATASOURCE karmas\n"
    files = {**WITH, "karmas.datasource": copied, "karma_copy.pipe": pipe}
    wider = make_plan(request("karma", "bigint"), live(files, TABLE))
    assert ("narrow-integer", "karmas.karma") in {(h.slug, h.resource) for h in wider.hazards}
    other = make_plan(request("karma", "text"), live(files, TABLE))
    assert ("column-changes-type", "karma_copy") in {(h.slug, h.resource) for h in other.hazards}


def test_a_folder_is_planned_too_and_asks_nobody() -> None:
    folder = replace(from_files(WITH), sinks=live().sinks, connector=live().connector)
    plan = make_plan(request("karma", "Int64"), folder)
    assert plan.strategy.name == "recreate"
    assert "proof.values/1" not in ops(plan)


@pytest.mark.parametrize(
    ("before", "after", "sql"),
    [
        ("boolean", "integer", '"x"::int::integer'),
        ("text", "integer", '"x"::text::integer'),
        ("timestamp without time zone", "timestamp with time zone", "(\"x\") AT TIME ZONE 'UTC'"),
        ("timestamp with time zone", "date", "(\"x\" AT TIME ZONE 'UTC')::date"),
        ("text", "text[]", None),
    ],
)
def test_how_postgres_makes_the_new_value(before: str, after: str, sql: str | None) -> None:
    assert using("x", before, after) == sql


def test_what_fits_by_its_type_is_not_counted() -> None:
    assert misfits("x", "integer", None, clickhouse.parse("Int64")) is None
    assert misfits("x", "bigint", None, clickhouse.parse("Nullable(Int32)")) == (
        '"x" IS NOT NULL AND "x" NOT BETWEEN -2147483648 AND 2147483647'
    )
    assert misfits("x", "boolean", "integer", clickhouse.parse("Int32")) is None


@pytest.mark.parametrize(
    ("of", "kind", "condition"),
    [
        ("date", "Nullable(Date)", "\"x\" NOT BETWEEN '1970-01-01' AND '2149-06-06'"),
        ("date", "Date32", None),
        ("text", "Enum8('a' = 1, 'it''s' = -2)", "\"x\"::text NOT IN (E'a', E'it''s')"),
        ("text", "LowCardinality(String)", None),
    ],
)
def test_days_and_names_that_the_new_type_does_not_hold_are_counted(of: str, kind: str, condition: str | None) -> None:
    wanted = f'"x" IS NOT NULL AND {condition}' if condition else None
    assert misfits("x", of, None, clickhouse.parse(kind)) == wanted


def test_what_sequin_sends_is_known_by_its_type() -> None:
    assert carries("numeric(12,2)", clickhouse.parse("String"))
    assert not carries("numeric(12,2)", clickhouse.parse("Float64"))
    assert not carries("integer", clickhouse.parse("String"))
    assert carries("text[]", clickhouse.parse("Array(LowCardinality(String))"))


def test_a_constant_default_goes_along() -> None:
    assert kept_in("0", "bigint") == "E'0'::bigint"
    assert kept_in("'a'::text", "character varying(3)") == "'a'::character varying(3)"
    assert kept_in("now()", "date") == "now()"


def test_values_that_postgres_has_and_a_new_column_could_not_hold_are_counted() -> None:
    """ClickHouse takes its first day for every earlier one, and says nothing."""
    born = PgColumn("born", "date", nullable=True)
    table = replace(PEOPLE_TABLE, columns=(*PEOPLE_TABLE.columns, born))
    known = live(table=table)

    def asked(kind: str) -> Request:
        added = AddFields(fields=(NewField(name="born", type=kind),))
        return Request(text="…", job=Migrate(datasources=("people",), change=added))

    (count,) = (q for q in questions_of(asked("Nullable(Date)"), known) if isinstance(q, Count))
    assert count.sql.endswith("WHERE \"born\" IS NOT NULL AND \"born\" NOT BETWEEN '1970-01-01' AND '2149-06-06'")
    none, some = (make_plan(asked("Nullable(Date)"), replace(known, answers={count.key: n})) for n in (0, 2))
    assert not none.blocked
    assert [h.message for h in some.blocked] == ["2 rows hold a born that is no Nullable(Date)."]
    assert not [q for q in questions_of(asked("Nullable(Date32)"), known) if isinstance(q, Count)]
