"""Values computed in a live table where it stands: when that can be done, and why not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from runbooks.changes import resolve
from runbooks.errors import Refused
from runbooks.facts.model import Column, Deployment, Facts
from runbooks.lineage import Lineage
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.proof.filling import later_by
from runbooks.request import AddFields, Migrate, NewField, Request
from runbooks.strategies import PlannedChange, PlannedField, strategies
from tests.support.estate import EVENTS, FILES, live

ACCEPTED = {"copy-into-itself": "accepted"}
WRITERS = {"events": (Deployment("default", "worker", 2, 2),)}
COPY = "NODE c\nSQL >\n    SELECT {} FROM events{}\n\nTYPE copy\nTARGET_DATASOURCE copied\nCOPY_MODE {}\n"
COPIED = {"copied.datasource": EVENTS.replace(" `json:$.", " `json:$.copied.").partition("ENGINE_PARTITION")[0]}
VIEW = "NODE v\nSQL >\n    SELECT {} FROM events\n\nTYPE materialized\nDATASOURCE seen\n"
SAME = "SCHEMA >\n    id String,\n    updatedAt DateTime64(3)\n\nENGINE ReplacingMergeTree\nENGINE_SORTING_KEY id\n"
SUMS = "SCHEMA >\n    id String,\n    n UInt64\n\nENGINE SummingMergeTree\nENGINE_SORTING_KEY id\n"


def facts(files: Mapping[str, str] = FILES, known: Mapping[str, str] = ACCEPTED) -> Facts:
    return replace(live(files), capabilities=known, writers=WRITERS)


def planned(of: Facts, source: str = "score / 2", default: str | None = "0", strategy: str | None = None) -> Plan:
    change = AddFields(fields=(NewField(name="score2", type="Float32", default=default, source=source),))
    request = Request(text="…", job=Migrate(datasources=("events",), change=change), strategy=strategy)
    return make_plan(request, of)


def why_not(of: Facts, source: str = "score / 2") -> str:
    with pytest.raises(Refused) as refused:
        planned(of, source, strategy="alter")
    return refused.value.sentence


def events(**changes: str) -> Facts:
    """The events, their datafile changed."""
    text = EVENTS
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return facts({**FILES, "events.datasource": text})


def test_the_column_is_added_and_filled_and_nothing_is_held() -> None:
    plan = planned(facts())
    assert (plan.strategy.name, plan.hold.seconds, plan.downtime.seconds) == ("alter", 0, 0)
    assert [(s.op, s.gate) for s in plan.steps] == [
        ("tinybird.datasource.alter/1", "approve"),
        ("tinybird.copy.fill/1", "approve"),
        ("tinybird.copy.remove-fill/1", "none"),
    ]
    copied = {column["name"]: column["value"] for column in plan.steps[1].params["of"]["columns"]}
    assert (copied["updatedAt"], copied["score"]) == ("`updatedAt` + toIntervalMillisecond(1)", "`score`")
    assert "`score2` Float32 `json:$.score2` DEFAULT 0" in plan.datafiles["events.datasource"]
    assert "rename" in {r.name for r in plan.strategy.rejected if r.reason.startswith("possible")}


def test_the_plan_says_how_many_rows_are_written_again() -> None:
    known = facts()
    table = replace(known.datasources["events"], rows=3_000_000)
    plan = planned(replace(known, datasources={**known.datasources, "events": table}))
    assert any("up to 3,000,000 rows written again for score2" in reason for reason in plan.strategy.reasons)
    assert "3,000,000 rows / 500,000 a second" in plan.took.formula


def test_the_plan_says_what_later_rows_hold() -> None:
    assert (
        "score2: score / 2 for the rows that are there; those that come later without $.score2 hold 0"
        in planned(facts()).inferred
    )


def test_a_default_that_computes_it_needs_no_row_written_again() -> None:
    assert [s.op for s in planned(facts(), default=None).steps] == ["tinybird.datasource.alter/1"]


@pytest.mark.parametrize(
    ("known", "reason"),
    [({}, "/tb doctor probe finds out"), ({"copy-into-itself": "refused"}, "refuses to copy a table into itself")],
)
def test_what_the_workspace_takes_must_be_known(known: dict[str, str], reason: str) -> None:
    assert reason in why_not(facts(known=known))
    assert planned(facts(known=known)).strategy.name == "rename"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"`updatedAt` DateTime64(3)": "`updatedAt` DateTime"}, "1 ms newer, and the version updatedAt is DateTime"),
        ({"`updatedAt` DateTime64(3)": "`updatedAt` DateTime64(2)"}, "the version updatedAt is DateTime64(2)"),
        ({"ENGINE_VER updatedAt\n": ""}, "events is a ReplacingMergeTree without one"),
        ({"ReplacingMergeTree": "MergeTree", "ENGINE_VER updatedAt\n": ""}, "events is a MergeTree"),
        ({"SORTING_KEY id": "SORTING_KEY id, updatedAt"}, "events is sorted by its version updatedAt"),
        ({"toYear(createdAt)": "toYear(updatedAt)"}, "events is parted by its version updatedAt"),
    ],
)
def test_the_table_must_keep_each_row_once_and_take_a_later_version(changes: dict[str, str], reason: str) -> None:
    assert reason in why_not(events(**changes))


def test_a_value_that_the_later_version_would_change_is_not_computed_so() -> None:
    assert "which writing a row again would change" in why_not(facts(), "toYear(updatedAt)")


def test_a_page_that_would_count_rows_twice_keeps_the_table_from_being_filled_in_place() -> None:
    page = {"page.pipe": "NODE p\nSQL >\n    SELECT count() AS n FROM events\n"}
    assert "page reads events without FINAL and would count rows twice" in why_not(facts({**FILES, **page}))
    assert planned(facts({**FILES, **page})).strategy.name == "pipe-by-pipe"
    final = {"page.pipe": page["page.pipe"].replace("events", "events FINAL")}
    assert planned(facts({**FILES, **final})).strategy.name == "alter"


def test_a_page_through_another_pipe_is_named_with_it() -> None:
    inlined = {
        "some.pipe": "NODE s\nSQL >\n    SELECT id FROM events\n",
        "page.pipe": "NODE p\nSQL >\n    SELECT count() AS n FROM some\n",
    }
    of = facts({**FILES, **inlined})
    of = replace(of, pipes={**of.pipes, "some": replace(of.pipes["some"], kind="pipe")})
    assert "some, for page, reads events without FINAL" in why_not(of)


def test_a_copy_that_reads_without_final_is_a_warning() -> None:
    plan = planned(facts({**FILES, **COPIED, "copy.pipe": COPY.format("id", "", "replace")}))
    assert plan.strategy.name == "alter"
    assert [(h.resource, h.level) for h in plan.hazards if h.slug == "reader-without-final"] == [("copy", "warning")]


def test_an_append_copy_that_only_takes_newer_rows_never_gets_the_values() -> None:
    newer = COPY.format("*", " FINAL WHERE updatedAt > now() - INTERVAL 3 HOUR", "append")
    slugs = {h.slug: h.level for h in planned(facts({**FILES, **COPIED, "copy.pipe": newer})).hazards}
    assert slugs["append-copy-misses-rows"] == "warning"
    everything = COPY.format("*", " FINAL", "append")
    later = planned(facts({**FILES, **COPIED, "copy.pipe": everything}))
    assert "append-copy-misses-rows" not in {h.slug for h in later.hazards}


def test_a_view_that_sums_would_do_so_twice_and_one_that_keeps_a_row_a_key_does_not() -> None:
    sums = {"view.pipe": VIEW.format("id, 1 AS n"), "seen.datasource": SUMS}
    assert "view would write seen once more for every row" in why_not(facts({**FILES, **sums}))
    same = {"view.pipe": VIEW.format("id, updatedAt"), "seen.datasource": SAME}
    assert planned(facts({**FILES, **same})).strategy.name == "alter"


@pytest.mark.parametrize(
    ("kind", "later"),
    [("DateTime64(3)", "Milli"), ("DateTime64(6)", "Micro"), ("DateTime64(9, 'UTC')", "Nano"), ("DateTime", None)],
)
def test_a_version_is_later_by_the_least_that_its_type_knows(kind: str, later: str | None) -> None:
    assert later_by(kind) == (f"toInterval{later}second(1)" if later else None)


def test_a_replicated_table_is_swapped_for_it() -> None:
    """Its strategies would. Asked for it is refused before (fields.py): rows that change later come without it."""
    change = _replicated("length(name)", "0")
    assert "must be the same on both sides" in strategies()["alter"].assess(change, facts()).reason
    assert strategies()["swap"].assess(change, facts()).eligible


def _replicated(expression: str, default: str) -> PlannedChange:
    of = facts()
    column = Column("letters", "Int32", "$.record.letters", default)
    job = Migrate(datasources=("people",), change=AddFields(fields=(NewField(name="letters", type="Int32"),)))
    made, _ = resolve(job, of, Lineage.of(of))
    after = replace(made.target.before, columns=(*made.target.before.columns, column))
    field = PlannedField(column, expression=expression)
    return replace(made, fields=(field,), sql=(), migration=None, target=replace(made.target, after=after))
