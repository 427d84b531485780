"""Another sorting key: a new table, whose key a unique index must keep unique, or rows would be lost."""

from dataclasses import replace

import pytest

from runbooks.earlier import Kept
from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import Count
from runbooks.request import AddFields, Migrate, NewField, Request, Revert, SortBy
from tests.support.estate import FILES, PEOPLE, PEOPLE_TABLE, live


def request(*columns: str, on: str = "people") -> Request:
    return Request(text="…", job=Migrate(datasources=(on,), change=SortBy(columns=columns)))


def planned(*columns: str, on: str = "people", facts: Facts | None = None) -> Plan:
    return make_plan(request(*columns, on=on), facts or live())


def slugs(plan: Plan) -> dict[str, str]:
    return {hazard.slug: hazard.level for hazard in plan.hazards}


def test_a_key_that_holds_a_unique_one_is_planned_as_a_new_table() -> None:
    plan = planned("name", "id")
    assert plan.strategy.name == "swap"
    assert not plan.blocked
    made = next(step for step in plan.steps if step.op == "tinybird.datasource.create-beside/1")
    assert made.params["sorting_key"] == "name, id"
    proof = next(step for step in plan.steps if step.op == "proof.values/1")
    assert [key["name"] for key in proof.params["claim"]["key"]] == ["name", "id"]
    assert "ENGINE_SORTING_KEY name, id" in plan.datafiles["people.datasource"]
    assert (plan.sql, plan.request["columns"]) == ((), ["name", "id"])
    assert slugs(plan)["mutable-sorting-key"] == "warning"  # when the name changes, the old row stays
    assert "mutable-sorting-key" not in slugs(planned("createdAt", "id"))


def test_rows_that_would_be_lost_are_counted_and_forbid_it() -> None:
    plan = planned("name", facts=replace(live(), answers={"rows that share a key": 41}))
    assert [h.message for h in plan.blocked if "41 rows share their key" in h.message]
    assert slugs(plan)["sorting-key-not-unique"] == "error"


@pytest.mark.parametrize("answers", [{}, {"rows that share a key": None}])
def test_what_was_not_counted_is_not_taken_for_none(answers: dict[str, None]) -> None:
    assert [
        h for h in planned("name", facts=replace(live(), answers=answers)).blocked if "was not counted" in h.message
    ]


def test_rows_that_share_the_old_key_are_counted_before_it_comes_back() -> None:
    tables = live().datasources
    was = replace(tables["events"], id="t_was", name="was")
    now = replace(tables["events"], sorting_key=(*was.sorting_key, "createdAt"))
    facts = replace(live(), datasources={**tables, "events": now, "was": was})
    back = Request(text="revert 7", job=Revert(run=7, kept=Kept(name="was", id="t_was", of="events")))
    asked = [q for q in questions_of(back, facts) if isinstance(q, Count)]
    assert [(q.key, q.system) for q in asked] == [("rows that share a key", "tinybird")]
    assert "uniqExact(tuple(`id`))" in asked[0].sql
    unasked = replace(facts, datasources={**facts.datasources, "was": replace(was, sorting_key=("lower(id)",))})
    assert questions_of(back, unasked) == ()


def test_a_folder_alone_does_not_tell_whether_rows_share_another_key() -> None:
    alone = replace(live(), tables=None, live=False)
    assert slugs(planned("name", facts=alone))["sorting-key-not-unique"] == "warning"
    assert "sorting-key-not-unique" not in slugs(planned("name", "id", facts=alone))


def test_that_it_is_unique_today_is_not_enough() -> None:
    plan = planned("name", facts=replace(live(), answers={"rows that share a key": 0}))
    assert [h for h in plan.blocked if "nothing keeps it so" in h.message]


def test_rows_that_share_the_key_that_stays_forbid_what_could_not_be_proven() -> None:
    apart = replace(PEOPLE_TABLE, unique=(("name",),))
    known = replace(live(), tables={**(live().tables or {}), "people": apart})
    added = AddFields(fields=(NewField(name="extra", type="text"),))
    request = Request(text="…", job=Migrate(datasources=("people",), change=added))
    (asked,) = (q for q in questions_of(request, known) if isinstance(q, Count))
    assert "count(DISTINCT" in asked.sql
    none, some = (make_plan(request, replace(known, answers={asked.key: n})) for n in (0, 3))
    assert slugs(none)["sorting-key-not-unique"] == "note"
    assert [h.message for h in some.blocked if "3 rows share it with another" in h.message]
    assert not [q for q in questions_of(request, live()) if isinstance(q, Count)]


def test_a_unique_index_over_a_column_that_may_be_null_keeps_nothing_unique() -> None:
    loose = replace(PEOPLE_TABLE, unique=(("id",), ("name",)))
    assert slugs(planned("name", facts=live(table=loose)))["sorting-key-not-unique"] == "error"
    columns = tuple(replace(c, nullable=False) if c.name == "name" else c for c in PEOPLE_TABLE.columns)
    strict = replace(loose, columns=columns)
    assert "sorting-key-not-unique" not in slugs(planned("name", facts=live(table=strict)))


def test_the_count_is_of_the_keys_as_tinybird_will_hold_them() -> None:
    """NULL and the empty text are one there."""
    (question,) = questions_of(request("name", "id"), live())
    assert isinstance(question, Count)
    assert "coalesce(\"name\"::text, E'')" in question.sql


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (("id",), "is sorted by id already"),
        (("nmae",), "has no field `nmae`; did you mean `name`"),
        (("id", "updatedAt"), "is the version of `people`"),
        (("country", "id"), "takes no NULL"),
    ],
)
def test_what_makes_no_key_is_refused_in_one_sentence(columns: tuple[str, ...], said: str) -> None:
    files = {
        **FILES,
        "people.datasource": PEOPLE.replace("`country` String", "`country` LowCardinality(Nullable(String))"),
    }
    with pytest.raises(Refused, match=said):
        planned(*columns, facts=live(files))
