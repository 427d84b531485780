"""Pipe-by-pipe: who is moved to the mirror, and when it says why it is not the way."""

from dataclasses import replace

import pytest

from runbooks.facts.model import Pipe
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Change, Migrate, NewField, Request, SortBy
from tests.support.estate import FILES, PEOPLE_SORTED, live

RAW = "NODE raw\nSQL >\n    SELECT id, name FROM people FINAL\n\nTYPE ENDPOINT\n"
SHARED = "NODE shared\nSQL >\n    SELECT people.id FROM people FINAL WHERE country != ''\n"
PAGE = "NODE page\nSQL >\n    SELECT id FROM people_shared\n\nTYPE ENDPOINT\n"
SORTED = SortBy(columns=("createdAt", "id"))


def planned(files: dict[str, str], change: Change = SORTED, strategy: str | None = None) -> Plan:
    request = Request(text="…", job=Migrate(datasources=("people",), change=change), strategy=strategy)
    facts = live({**FILES, **files})
    return make_plan(request, replace(facts, pipes={name: _plain(pipe) for name, pipe in facts.pipes.items()}))


def _plain(pipe: Pipe) -> Pipe:
    """Shared and lone ones are published nowhere, as only the live systems tell."""
    if pipe.name not in ("people_shared", "people_lone"):
        return pipe
    return replace(pipe, kind="pipe", nodes=tuple(replace(node, kind="standard") for node in pipe.nodes))


def moved(plan: Plan) -> dict[str, list[str]]:
    """The pipes that are moved, each with the endpoints that it is asked for."""
    return {s.params["pipe"]: s.params["endpoints"] for s in plan.steps if s.op == "tinybird.pipe.move/1"}


def why_not(files: dict[str, str], change: Change = SORTED) -> str:
    plan = planned(files, change)
    return next(r.reason for r in plan.strategy.rejected if r.name == "pipe-by-pipe")


def test_endpoints_and_pipes_that_they_read_through_are_moved_and_copies_are_not() -> None:
    plan = planned({"people_raw.pipe": RAW, "people_shared.pipe": SHARED, "people_page.pipe": PAGE})
    assert plan.strategy.name == "pipe-by-pipe"
    assert moved(plan) == {"people_raw": ["people_raw"], "people_shared": ["people_page"]}
    assert set(plan.diffs) == {"people_raw", "people_shared"}
    assert "+SELECT people.id FROM people__mirror_run_{run} AS people FINAL" in plan.diffs["people_shared"]
    assert (plan.downtime.seconds, plan.hold.seconds > 0, plan.stale.seconds > 0) == (0, True, True)
    assert [s.params["known"] for s in plan.steps if s.op == "tinybird.pipe.check-unread/1"] == [["people_copy"]] * 2
    assert next(r.reason for r in plan.strategy.rejected if r.name == "swap") == (
        "possible, but it breaks reads, it holds ingestion for about 35 s, a copy of 0 rows / 500,000 a second "
        "(assumed) + 5 s, every topic waits in Kafka for 35 s, people_raw finds no table between the two renames, "
        "people_page finds no table between the two renames"
    )


def test_what_is_approved_holds_the_sql_of_readers() -> None:
    other = RAW.replace("id, name", "name, id")
    assert planned({"people_raw.pipe": RAW}).hash != planned({"people_raw.pipe": other}).hash


def test_a_pipe_that_no_endpoint_reads_stays_where_it_is() -> None:
    lone = SHARED.replace("shared", "lone")
    assert moved(planned({"people_raw.pipe": RAW, "people_lone.pipe": lone})) == {"people_raw": ["people_raw"]}


def test_what_is_rebuilt_from_postgres_is_rebuilt_behind_the_mirror() -> None:
    added = AddFields(fields=(NewField(name="karma", type="Int32"),))
    plan = planned({"people_raw.pipe": RAW}, added, "pipe-by-pipe")
    ops = [step.op for step in plan.steps]
    assert ops.index("tinybird.mirror.end-own-feed/1") < ops.index("tinybird.datasource.set-aside/1")
    assert ops.index("proof.values/1") < ops.index("tinybird.pipe.return/1") < ops.index("tinybird.copy.run/1")
    assert "rows that are in Tinybird and no longer in Postgres" in plan.ghosts
    assert "they disappear" in plan.ghosts  # it is a recreate that does it
    assert {h.slug for h in plan.hazards} >= {"copy-replace-empties"}
    assert "endpoint-reads-raw" not in {h.slug for h in plan.hazards}


VIEW = (
    "NODE seen_rows\nSQL >\n    SELECT id, name, country, createdAt, updatedAt, toUInt64(1) AS n FROM people\n\n"
    "TYPE MATERIALIZED\nDATASOURCE seen\n"
)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no endpoint reads it, so that there is none to move"),
        ({"people_raw.pipe": RAW, "seen.datasource": PEOPLE_SORTED, "seen_mv.pipe": VIEW},
         "the materialized view seen_mv hangs on the table and would stay with the old one"),
        ({"people_raw.pipe": RAW.replace("FROM people FINAL", "FROM people_list, people WHERE 1")},
         "people_raw cannot be moved: its SQL names people in a place that is not understood for certain"),
        ({"people_raw.pipe": RAW.replace("FINAL", "WHERE (")},
         "people_raw cannot be moved: its SQL is not understood"),
        ({"people_page.pipe": PAGE.replace("people_shared", "people_copy")},
         "endpoints read people through people_copy, a copy pipe, which cannot be moved"),
    ],
    ids=["nobody reads it", "a view", "a comma", "not understood", "through a copy pipe"],
)  # fmt: skip
def test_it_says_why_it_is_not_the_way(files: dict[str, str], reason: str) -> None:
    assert why_not(files).startswith(reason)
