"""Which copies may be run by hand, which only once their last run's rows are gone, and which never: with the reason,
on the pipes of both seeds (facts/procedures.md §2.6)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from runbooks.copies import Offers, offers
from runbooks.facts.copy_runs import CopyRun, RecentRuns
from runbooks.facts.folder import read_folder
from runbooks.facts.model import Facts
from runbooks.lineage import Lineage
from tests.support.estate import NOW, from_files, of_seed

SMALL = Path(__file__).parents[3] / "sandbox/seed/small"


@cache
def small() -> Facts:
    return read_folder(SMALL, environment="staging", now=NOW)


@cache
def lineage() -> Lineage:
    return Lineage.of(of_seed())


def of_estate(pipe: str) -> Offers:
    return offers(of_seed(), pipe, lineage())


def ran(ago: timedelta, status: str = "done", rows: int | None = 1) -> CopyRun:
    began = NOW - ago
    return CopyRun("job", status, began, began, began + timedelta(minutes=2), rows)


def of_one(sql: str, *, mode: str = "append", engine: str = "MergeTree", past: RecentRuns | None = None) -> Offers:
    """A copy of one node, from ``events`` into ``made``."""
    files = {
        "events.datasource": "SCHEMA >\n    `id` String,\n    `at` DateTime\n\nENGINE MergeTree\n",
        "made.datasource": "SCHEMA >\n    `id` String,\n    `board` String,\n    `at` DateTime,\n    `day` Date,\n"
        f"    `n` UInt64\n\nENGINE {engine}\n",
        "one.pipe": "NODE out\nSQL >\n" + "".join(f"    {line}\n" for line in sql.splitlines()) + "\nTYPE COPY\n"
        f"TARGET_DATASOURCE made\nCOPY_MODE {mode}\nCOPY_SCHEDULE 0 * * * *\n",
    }  # fmt: skip
    facts = from_files(files)
    return offers(replace(facts, recent_runs={} if past is None else {"one": past}), "one")


REPLACING = "ReplacingMergeTree\nENGINE_SORTING_KEY id\nENGINE_VER at"


def test_every_copy_of_the_small_seed_makes_its_target_anew_and_may_run() -> None:
    copies = [name for name, pipe in small().pipes.items() if pipe.kind == "copy"]
    assert len(copies) == 7
    assert all(offers(small(), name).run for name in copies)
    found = offers(small(), "members_sorted_copy_pipe")
    assert found.why.startswith("Each run makes all of members_sorted anew")
    assert found.onward == (
        "activityRelations_deduplicated_cleaned_copy_pipe",
        "insights_projects_populated_copy",
        "pull_request_analysis_copy_pipe",
        "top_member_org_copy",
    )


@pytest.mark.parametrize(
    ("pipe", "why"),
    [
        ("activityRelations_snapshot_merger_copy_0", "It reads its own target"),
        ("health_contributors_copy", "It takes rows by the clock (timestamp > now() - INTERVAL '1' YEAR)"),
        ("activities_deduplicated_copy_pipe_append_mode", "the rows of a second run stay beside those of the first"),
        ("pull_request_analysis_initial_snapshot", "no column of pull_requests_analyzed says which run a row is of"),
        ("cdp_member_segment_aggregates_initial_snapshot", "writes cdp_member_segment_aggregates_ds all the time"),
    ],
)
def test_copies_of_the_estate_that_may_not_run(pipe: str, why: str) -> None:
    found = of_estate(pipe)
    assert not found.run
    assert found.clear is None
    assert why in found.why
    assert found.instead.endswith(".")


def test_what_to_do_instead_names_the_next_tick() -> None:
    rolling = of_estate("health_contributors_copy")
    assert rolling.instead == "Its schedule runs it next at 2026-11-23 02:00 UTC."
    assert rolling.in_general == (
        "Its schedule runs it again by itself; to have it sooner, run it in Tinybird if the rows that it takes now are "
        "those that you want."
    )


@pytest.mark.parametrize(
    "pipe", ["collection_insights_aggregate_copy_pipe_3", "activityRelations_bucket_MV_snapshot_0"]
)
def test_an_append_whose_rows_replace_themselves_may_run_and_says_so(pipe: str) -> None:
    found = of_estate(pipe)
    assert found.run
    assert "replace themselves" in found.why
    assert "without FINAL see both" in found.why


def test_the_rows_of_a_leaderboard_are_told_apart_from_the_other_thirteen() -> None:
    found = of_estate("leaderboards_commits")
    assert not found.run
    assert found.clear is not None
    assert "`copy leaderboards_commits run clear`" in found.instead
    run = CopyRun("j", "done", NOW, NOW + timedelta(seconds=1.5), NOW + timedelta(seconds=9.2), 20)
    assert found.clear.condition(run) == (
        "`madeAt` >= toDateTime('2026-11-22 12:00:01', 'UTC') AND `madeAt` < toDateTime('2026-11-22 12:00:10', 'UTC') "
        "AND `board` = 'commits'"
    )


def test_one_more_writer_that_looks_alike_takes_the_trace_away() -> None:
    facts = of_seed()
    twin = replace(facts.pipes["leaderboards_commits"], name="leaderboards_commits_2")
    found = offers(replace(facts, pipes={**facts.pipes, twin.name: twin}), "leaderboards_commits")
    assert found.clear is None
    assert "rows of leaderboards_commits_2" in found.why


def test_a_run_in_order_leaves_out_what_is_not_safe_and_what_waits_for_that_alone() -> None:
    found = of_estate("activityRelations_deduplicated_copy_pipe")
    left_out = {each.name: each.why for each in found.left_out}
    assert "counts" not in left_out.get("health_impact_copy", "")
    assert left_out["health_contributors_copy"].startswith("it takes rows by the clock")
    assert left_out["leaderboards_commits"].startswith("it appends to leaderboards_copy_ds")
    order = list(found.onward)
    assert order.index("members_public_names_copy") < order.index("members_sorted_copy_pipe")
    assert order.index("activityRelations_deduplicated_cleaned_copy_pipe") < order.index("health_impact_copy")
    assert not set(order) & left_out.keys()


def test_what_is_reached_through_one_that_is_left_out_is_left_out() -> None:
    made = "SCHEMA >\n    `id` String,\n    `at` DateTime\n\nENGINE MergeTree\nENGINE_SORTING_KEY id\n"

    def copy(target: str, sql: str, schedule: str = "0 * * * *") -> str:
        made = f"TYPE COPY\nTARGET_DATASOURCE {target}\nCOPY_MODE replace\nCOPY_SCHEDULE {schedule}\n"
        return f"NODE out\nSQL >\n    {sql}\n\n{made}"

    files = {f"{name}.datasource": made for name in ("raw", "a", "b", "c", "d")} | {
        "to_a.pipe": copy("a", "SELECT id, at FROM raw"),
        "to_b.pipe": copy("b", "SELECT id, at FROM a WHERE at > now() - INTERVAL 1 HOUR"),
        "to_c.pipe": copy("c", "SELECT id, at FROM b"),
        "to_d.pipe": copy("d", "SELECT id, at FROM a", "@on-demand"),
    }
    found = offers(from_files(files), "to_a")
    assert found.onward == ()
    assert {each.name: each.why.split(" (")[0] for each in found.left_out} == {
        "to_b": "it takes rows by the clock",
        "to_c": "what it reads is not made anew",
        "to_d": "it runs on demand only",
    }


CLOCKED: Mapping[str, str] = {
    "a comparison": "SELECT id, at FROM events WHERE at > now() - INTERVAL 1 HOUR",
    "an equality": "SELECT id, at FROM events WHERE toDate(at) = today()",
    "its own tick": "%\nSELECT id, at FROM events WHERE at > toDateTime({{job_timestamp}})",
    "its tick in quotes": "%\nSELECT id, at FROM events WHERE at > toDateTime('{{job_timestamp}}')",
    "its tick in a template": "%\n{% set due = job_timestamp %}\nSELECT id, at FROM events WHERE at > {{due}}",
    "a name for it": "WITH now() - INTERVAL 1 DAY AS since SELECT id, at FROM events WHERE at > since",
    "what is computed of it": "SELECT id, at, dateDiff('day', at, now()) AS n FROM events WHERE n < 3",
    "a HAVING": "SELECT id, max(at) AS at FROM events GROUP BY id HAVING at > now() - INTERVAL 1 DAY",
    "the newest row of another": "SELECT id, at FROM events WHERE at > (SELECT max(at) FROM events)",
}


@pytest.mark.parametrize("how", CLOCKED)
def test_a_replacing_copy_that_bounds_time_may_not_run(how: str) -> None:
    found = of_one(CLOCKED[how], mode="replace")
    assert not found.run
    assert "by the clock" in found.why


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, now() AS at FROM events",
        "SELECT id, countIf(at > now() - INTERVAL 30 DAY) AS n FROM events GROUP BY id",
        "SELECT id, at FROM events WHERE at > '2020-01-01'",
    ],
)
def test_a_clock_that_no_row_must_pass_bounds_nothing(sql: str) -> None:
    assert of_one(sql, mode="replace").run


@pytest.mark.parametrize("engine", ["SummingMergeTree", "AggregatingMergeTree"])
def test_an_append_into_a_target_that_adds_up_is_never_offered(engine: str) -> None:
    found = of_one("SELECT id, now() AS at FROM events", engine=f"{engine}\nENGINE_SORTING_KEY id")
    assert not found.run
    assert found.clear is None
    assert f"is of {engine}, which counts the rows of a second run again" in found.why


def test_an_append_that_looks_back_may_run_while_it_reaches_its_last_good_run() -> None:
    sql = "SELECT id, at FROM events WHERE at > now() - INTERVAL 3 HOUR"
    failed = ran(timedelta(minutes=10), "error", None)
    reaches = of_one(sql, engine=REPLACING, past=RecentRuns((failed, ran(timedelta(hours=2, minutes=59)))))
    assert reaches.run
    assert "it looks back 3 hours, which reaches its last good run of 09:01 UTC" in reaches.why
    late = of_one(sql, engine=REPLACING, past=RecentRuns((failed, ran(timedelta(hours=3, minutes=1)))))
    assert not late.run
    assert "its last good run began at 2026-11-22 08:59 UTC" in late.why
    assert not of_one(sql, engine=REPLACING).run
    assert not of_one(sql, engine=REPLACING, past=RecentRuns((failed,))).run


def test_how_far_a_look_back_reaches_must_be_certain() -> None:
    good = RecentRuns((ran(timedelta(minutes=1)),))
    found = of_one("SELECT id, at FROM events WHERE at > toStartOfMonth(now())", engine=REPLACING, past=good)
    assert not found.run
    assert "ow far it looks back is not certain" in found.why


def test_a_key_that_is_another_in_each_run_absorbs_nothing() -> None:
    engine = "ReplacingMergeTree\nENGINE_SORTING_KEY id, at\nENGINE_VER n"
    assert "side by side" in of_one("SELECT id, now() AS at, 1 AS n FROM events", engine=engine).why
    month = "ReplacingMergeTree\nENGINE_PARTITION_KEY toYYYYMM(at)\nENGINE_SORTING_KEY id\nENGINE_VER n"
    assert not of_one("SELECT id, now() AS at, 1 AS n FROM events", engine=month).run


def test_without_a_version_which_row_stays_is_chance() -> None:
    found = of_one("SELECT id, at FROM events", engine="ReplacingMergeTree\nENGINE_SORTING_KEY id")
    assert "without a version" in found.why


def test_what_is_not_understood_may_not_run() -> None:
    assert "not understood" in of_one("SELECT id at FROM (", mode="replace").why


@pytest.mark.parametrize(
    ("sql", "moment"),
    [
        ("SELECT id, now() AS at FROM events", "now"),
        ("%\nSELECT id, toDateTime('{{job_timestamp}}') AS at FROM events", "due"),
        ("SELECT id, today() AS day FROM events", "day"),
        ("SELECT id, toDate(now()) AS day FROM events", "day"),
        ("SELECT id, toDate(now()) AS at FROM events", None),
        ("SELECT id, at FROM events", None),
        ("SELECT id, now() - INTERVAL 1 DAY AS at FROM events", None),
        ("SELECT id, now() AS at FROM events UNION ALL SELECT id, now() AS at FROM events", None),
    ],
)
def test_when_a_row_was_made_is_read_from_a_column_of_the_clock_alone(sql: str, moment: str | None) -> None:
    found = of_one(sql, engine="MergeTree\nENGINE_SORTING_KEY id").clear
    assert (found.moment if found else None) == moment


def test_the_rows_of_another_run_of_the_day_are_not_told_apart() -> None:
    trace = of_one("SELECT id, today() AS day FROM events", engine="MergeTree\nENGINE_SORTING_KEY id").clear
    assert trace is not None
    assert trace.shares(ran(timedelta(hours=1)), ran(timedelta(hours=3)))
    assert not trace.shares(ran(timedelta(hours=1)), ran(timedelta(hours=30)))
