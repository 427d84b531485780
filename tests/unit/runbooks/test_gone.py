"""Rows that Postgres no longer has: a plan by recreate says how many disappear, and takes away what comes meanwhile."""

from dataclasses import replace

from runbooks.facts.model import Facts
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import Count
from runbooks.request import AddFields, Migrate, NewField, Request
from tests.support.estate import FILES, live

GHOSTS, PROOF = "tinybird.datasource.delete-ghosts/1", "proof.values/1"
READ = ("tinybird.copy.run/1", "tinybird.copy.resume/1")


def asked(strategy: str | None = "recreate", on: str = "people") -> Request:
    change = AddFields(fields=(NewField(name="deletedAt", type="timestamptz"),))
    return Request(text="/tb migrate", job=Migrate(datasources=(on,), change=change), strategy=strategy)


def planned(facts: Facts, strategy: str = "recreate") -> Plan:
    return make_plan(asked(strategy), facts)


def test_they_are_counted_on_both_sides_where_the_table_is_made_anew() -> None:
    found = [q for q in questions_of(asked(), live()) if isinstance(q, Count)]
    assert {q.system for q in found} == {"postgres", "tinybird"}
    counts = {q.key: 120 if q.system == "tinybird" else 113 for q in found}
    assert "no longer in Postgres: 7 by count; they disappear" in planned(replace(live(), answers=counts)).ghosts
    assert questions_of(asked(strategy=None), live()) == ()
    assert questions_of(asked(on="events"), live()) == ()


def test_how_many_there_are_is_not_what_people_approve() -> None:
    counts = {q.key: n for n, q in enumerate(questions_of(asked(), live()))}
    assert planned(live()).hash == planned(replace(live(), answers=counts)).hash


def test_an_answer_that_did_not_come_is_told_as_about() -> None:
    counts = {q.key: None for q in questions_of(asked(), live())}
    rows = replace(live().datasources["people"], rows=5_010)
    facts = replace(live(), datasources={**live().datasources, "people": rows}, answers=counts)
    assert "no longer in Postgres: about 10; they disappear" in planned(facts).ghosts


def test_the_mark_of_deleted_rows_names_this_way() -> None:
    altered = planned(live(), "alter")
    assert next(h.fix for h in altered.hazards if h.slug == "deleted-rows-stay").startswith(
        "Ask for it with --strategy recreate"
    )
    assert "deleted-rows-stay" not in {h.slug for h in planned(live()).hazards}


def test_they_are_deleted_between_two_proofs_and_before_anything_reads() -> None:
    for files in (FILES, {name: text for name, text in FILES.items() if name != "people_copy.pipe"}):
        ops = [step.op for step in planned(live(files)).steps]
        at = ops.index(GHOSTS)
        assert PROOF in ops[:at]
        assert PROOF in ops[at:]
        assert all(ops.index(op) > at for op in READ if op in ops)
        step = planned(live(files)).steps[at]
        assert (step.gate, step.hold, step.block) == ("none", None, planned(live(files)).steps[at - 1].block)
    assert GHOSTS not in [step.op for step in planned(live(), "alter").steps]


def test_a_key_that_cannot_be_compared_is_asked_of_nobody() -> None:
    """Such a table cannot be made anew either: nothing could be proven."""
    table = replace(live().datasources["people"], sorting_key=("country",))
    strange = replace(live(), datasources={**live().datasources, "people": replace(table, columns=table.columns[:2])})
    assert questions_of(asked(), strange) == ()
