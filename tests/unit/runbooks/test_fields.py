"""What people leave out of `add field` is inferred and said; what cannot be is refused in one sentence."""

import pytest

from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from runbooks.types import clickhouse, literals
from tests.support.estate import FILES, from_files, live


def field(
    name: str,
    type: str | None = None,
    default: str | None = None,
    source: str | None = None,
    on: str = "people",
    facts: Facts | None = None,
) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The field as planned, and what was inferred."""
    asked = AddFields(fields=(NewField(name=name, type=type, default=default, source=source),))
    plan = make_plan(Request(text="…", job=Migrate(datasources=(on,), change=asked)), facts or live())
    return plan.request["fields"][0], plan.inferred


def request(name: str, kind: str, source: str) -> Request:
    change = AddFields(fields=(NewField(name=name, type=kind, source=source),))
    return Request(text="…", job=Migrate(datasources=("people",), change=change))


def refusal(*args: str | None, **kwargs: str | None) -> Refused:
    with pytest.raises(Refused) as caught:
        field(*args, **kwargs)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("typed", "default", "clickhouse", "ch_default", "postgres", "pg_default"),
    [
        ("text", None, "String", "''", "text", None),
        ("varchar(40)", "'x'", "String", "'x'", "character varying(40)", "'x'"),
        ("text", "NULL", "Nullable(String)", None, "text", None),
        ("boolean", None, "UInt8", "0", "boolean", "false"),
        ("bool", "true", "UInt8", "1", "boolean", "true"),
        ("integer", None, "Nullable(Int32)", None, "integer", None),
        ("int", "-1", "Int32", "-1", "integer", "-1"),
        ("bigint", "5", "Int64", "5", "bigint", "5"),
        ("numeric(12,2)", None, "String", "''", "numeric(12,2)", None),
        ("numeric", "0", "String", "'0'", "numeric", "0"),
        ("numeric(12,2)", "1.5", "String", "'1.50'", "numeric(12,2)", "1.50"),
        ("numeric(12,2)", "-0", "String", "'0.00'", "numeric(12,2)", "0.00"),
        ("numeric(5)", "1e2", "String", "'100'", "numeric(5)", "100"),
        ("int[]", None, "Array(Int32)", "[]", "integer[]", "'{}'"),
        ("date", None, "Nullable(DateTime64(3))", None, "date", None),
        ("timestamptz", None, "Nullable(DateTime64(3))", None, "timestamp with time zone", None),
        ("text[]", None, "Array(String)", "[]", "text[]", "'{}'"),
        ("uuid", "''", "String", "''", "uuid", None),
        ("Nullable(Int16)", None, "Nullable(Int16)", None, "smallint", None),
        ("Int32", None, "Int32", "0", "integer", "0"),
        ("LowCardinality(String)", "'new'", "LowCardinality(String)", "'new'", "text", "'new'"),
        (
            "DateTime64(3)",
            None,
            "DateTime64(3)",
            "toDateTime64(0, 3)",
            "timestamp with time zone",
            "'1970-01-01 00:00:00+00'",
        ),
        ("text", "'it''s \\ here'", "String", "'it''s \\\\ here'", "text", "'it''s \\ here'"),
    ],
)
def test_a_type_in_the_words_of_either_side_gives_both(
    typed: str, default: str | None, clickhouse: str, ch_default: str | None, postgres: str, pg_default: str | None
) -> None:
    made, _ = field("extra", typed, default)
    assert (made["type"], made["default"]) == (clickhouse, ch_default)
    assert (made["postgres_type"], made["postgres_default"]) == (postgres, pg_default)


def test_a_column_that_postgres_has_gives_the_type() -> None:
    made, said = field("karma")
    assert (made["type"], made["postgres_type"]) == ("Nullable(Int32)", "integer")
    assert "karma: Nullable(Int32), because the column is integer in Postgres" in said


@pytest.mark.parametrize(
    ("name", "default", "clickhouse"),
    [
        ("isActive", None, "UInt8"),
        ("mergedAt", None, "Nullable(DateTime64(3))"),
        ("status", None, "LowCardinality(String)"),
        ("points", "3", "Int32"),
        ("nick", "'x'", "String"),
        ("ratio", "0.5", "Float64"),
        ("tags", "[]", "Array(String)"),
    ],
)
def test_name_or_default_gives_the_type_where_nothing_else_does(
    name: str, default: str | None, clickhouse: str
) -> None:
    made, said = field(name, None, default)
    assert made["type"] == clickhouse
    assert any(sentence.startswith(f"{name}: ") and "because" in sentence for sentence in said)


def test_paths_follow_the_neighbours() -> None:
    assert field("nick", "text")[0]["path"] == "$.record.nick"
    assert field("tags", "text[]")[0]["path"] == "$.record.tags[:]"
    outside, _ = field("nick", "text", on="events")
    assert (outside["path"], outside["postgres_type"]) == ("$.nick", None)


def test_a_path_into_a_json_column_needs_no_change_of_postgres() -> None:
    made, said = field("city", "text", source="$.record.attributes.city.default")
    assert (made["path"], made["postgres_type"]) == ("$.record.attributes.city.default", None)
    assert any("inside the column attributes" in sentence for sentence in said)


def test_a_field_read_from_another_column_adds_none_to_postgres() -> None:
    made, said = field("points", source="$.record.karma")
    assert (made["type"], made["path"], made["postgres_type"]) == ("Nullable(Int32)", "$.record.karma", "integer")
    assert "points: Nullable(Int32), because the column is integer in Postgres" in said
    plan = make_plan(request("points", "Int32", "$.record.karma"), live())
    assert (plan.sql, any("backfill" in step.op for step in plan.steps)) == ((), True)
    offline = make_plan(request("points", "Int32", "$.record.karma"), from_files(FILES))
    assert offline.sql == ()
    assert any("karma of Postgres, which it is read from, is taken to be there" in line for line in offline.inferred)


def test_a_type_that_nothing_tells_is_asked_for() -> None:
    refused = refusal("x")
    assert refused.untyped == "x"
    assert "choose a type" in str(refused)


@pytest.mark.parametrize(
    ("typed", "default", "source", "said"),
    [
        ("txt", None, None, "There is no type `txt`; did you mean `text`?"),
        ("Strng", None, None, "did you mean `String`?"),
        ("Nullable(Strng)", None, None, "There is no type `Strng`; did you mean `String`?"),
        ("Nullable(Array(String))", None, None, "cannot be inside Nullable"),
        ("bytea", None, None, "A field of the type `bytea` is not added here: take `text`"),
        ("DateTime64", None, None, "DateTime64 needs a number in brackets, such as DateTime64(3)"),
        ("Map(String, String)", None, None, "Postgres has no type for it"),
        ("x); DROP TABLE people", None, None, "is not understood"),
        ("Int8", "300", None, "300 does not fit into Int8, which holds -128 to 127"),
        ("integer", "'five'", None, "is not a whole number"),
        ("text", "five", None, "written in single quotes, like 'five'"),
        ("text", "'a\nb'", None, "control characters"),
        ("Int32", "NULL", None, "and Nullable(Int32) can"),
        ("timestamptz", "'soon'", None, "is not a date and time"),
        ("uuid", "'abc'", None, "is no uuid"),
        ("boolean", "2.5", None, "is not a whole number"),
        ("boolean", "2", None, "2 is neither true nor false"),
        ("UInt64", "18446744073709551615", None, "does not fit into bigint"),
        ("varchar(3)", "'abcd'", None, "'abcd' is longer than character varying(3) allows"),
        ("numeric(4,2)", "100", None, "100 does not fit into numeric(4,2)"),
        ("numeric(4,2)", "0.125", None, "0.125 does not fit into numeric(4,2)"),
        ("text", None, "$.nick", "did you mean `$.record.nick`?"),
        ("text", None, "$.record.name.first", "`name`, which is not a jsonb column"),
        ("text", None, "upper(name)", "is not a JSON path"),
        ("text", None, "$.record.nmae", "does not have in Postgres; did you mean `$.record.name`?"),
        ("text", None, "$.record.x`) --", "is not a JSON path"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_sentence(
    typed: str, default: str | None, source: str | None, said: str
) -> None:
    refused = refusal("extra", typed, default, source)
    assert said in str(refused)
    assert "\n" not in str(refused)


def test_the_default_of_an_enum_is_one_of_its_values() -> None:
    kind = clickhouse.parse("Enum8('a' = 1, 'it''s' = 2)")
    assert literals.resolve(kind, "'it''s'") == literals.Default("'it''s'", "'it''s'")
    with pytest.raises(literals.BadDefault, match="'b' is not among the values"):
        literals.resolve(kind, "'b'")


def test_without_postgres_the_plan_says_what_it_leaves_out() -> None:
    _, said = field("nick", "text", facts=from_files(FILES))
    assert any(sentence.startswith("Postgres was not asked") for sentence in said)
