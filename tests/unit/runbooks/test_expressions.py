"""A field computed from others: one row's own value, the same every time, or one plain sentence why not."""

from dataclasses import replace

import pytest

from runbooks.errors import Refused
from runbooks.expressions import BadExpression, columns_in
from runbooks.facts.model import Datasource
from runbooks.fields import plan_field, where
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import Rehearsal
from runbooks.request import AddFields, Migrate, NewField, Request
from tests.support.estate import FILES, from_files, live

WILDCARD = """\
NODE all_of_them
SQL >
    SELECT * FROM events FINAL

TYPE COPY
TARGET_DATASOURCE events_copied
COPY_MODE replace
"""
COPIED = "SCHEMA >\n    `id` String,\n    `score` Int8\n\nENGINE MergeTree\nENGINE_SORTING_KEY id\n"


def planned(source: str, kind: str | None = "Float32", on: str = "events", files: dict[str, str] = FILES) -> Plan:
    change = AddFields(fields=(NewField(name="score2", type=kind, source=source),))
    return make_plan(Request(text="…", job=Migrate(datasources=(on,), change=change)), live(files))


def test_the_default_is_the_expression_so_that_later_rows_have_it_too() -> None:
    plan = planned("score / 2")
    assert plan.strategy.name == "alter"
    assert plan.request["fields"][0] | {"expression": "score / 2", "default": "score / 2"} == plan.request["fields"][0]
    assert "`score2` Float32 `json:$.score2` DEFAULT score / 2" in plan.datafiles["events.datasource"]
    assert not plan.sql
    assert any("score / 2 for every row" in said for said in plan.inferred)


def test_quotes_around_an_expression_that_holds_spaces_are_not_a_name() -> None:
    assert planned('"score / 2"').request["fields"] == planned("score / 2").request["fields"]


def test_where_tinybird_takes_no_such_default_the_plan_says_so() -> None:
    change = AddFields(fields=(NewField(name="score2", type="Float32", source="score / 2"),))
    request = Request(text="…", job=Migrate(datasources=("events",), change=change))
    assert [type(question) for question in questions_of(request, live())] == [Rehearsal]
    with pytest.raises(Refused, match="alter: Tinybird does not take it: no such default"):
        make_plan(request, replace(live(), answers={"alter": "no such default"}))


def test_a_default_that_is_asked_for_stays() -> None:
    events = live().datasources["events"]
    asked = NewField(name="score2", type="Int32", default="7", source="score * 2")
    field, _ = plan_field(asked, where(events, live()))
    assert (field.expression, field.column.default) == ("score * 2", "7")


def test_the_target_of_a_wildcard_copy_takes_values_and_no_expression() -> None:
    plan = planned("score / 2", files={**FILES, "events_copy.pipe": WILDCARD, "events_copied.datasource": COPIED})
    assert "`score2` Float32 DEFAULT 0" in plan.datafiles["events_copied.datasource"]


def test_a_field_without_an_expression_is_bound_as_before() -> None:
    change = AddFields(fields=(NewField(name="extra", type="text"),))
    plan = make_plan(Request(text="…", job=Migrate(datasources=("people",), change=change)), live())
    assert "expression" not in plan.request["fields"][0]


@pytest.mark.parametrize(
    "source",
    [
        "(SELECT 1)", "sum(score)", "now()", "rand()", "generateUUIDv4()", "score, id", "score FROM events", "*",
        "events.score", "score AS x", "row_number() OVER ()", "score; DROP TABLE x", "score -- x", "{{ score }}",
        "score / ", "'a' 'b", "neighbor(score, 1)", "dictGet('d', 'x', id)", "score" + " + 1" * 200,
    ],
)  # fmt: skip
def test_what_is_not_one_rows_own_is_no_expression(source: str) -> None:
    with pytest.raises(BadExpression):
        columns_in(source)
    with pytest.raises(Refused, match="cannot be computed"):
        planned(source)


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(Refused, match="has no column `scor`; did you mean `score`"):
        planned("scor / 2")


def test_values_of_a_replicated_table_are_computed_in_postgres() -> None:
    with pytest.raises(Refused, match="come from Postgres, so compute it there"):
        planned("karma / 2", on="people")


def test_without_a_type_it_is_asked_for() -> None:
    with pytest.raises(Refused, match="cannot be inferred") as caught:
        planned("score / 2", kind=None)
    assert caught.value.untyped == "score2"


def test_where_there_are_no_json_paths_there_is_none_for_it_either() -> None:
    plain: Datasource = replace(from_files({"a.datasource": COPIED}).datasources["a"], name="a", sorting_key=("id",))
    field, _ = plan_field(NewField(name="half", type="Float32", source="score / 2"), where(plain, live()))
    assert field.column.jsonpath is None
