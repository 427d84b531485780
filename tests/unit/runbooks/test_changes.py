"""Defaults and indexes: what is planned in place, what needs a new table, and one sentence for what is refused."""

from dataclasses import replace

import pytest

from runbooks.errors import Refused
from runbooks.facts.model import Facts, PgTable
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import TAKEN, Count, Rehearsal
from runbooks.request import AddFields, AddIndex, Change, Migrate, NewField, Request, SetDefault
from tests.support.estate import FILES, PEOPLE, PEOPLE_TABLE, from_files, live


def asked(change: Change, on: str = "people", strategy: str | None = None) -> Request:
    return Request(text="…", job=Migrate(datasources=(on,), change=change), strategy=strategy)


def planned(change: Change, on: str = "people", facts: Facts | None = None, strategy: str | None = None) -> Plan:
    return make_plan(asked(change, on, strategy), facts or live())


def ops(plan: Plan) -> list[str]:
    return [step.op for step in plan.steps]


def not_null(column: str) -> PgTable:
    columns = (replace(c, nullable=False) if c.name == column else c for c in PEOPLE_TABLE.columns)
    return replace(PEOPLE_TABLE, columns=tuple(columns))


ANONYMOUS = SetDefault(name="name", default="'anonymous'")
BY_NAME = AddIndex(name="by_name", expression="name", type="bloom_filter")


def test_several_fields_are_one_alter_and_one_file() -> None:
    plan = planned(AddFields(fields=(NewField(name="nick", type="text"), NewField(name="size", type="Int32"))))
    assert ops(plan)[:4] == [
        "tinybird.datasource.alter/1", "tinybird.datasource.alter/1", "postgres.migrate/1", "sequin.tables.refresh/1"
    ]  # fmt: skip
    assert [c["name"] for c in plan.steps[1].params["add"]] == ["nick", "size"]
    assert [name for name in plan.datafiles if name.endswith(".sql")] == ["V{epoch}__add_nick_size_to_people.sql"]
    assert len(plan.sql) == 2


def test_a_default_is_set_on_both_sides_tinybird_first() -> None:
    plan = planned(ANONYMOUS)
    assert plan.strategy.name == "alter"
    assert ops(plan) == [
        "tinybird.datasource.default/1", "postgres.default/1", "sequin.tables.refresh/1", "proof.values/1"
    ]  # fmt: skip
    assert plan.sql == ('ALTER TABLE public."people" ALTER COLUMN "name" SET DEFAULT \'anonymous\';',)
    assert plan.sql[0] in plan.datafiles["V{epoch}__set_default_of_name_in_people.sql"]
    assert "`name` String `json:$.record.name` DEFAULT 'anonymous'" in plan.datafiles["people.datasource"]


def test_what_is_asked_before_a_default_is_planned() -> None:
    questions = questions_of(asked(ANONYMOUS), live())
    assert {type(q) for q in questions} == {Count, Rehearsal}
    counts = {q.key: q.sql for q in questions if isinstance(q, Count)}
    assert counts["nulls"] == 'SELECT count(*) FROM public."people" WHERE "name" IS NULL'
    assert counts["rows that hold the default"].endswith("WHERE `name` = ''")


def test_rows_that_hold_the_old_default_are_filled_before_it_changes() -> None:
    """A part that never had the column reads its default: without a backfill it would read the new one."""
    held = replace(live(table=not_null("name")), answers={"alter": TAKEN, "rows that hold the default": 3})
    first = ops(planned(ANONYMOUS, facts=held))
    assert first[:3] == ["sequin.backfill.create/1", "sequin.backfill.await/1", "stream.await-delivery/1"]
    assert first[3] == "tinybird.datasource.default/1"
    uncounted = replace(held, answers={"alter": TAKEN, "rows that hold the default": None})
    assert ops(planned(ANONYMOUS, facts=uncounted))[0] == "sequin.backfill.create/1"


def test_rows_without_a_value_are_written_again() -> None:
    nulls = replace(live(), answers={"alter": TAKEN, "nulls": 12, "rows that hold the default": 12})
    plan = planned(ANONYMOUS, facts=nulls)
    assert plan.strategy.name == "recreate"
    assert any("12 rows are NULL in Postgres" in said for said in plan.inferred)
    assert "postgres.default/1" in ops(plan)
    assert ops(plan).index("postgres.default/1") < ops(plan).index("sequin.sink.pause/1")


def test_where_tinybird_refuses_the_alter_the_table_is_made_anew() -> None:
    refused = replace(live(), answers={"alter": "Changing the default is not supported"})
    plan = planned(ANONYMOUS, facts=refused)
    assert plan.strategy.name == "recreate"
    assert any("Changing the default is not supported" in r.reason for r in plan.strategy.rejected)
    alone = replace(live(), answers={"alter": "Changing the default is not supported"})
    with pytest.raises(Refused, match="Changing the default is not supported"):
        planned(SetDefault(name="score", default="0"), on="events", facts=alone)


def test_a_default_of_a_table_in_tinybird_alone_needs_no_sql() -> None:
    plan = planned(SetDefault(name="score", default="0"), on="events")
    assert ops(plan) == ["tinybird.datasource.default/1"]
    assert plan.sql == ()


def test_old_rows_of_a_table_with_writers_of_its_own_may_turn_to_the_new_default() -> None:
    def told(answers: dict[str, int | str | None]) -> list[str]:
        plan = planned(SetDefault(name="score", default="0"), on="events", facts=replace(live(), answers=answers))
        return [h.level for h in plan.hazards if h.slug == "default-changes-old-rows"]

    assert told({"alter": TAKEN, "rows that hold the default": 5}) == ["warning"]
    assert told({"alter": TAKEN, "rows that hold the default": None}) == ["warning"]
    assert told({"alter": TAKEN, "rows that hold the default": 0}) == []
    assert not [h for h in planned(ANONYMOUS).hazards if h.slug == "default-changes-old-rows"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (SetDefault(name="nmae", default="'x'"), "has no field `nmae`; did you mean `name`"),
        (SetDefault(name="name", default="''"), "is '' already"),
        (SetDefault(name="name", default="1; DROP TABLE x"), "does not fit"),
        (SetDefault(name="name", default="'a\n'"), "control characters"),
        (SetDefault(name="name", default="NULL"), "cannot hold NULL"),
        (AddIndex(name="i", expression="nmae", type="minmax"), "has no column `nmae`; did you mean `name`"),
        (AddIndex(name="i", expression="name; DROP", type="minmax"), "cannot be indexed"),
        (AddIndex(name="i", expression="1", type="minmax"), "names no column"),
        (AddIndex(name="i", expression="name", type="bloom"), "no index of type"),
        (AddIndex(name="i", expression="name", type="set"), "needs its sizes, such as `set"),
        (AddIndex(name="i", expression="name", type="minmax GRANULARITY 1; DROP"), "no index of type"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(change: Change, said: str) -> None:
    facts = live({**FILES, "people.datasource": PEOPLE.replace("record.name`,", "record.name` DEFAULT '',")})
    with pytest.raises(Refused, match=said):
        planned(change, facts=facts)


def test_a_nullable_column_has_no_default_beside_its_null() -> None:
    files = {**FILES, "people.datasource": PEOPLE.replace("`name` String", "`name` Nullable(String)")}
    with pytest.raises(Refused, match="is Nullable"):
        planned(ANONYMOUS, facts=live(files))


def test_an_index_is_added_in_place_and_writes_nothing_anew() -> None:
    plan = planned(BY_NAME)
    assert (plan.strategy.name, ops(plan)) == ("alter", ["tinybird.datasource.index/1"])
    assert "INDEXES >\n    by_name name TYPE bloom_filter GRANULARITY 1" in plan.datafiles["people.datasource"]
    assert plan.sql == ()


def test_an_index_comes_along_where_the_table_is_made_anew() -> None:
    made = next(s for s in planned(BY_NAME, strategy="recreate").steps if s.op == "tinybird.datasource.create/1")
    assert made.params["indexes"] == "by_name name TYPE bloom_filter GRANULARITY 1"


def test_a_copied_table_takes_an_index_as_its_rows_stay_as_they_are() -> None:
    assert ops(planned(AddIndex(name="i", expression="country", type="set(100)"), on="people_sorted")) == [
        "tinybird.datasource.index/1"
    ]


def test_indexes_that_do_no_good_or_harm_are_told_of() -> None:
    def level(expression: str) -> list[tuple[str, str]]:
        change = AddIndex(name="i", expression=expression, type="minmax")
        return [(h.slug, h.level) for h in planned(change).hazards if h.slug.startswith("index-")]

    assert level("id") == [("index-useless", "warning")]
    assert level("updatedAt") == [("index-under-final", "error")]
    assert level("toDate(updatedAt)") == [("index-under-final", "error")]
    assert level("name") == [("index-under-final", "warning")]
    assert level("createdAt") == []


def test_a_plan_of_a_folder_asks_nobody() -> None:
    facts = from_files(FILES)
    assert planned(BY_NAME, facts=facts).strategy.name == "alter"
    assert planned(ANONYMOUS, facts=facts).strategy.name == "alter"
