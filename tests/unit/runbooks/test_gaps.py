"""What an append copy misses while it stands still is copied afterwards where that is certain, and refused where not
(facts/procedures.md §2.6, §2.7)."""

import json
from dataclasses import replace

import pytest

from runbooks.facts.model import Facts, Node, Pipe
from runbooks.gaps import ROWS, gap_of
from runbooks.lineage import Lineage
from runbooks.plan import Hazard, Plan
from runbooks.planner import make_plan
from runbooks.proof.gap import Gap
from runbooks.request import AddFields, Migrate, NewField, Request
from tests.support.estate import FILES, live

LATELY = "updatedAt > now() - INTERVAL 3 HOUR"
SINCE = "updatedAt >= toDateTime({{String(since, '2100-01-01 00:00:00')}}, 'UTC')"
PLAIN = f"SELECT * FROM people FINAL WHERE {LATELY}"
KEPT = """\
SCHEMA >
    `id` String,
    `name` String,
    `country` String,
    `createdAt` DateTime64(3),
    `updatedAt` DateTime64(3)

ENGINE ReplacingMergeTree
ENGINE_SORTING_KEY id
ENGINE_VER updatedAt
"""
SUMS = (
    "NODE sums\nSQL >\n    SELECT name, count() AS n FROM kept GROUP BY name\n\nTYPE materialized\nDATASOURCE summed\n"
)


def copying(*sql: str, kept: str = KEPT, schedule: str = "45 */2 * * *", **more: str) -> Facts:
    """People, and a copy that appends the newest into ``kept``: a node a text, each called n0, n1, …"""
    files = {name.replace("__", "."): text for name, text in more.items()}
    facts = live({**FILES, "kept.datasource": kept, **files})
    nodes = [Node(f"n{n}", text) for n, text in enumerate(sql or (PLAIN,))]
    nodes[-1] = replace(nodes[-1], kind="copy", target="kept", mode="append", schedule=schedule)
    return replace(facts, pipes={**facts.pipes, "kept_copy": Pipe("kept_copy", tuple(nodes), kind="copy")})


def gap(facts: Facts) -> Gap | str:
    return gap_of(facts.pipes["kept_copy"], facts, Lineage.of(facts))


def planned(facts: Facts) -> Plan:
    change = AddFields(fields=(NewField(name="nick", type="text"),))
    return make_plan(Request(text="", job=Migrate(datasources=("people",), change=change), strategy="recreate"), facts)


def look_back(plan: Plan) -> Hazard:
    return next(h for h in plan.hazards if h.slug == "append-lookback")


@pytest.mark.parametrize(
    ("sql", "taken"),
    [
        (PLAIN, f"SELECT * FROM people FINAL WHERE {SINCE}"),
        (
            f"SELECT id, updatedAt\nFROM people FINAL\nWHERE name != 'now' -- nobody\n  AND ({LATELY}) ORDER BY id;\n",
            f"SELECT id, updatedAt\nFROM people FINAL\nWHERE name != 'now' -- nobody\n  AND ({SINCE}) ORDER BY id;",
        ),
        (
            "SELECT p.* FROM people AS p FINAL PREWHERE p.updatedAt>=now64(3)-toIntervalMinute( 180 ) WHERE p.id != ''",
            f"SELECT p.* FROM people AS p FINAL PREWHERE p.{SINCE} WHERE p.id != ''",
        ),
        (
            "SELECT id, updatedAt FROM people WHERE subtractHours(now(), 3) < `updatedAt` AND name < 'x'",
            f"SELECT id, updatedAt FROM people WHERE `updatedAt`{SINCE.removeprefix('updatedAt')} AND name < 'x'",
        ),
        (
            f"SELECT * FROM (SELECT id, updatedAt FROM people WHERE {LATELY}) AS lately WHERE id != 'a > b'",
            f"SELECT * FROM (SELECT id, updatedAt FROM people WHERE {SINCE}) AS lately WHERE id != 'a > b'",
        ),
    ],
)
def test_only_the_comparison_is_replaced_and_every_other_letter_stays(sql: str, taken: str) -> None:
    found = gap(copying(sql))
    assert isinstance(found, Gap), found
    assert [(node.name, node.sql) for node in found.nodes] == [("n0", f"%\n{taken}")]
    assert (found.look_back_s, [c.name for c in found.key], found.version.name) == (10_800, ["id"], "updatedAt")


def test_other_nodes_stay_as_they_are_and_those_that_nobody_reads_are_left_out() -> None:
    counted = "SELECT country, count() AS n FROM people GROUP BY country"
    joined = "SELECT n0.* FROM n0 LEFT JOIN n1 ON n1.country = n0.country"
    found = gap(copying(PLAIN, counted, "SELECT 1 AS unread", joined))
    assert isinstance(found, Gap), found
    assert [node.name for node in found.nodes] == ["n0", "n1", "n3"]
    assert [node.sql for node in found.nodes[1:]] == [counted, joined]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (("%\n" + PLAIN,), "is a template"),
        ((f"{PLAIN} AND name = '{{{{String(name)}}}}'",), "is a template"),
        ((f"{PLAIN} UNION ALL {PLAIN}",), "more than one comparison"),
        ((PLAIN, f"SELECT * FROM n0 WHERE {LATELY}"), "does not stand in one place"),
        ((f"{PLAIN} OR name = ''",), "must all hold"),
        ((f"SELECT * FROM people WHERE NOT ({LATELY})",), "must all hold"),
        ((f"SELECT id, updatedAt FROM people JOIN events AS e ON e.{LATELY}",), "must all hold"),
        ((f"SELECT id, max(updatedAt) AS updatedAt FROM people WHERE {LATELY} GROUP BY id",), "groups"),
        ((f"SELECT id, updatedAt, count() OVER () AS n FROM people WHERE {LATELY}",), "groups"),
        ((f"{PLAIN} LIMIT 1 BY id",), "limits"),
        ((f"SELECT * FROM people WHERE id NOT IN (SELECT id FROM people WHERE {LATELY})",), "read them once"),
        ((f"WITH r AS ({PLAIN}) SELECT * FROM r",), "read them once"),
        ((PLAIN, "SELECT p.* FROM people AS p LEFT JOIN n0 ON n0.id = p.id"), "rows of n0"),
        ((PLAIN, "SELECT id, max(updatedAt) AS updatedAt FROM n0 GROUP BY id"), "groups"),
        ((f"{PLAIN} AND createdAt < now()",), "clock"),
        ((f"SELECT *, rand() AS r FROM people WHERE {LATELY}",), "chance"),
        ((PLAIN, "SELECT n0.*, now() AS at FROM n0"), "clock"),
        (("WITH now() - INTERVAL 3 HOUR AS s SELECT * FROM people WHERE updatedAt > s",), "not certain"),
        (("SELECT * FROM people WHERE updatedAt > now() - INTERVAL 3 HOUR - INTERVAL 1 DAY",), "not certain"),
        (("SELECT * FROM people WHERE toDate(updatedAt) > now() - INTERVAL 3 DAY",), "not certain"),
        (("SELECT * FROM people WHERE updatedAt BETWEEN now() - INTERVAL 3 HOUR AND '2027-01-01'",), "not certain"),
        ((f"SELECT id, name FROM people WHERE {LATELY}",), "gives updatedAt"),
        ((f"SELECT * EXCEPT (id) FROM people WHERE {LATELY}",), "gives id"),
        ((f"SELECT * FROM people_list WHERE {LATELY}",), "people_list, which it reads, is a template"),
        (("SELECT * FROM newest",), "newest, which it reads, bounds time"),
        (("SELECT * FROM newest WHERE createdAt > now() - INTERVAL 3 HOUR",), "newest, which it reads, "),
    ],
)
def test_what_is_not_certain_is_told_and_not_copied(sql: tuple[str, ...], why: str) -> None:
    newest = (
        "NODE newest_rows\nSQL >\n    SELECT * FROM people FINAL WHERE updatedAt > (SELECT max(updatedAt) FROM kept)\n"
    )
    found = gap(copying(*sql, newest__pipe=newest))
    assert isinstance(found, str), found
    assert why in found


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (
            KEPT.replace("ReplacingMergeTree", "MergeTree"),
            "kept is a MergeTree, where a row that comes twice stays twice",
        ),
        (KEPT.replace("Replacing", "Summing"), "kept is a SummingMergeTree, where a row that comes twice counts twice"),
        (KEPT.replace("Replacing", "Aggregating"), "AggregatingMergeTree, where a row that comes twice counts twice"),
        (KEPT.replace("ENGINE_VER updatedAt\n", ""), "without a version"),
        (KEPT.replace("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY lower(id)"), "more than columns"),
        (KEPT.replace("ENGINE_VER updatedAt", "ENGINE_VER name"), "is no time"),
    ],
)
def test_a_target_where_rows_do_not_replace_themselves_takes_none_twice(kept: str, why: str) -> None:
    """Rule 6: what is appended again would count twice or stay twice."""
    facts = copying(kept=kept, schedule="45 */3 * * *")
    hazard = look_back(planned(facts))
    assert (hazard.level, hazard.resource) == ("error", "kept_copy")
    assert why in hazard.message
    assert not any("gap" in step.op for step in planned(facts).steps)


def test_a_view_behind_the_target_would_count_what_comes_twice() -> None:
    summed = KEPT.replace("Replacing", "Summing").replace("ENGINE_VER updatedAt\n", "")
    assert "through the view sums again" in str(gap(copying(summed__datasource=summed, sums__pipe=SUMS)))


def test_a_table_too_large_for_one_query_is_not_promised_to_be_proven() -> None:
    facts = copying()
    large = replace(facts.datasources["people"], rows=ROWS + 1)
    assert "people has more than" in str(gap(replace(facts, datasources={**facts.datasources, "people": large})))


def test_a_copy_that_looks_back_no_further_than_its_period_is_caught_up_and_no_longer_refused() -> None:
    plan = planned(copying(schedule="45 */3 * * *"))
    hazard = look_back(plan)
    assert (hazard.level, hazard.fix) == ("note", "Nothing to do.")
    assert f"`{LATELY}` replaced" in hazard.message
    steps = [step.op.removeprefix("tinybird.copy.") for step in plan.steps if step.op.startswith("tinybird.copy.")]
    assert steps == [
        "pause-appending/1",
        "pause/1",
        "run/1",  # the table's own copy
        "gap-create/1",
        "gap-run/1",
        "gap-remove/1",
        "resume/1",
        "resume/1",
    ]
    assert "copy/kept_copy" in plan.locks


def test_what_will_be_copied_is_what_people_approve() -> None:
    """The pipe's SQL is in the step and so in the hash; where the gap begins is not: that is a parameter."""
    plan, other = planned(copying()), planned(copying(f"{PLAIN} AND name != ''"))
    assert SINCE in json.dumps([step.params for step in plan.steps if "gap" in step.op])
    assert plan.hash != other.hash
    assert plan.hash == planned(replace(copying(), now=copying().now.replace(hour=3))).hash


def test_one_that_is_paused_already_is_neither_refused_nor_caught_up() -> None:
    facts = copying()
    off = replace(facts.pipes["kept_copy"], schedule_status="shutdown")
    plan = planned(replace(facts, pipes={**facts.pipes, "kept_copy": off}))
    assert not any("gap" in step.op or step.op.endswith("appending/1") for step in plan.steps)
    assert "append-lookback" not in {h.slug for h in plan.hazards}
