"""The doctor of copies says what their schedules and their SQL are at fault for, by how long they really take."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runbooks.copies.doctor import better, findings
from runbooks.facts.copy_figures import CopyFigures
from runbooks.facts.copy_runs import CopyRun
from runbooks.facts.model import Facts, Limits
from runbooks.plan import Hazard
from tests.support.estate import FILES, NOW, PEOPLE_SORTED, from_files, of_seed

SEED = Path(__file__).parents[3] / "sandbox" / "seed" / "small"
BEHIND = """\
NODE lately
SQL >
    SELECT * FROM people_sorted

TYPE COPY
TARGET_DATASOURCE behind
COPY_MODE replace
COPY_SCHEDULE 10 * * * *
"""


def ran(seconds: int) -> CopyFigures:
    return CopyFigures(CopyRun("job", "done", NOW, NOW, NOW + timedelta(seconds=seconds)), p50_s=seconds, p95_s=seconds)


def facts(behind: str = BEHIND, target: str = PEOPLE_SORTED, **seconds: int) -> Facts:
    """The people with one more copy, which reads at minute 10 what people_copy begins to write at minute 8."""
    made = from_files({**FILES, "behind.datasource": target, "behind_copy.pipe": behind})
    return replace(made, copy_figures={pipe: ran(each) for pipe, each in seconds.items()})


def one(of: Facts) -> Hazard:
    found = findings(of)
    assert len(found) == 1, found
    return found[0]


def test_a_copy_that_starts_while_what_it_reads_still_runs() -> None:
    assert findings(facts(people_copy=100)) == ()
    hazard = one(facts(people_copy=400))
    assert (hazard.slug, hazard.level, hazard.resource) == ("schedule-collision", "warning", "behind_copy")
    assert hazard.message == (
        "behind_copy starts at 00:10 UTC while people_copy still runs, which writes people_sorted that it reads and "
        "takes up to 7 min: it copies what the run before left there."
    )
    assert hazard.fix == "Start behind_copy when people_copy has ended."


def test_one_that_runs_again_in_time_is_only_told_of() -> None:
    often = one(facts(BEHIND.replace("10 * * * *", "*/5 * * * *"), people_copy=400))
    assert (often.level, often.fix) == ("note", "Nothing to do: its next run is in time.")


def test_without_durations_the_same_minute_is_too_early() -> None:
    assert "in the same minute as people_copy" in one(facts(BEHIND.replace("10 *", "8 *"))).message


def test_a_paused_copy_disturbs_nobody() -> None:
    of = facts(people_copy=400)
    paused = replace(of.pipes["people_copy"], schedule_status="shutdown")
    assert findings(replace(of, pipes={**of.pipes, "people_copy": paused})) == ()


def test_more_at_once_than_may_and_no_slot_left() -> None:
    of = facts(BEHIND.replace("people_sorted", "people FINAL").replace("10 *", "9 *"), people_copy=400, behind_copy=60)
    over = one(replace(of, limits=Limits(copy_quota=1)))
    assert (over.level, over.resource) == ("error", "00:09")
    assert "2 copies run at once at 00:09 UTC by their schedules and how long they take; 1 may" in over.message
    full = one(replace(of, limits=Limits(copy_quota=2)))
    assert (full.level, "none is left for a run by hand" in full.message) == ("note", True)
    assert findings(replace(of, limits=Limits(copy_quota=3))) == ()


def test_a_run_that_is_not_over_when_the_next_one_begins() -> None:
    slow = one(facts(BEHIND.replace("10 * * * *", "*/5 * * * *").replace("people_sorted", "events"), behind_copy=400))
    assert slow.message == ("behind_copy takes up to 7 min and is started every 5 min: a run waits for the one before.")


@pytest.mark.parametrize(("seconds", "found"), [(2879, 0), (2880, 1), (3600, 1)])
def test_runs_near_the_timeout(seconds: int, found: int) -> None:
    daily = BEHIND.replace("10 * * * *", "0 3 * * *").replace("people_sorted", "events")
    near = [hazard for hazard in findings(facts(daily, behind_copy=seconds)) if hazard.slug == "copy-near-timeout"]
    assert len(near) == found
    assert not near or f"{round(seconds / 36)} % of the 3600 s" in near[0].message


APPENDS = BEHIND.replace("COPY_MODE replace", "COPY_MODE append")
KEEPS_ONE = PEOPLE_SORTED.replace("ENGINE MergeTree", "ENGINE ReplacingMergeTree\nENGINE_VER updatedAt")


@pytest.mark.parametrize(
    ("behind", "target", "level"),
    [
        (APPENDS, PEOPLE_SORTED, "warning"),
        (APPENDS, PEOPLE_SORTED.replace("MergeTree", "AggregatingMergeTree"), "error"),
        (APPENDS, KEEPS_ONE, None),
        (APPENDS.replace("people_sorted", "people_sorted WHERE updatedAt > (SELECT max(updatedAt) FROM behind)"),
         PEOPLE_SORTED, None),
        (APPENDS.replace("FROM people_sorted", "FROM people_sorted WHERE updatedAt > now() - INTERVAL 2 HOUR"),
         PEOPLE_SORTED, None),
        (APPENDS.replace("SELECT *", "SELECT *, now() AS taken"), PEOPLE_SORTED, None),
        (APPENDS.replace("10 * * * *", "@on-demand"), PEOPLE_SORTED, None),
        (BEHIND, PEOPLE_SORTED, None),
    ],
    ids=["plain", "adds up", "absorbed", "newer only", "looks back", "a series", "by hand", "replaces"],
)  # fmt: skip
def test_an_append_without_a_guard(behind: str, target: str, level: str | None) -> None:
    found = [hazard for hazard in findings(facts(behind, target)) if hazard.slug == "append-unguarded"]
    assert [hazard.level for hazard in found] == ([level] if level else [])


def test_what_the_lint_knows_of_copies_is_in_it() -> None:
    short = APPENDS.replace("FROM people_sorted", "FROM people_sorted WHERE updatedAt > now() - INTERVAL 30 MINUTE")
    assert {h.slug for h in findings(facts(short))} == {"append-lookback"}
    again = BEHIND.replace("people_sorted", "people_sorted WHERE updatedAt > (SELECT max(updatedAt) FROM behind)")
    assert {(h.slug, h.level) for h in findings(facts(again))} == {("replace-over-incremental", "error")}


def test_the_small_seed_has_one_copy_that_reads_early_and_reads_again_soon() -> None:
    small = from_files({path.name: path.read_text() for path in SEED.glob("*/*.*") if path.suffix != ".md"})
    assert [(h.slug, h.level, h.resource) for h in findings(small)] == [
        ("schedule-collision", "note", "insights_projects_populated_copy")
    ]
    assert better(small).moves == ()


def test_the_estate_has_collisions_that_a_timetable_mends() -> None:
    of = of_seed()
    found = Counter((hazard.slug, hazard.level) for hazard in findings(of))
    assert found[("replace-over-incremental", "warning")] == 3
    assert found[("schedule-collision", "warning")] == 11
    made = better(of)
    after = {move.pipe: move.new for move in made.moves}
    pipes = {
        name: replace(p, nodes=tuple(replace(n, schedule=after[name]) if n.kind == "copy" else n for n in p.nodes))
        if name in after
        else p
        for name, p in of.pipes.items()
    }
    left = Counter((hazard.slug, hazard.level) for hazard in findings(replace(of, pipes=pipes)))
    assert left[("schedule-collision", "warning")] == 0
