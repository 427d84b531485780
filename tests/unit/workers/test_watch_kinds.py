"""Each kind of fault by its own limit: what is told, and what is not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from config.watch import WatchedPipe, WatchSettings
from ledger.pauses import Pause
from systems.tinybird_logs import LoggedWrite
from systems.tinybird_model import PipeInfo
from tests.support.watching import HOUR, Stage, at, job, pipe, wrote
from workers.watch.asking import copy_pipe, not_understood
from workers.watch.reconcile import Became, Closed, Opened, Reopened

A = pipe()
QUOTA = "You have reached the maximum number of copy jobs (12)"
MEMORY = "Code: 241. DB::Exception: Memory limit (for query) exceeded. (MEMORY_LIMIT_EXCEEDED)"


@pytest.fixture
def stage() -> Stage:
    """An hourly replace copy that ran well for a day: 60 s and 1,000 rows each time."""
    made = Stage()
    made.has(A)
    runs = [job(A, HOUR * n + 2) for n in range(24)]
    made.look(HOUR * 23 + 100, runs, [wrote(run, 1000) for run in runs])
    assert made.told == []
    return made


def day(n: float) -> float:
    """Hours after the stage's own day, in seconds."""
    return HOUR * (24 + n)


# --- failed


def test_a_failed_run_is_told_once_and_closed_by_the_next_good_one(stage: Stage) -> None:
    bad = job(A, day(0) + 2, "error", error=MEMORY)
    (opened,) = stage.look(day(0) + 120, [bad])
    assert isinstance(opened, Opened)
    assert opened.found.detail.said == (
        "The copy a_copy failed in staging at 00:01 UTC: it needs more memory than Tinybird gives it."
    )
    assert opened.found.detail.cause == "memory"
    assert opened.found.detail.last_good == at(23 * HOUR + 63)
    assert opened.found.detail.rows_before == 1000
    assert stage.look(day(0) + 180, [bad]) == []

    (closed,) = stage.look(day(1) + 120, [bad, job(A, day(1) + 2)])
    assert isinstance(closed, Closed)
    assert closed.said == "The copy a_copy ran well at 01:01 UTC: it took 60 s."


def test_a_second_failure_in_a_row_changes_the_card_and_tells_nothing_new(stage: Stage) -> None:
    stage.look(day(0) + 120, [job(A, day(0) + 2, "error", error=MEMORY)])
    stage.look(day(1) + 120, [job(A, day(1) + 2, "error", error=MEMORY)])
    (incident,) = stage.open
    assert "It has failed 2 times in a row, since 00:01 UTC." in incident.told.said
    assert len(stage.incidents) == 1


def test_a_cancelled_run_is_neither_good_nor_bad(stage: Stage) -> None:
    assert stage.look(day(0) + 120, [job(A, day(0) + 2, "cancelled")]) == []
    stage.look(day(1) + 120, [job(A, day(1) + 2, "error", error=MEMORY)])
    stage.look(day(2) + 120, [job(A, day(2) + 2, "cancelled")])
    assert stage.told == [("failed", "a_copy")]


def test_a_refusal_for_the_quota_is_a_failure_only_after_three_in_a_row(stage: Stage) -> None:
    for hour in range(2):
        assert stage.look(day(hour) + 120, [job(A, day(hour) + 2, "error", error=QUOTA)]) == []
    stage.look(day(2) + 120, [job(A, day(2) + 2, "error", error=QUOTA)])
    (incident,) = stage.open
    assert incident.told.cause == "quota"
    assert "3 times in a row" in incident.told.said


def test_a_failure_is_not_made_good_by_a_refusal_for_the_quota(stage: Stage) -> None:
    stage.look(day(0) + 120, [job(A, day(0) + 2, "error", error=MEMORY)])
    assert stage.look(day(1) + 120, [job(A, day(1) + 2, "error", error=QUOTA)]) == []
    assert stage.told == [("failed", "a_copy")]


def test_a_log_may_tell_of_a_run_in_any_order_and_late(stage: Stage) -> None:
    bad = job(A, day(0) + 2, "error", error=MEMORY)
    stage.look(day(0) + 120, [bad])
    assert stage.look(day(0) + 180, [job(A, day(0) + 2, "working")]) == []  # an older state of the same run
    stage.look(day(1) + 120, [job(A, day(1) + 2)])
    assert stage.told == []
    assert stage.look(day(1) + 180, [bad]) == []  # the overlap tells of the failure again


def test_a_run_that_was_an_error_and_is_done_after_all_is_good(stage: Stage) -> None:
    stage.look(day(0) + 120, [job(A, day(0) + 2, "error", error=MEMORY)])
    stage.look(day(0) + 180, [job(A, day(0) + 2)])
    assert stage.told == []


# --- late, missing


def test_no_run_within_grace_of_its_tick_is_late_and_grows_to_missing_on_the_same_card(stage: Stage) -> None:
    assert stage.look(day(0) + 299) == []
    (opened,) = stage.look(day(0) + 300)
    assert isinstance(opened, Opened)
    assert opened.found.kind == "late"
    assert opened.found.since == at(day(0))
    assert stage.look(day(1) + 200) == []

    (grown,) = stage.look(day(1) + 300)
    assert isinstance(grown, Became)
    assert "it should have begun 2 times since 00:00 UTC; its last run was at 23:00 UTC" in _of(grown)
    (closed,) = stage.look(day(1) + 420, [job(A, day(1) + 400)])
    assert isinstance(closed, Closed)
    assert "has begun a run at 01:06 UTC" in closed.said


def _of(change: Became) -> str:
    return change.found.detail.said.replace("2026-11-03 ", "")


@pytest.mark.parametrize("skew", [-119, 119])
def test_two_minutes_between_two_clocks_are_no_fault(stage: Stage, skew: int) -> None:
    stage.look(day(0) + 310, [job(A, day(0) + skew)])
    stage.look(day(1) - 60)
    assert stage.incidents == {}


def test_grace_is_learnt_from_how_late_runs_usually_are() -> None:
    stage = Stage()
    stage.has(A)
    stage.look(HOUR * 23 + 700, [job(A, HOUR * n + 200) for n in range(24)])
    stage.look(day(0) + 599)
    assert stage.told == []
    stage.look(day(0) + 600)
    assert stage.told == [("late", "a_copy")]


def test_a_grace_that_is_set_counts() -> None:
    stage = Stage(settings=WatchSettings(pipes=(WatchedPipe(pattern="a_*", grace_s=60),)))
    stage.has(A)
    stage.look(HOUR * 23 + 100, [job(A, HOUR * n + 2) for n in range(24)])
    stage.look(day(0) + 60)
    assert stage.told == [("late", "a_copy")]


def test_a_paused_pipe_is_missed_after_two_ticks(stage: Stage) -> None:
    stage.has(replace(A, running=False))
    stage.look(day(-0.5))
    stage.look(day(0) + 400)
    assert stage.told == []
    stage.look(day(1) + 400)
    assert stage.told == [("missing", "a_copy")]
    assert "no run of ours has paused it" in stage.open[0].told.said

    stage.has(A)
    (closed,) = stage.look(day(1.5))
    assert isinstance(closed, Closed)
    assert closed.said == "The schedule of the copy a_copy runs again: 0 * * * * (UTC)."
    assert stage.told == []


def test_what_a_run_of_ours_has_paused_is_missed_only_after_its_deadline(stage: Stage) -> None:
    stage.has(replace(A, running=False))
    stage.pauses = {"a_copy": Pause("a_copy", 7, at(day(4)))}
    for hour in range(4):
        stage.look(day(hour) + 400)
    assert stage.incidents == {}
    stage.look(day(4))
    assert stage.told == [("missing", "a_copy")]
    assert "run 7 paused it and should have been done by" in stage.open[0].told.said


def test_what_was_paused_before_anybody_looked_is_meant() -> None:
    stage = Stage()
    stage.has(replace(A, running=False))
    for hour in range(0, 100, 5):
        stage.look(HOUR * hour)
    assert stage.incidents == {}


def test_a_schedule_that_is_gone_is_told_by_the_second_look_and_meant_after_a_week(stage: Stage) -> None:
    stage.has(replace(A, cron=None))
    stage.look(day(-0.5))
    stage.look(day(-0.5) + 60)
    assert stage.told == [("missing", "a_copy")]
    assert "it ran at 0 * * * * (UTC), and runs no more" in stage.open[0].told.said
    stage.look(day(24 * 7.5))
    assert stage.told == []


def test_a_new_schedule_is_not_blamed_for_the_ticks_before_it(stage: Stage) -> None:
    stage.has(replace(A, cron="0 3 * * *"))
    stage.look(day(0) + 400)
    stage.look(day(2.5))
    assert stage.incidents == {}
    stage.look(day(3) + 400)
    assert stage.told == [("late", "a_copy")]


def test_a_schedule_in_one_word_is_watched_and_one_that_nobody_reads_is_told_of() -> None:
    known = {"kind": "copy", "description": "", "tags": (), "nodes": (), "copy_node": "n", "copy_mode": "replace"}
    daily, odd, by_hand = (
        PipeInfo(f"t_{name}", name, copy_target="d", cron=cron, schedule_status="running", **known)  # pyright: ignore[reportArgumentType]  # a field each
        for name, cron in (("daily", "@daily"), ("odd", "0 24 * * *"), ("by_hand", "@on-demand"))
    )
    watched = Stage()
    seen = [copy_pipe(info) for info in (daily, odd, by_hand)]
    watched.has(*seen)
    watched.look(HOUR)
    (change,) = watched.look(24 * HOUR + 1200)
    assert isinstance(change, Opened)
    assert (change.found.kind, change.found.name) == ("late", "daily")
    said = not_understood(seen)
    assert "odd" in said
    assert "daily" not in said
    assert "by_hand" not in said


def test_a_pipe_that_runs_only_by_hand_is_never_missed() -> None:
    stage = Stage()
    stage.has(pipe(cron=None))
    stage.look(0, [job(pipe(cron=None), -500)])
    stage.look(day(200))
    assert stage.incidents == {}


def test_a_deleted_pipe_closes_with_a_sentence_and_a_renamed_one_is_the_same(stage: Stage) -> None:
    stage.look(day(0) + 120, [job(A, day(0) + 2, "error", error=MEMORY)])
    stage.has(replace(A, name="b_copy"))
    stage.look(day(0) + 180)
    assert stage.told == [("failed", "b_copy")]
    stage.remove(A)
    (closed,) = stage.look(day(0) + 240)
    assert isinstance(closed, Closed)
    assert closed.said == "The copy b_copy is deleted: nobody waits for it any more."


def test_a_first_look_tells_of_a_pipe_that_has_not_run_for_days() -> None:
    stage = Stage()
    stage.has(A)
    stage.look(HOUR * 120, [job(A, HOUR * n + 2) for n in range(12)])
    assert stage.told == [("missing", "a_copy")]


# --- queued


def test_a_run_that_waits_past_the_next_tick_is_stuck(stage: Stage) -> None:
    waits = job(A, day(0) + 2, "waiting")
    stage.look(day(0.9), [waits])
    assert stage.told == []
    stage.look(day(1) + 121, [waits, job(A, day(1) + 2, "waiting")])
    assert stage.told == [("queued", "a_copy")]
    stage.look(day(1) + 180, [job(A, day(0) + 2, waited=3700, took=1), job(A, day(1) + 2, "working")])
    assert stage.told == []


def test_a_run_of_a_daily_pipe_does_not_wait_for_a_day() -> None:
    daily = pipe(cron="0 2 * * *")
    stage = Stage()
    stage.has(daily)
    stage.look(HOUR * 2 + 60, [job(daily, HOUR * 2, "waiting")])
    assert stage.told == []
    stage.look(HOUR * 3, [job(daily, HOUR * 2, "waiting")])
    assert stage.told == [("queued", "a_copy")]


def test_a_run_whose_end_was_never_logged_hides_nothing_after_a_day(stage: Stage) -> None:
    stage.look(day(0) + 100, [job(A, day(0) + 2, "working")])
    stage.look(day(5))
    assert stage.told == [("long", "a_copy")]
    (grown,) = stage.look(day(24) + 10)
    assert isinstance(grown, Became)
    assert stage.told == [("missing", "a_copy")]


# --- long


def test_a_run_near_the_timeout_is_told_while_it_works_and_becomes_the_failure_that_follows(stage: Stage) -> None:
    stage.settings = WatchSettings(pipes=(WatchedPipe(pattern="*", long_s=2880),))
    stage.has(A)
    works = job(A, day(0) + 2, "working")
    stage.look(day(0) + 2882, [works])
    assert stage.told == []
    stage.look(day(0) + 2883, [works])
    assert stage.told == [("long", "a_copy")]
    ended = job(
        A, day(0) + 2, "error", took=3600, error="Code: 159. DB::Exception: Timeout exceeded (TIMEOUT_EXCEEDED)"
    )
    (grown,) = stage.look(day(1) + 60, [ended])
    assert isinstance(grown, Became)
    assert grown.found.detail.cause == "timeout"
    assert len(stage.incidents) == 1


def test_a_run_far_longer_than_usual_is_told(stage: Stage) -> None:
    stage.look(day(0) + 660, [job(A, day(0) + 2, "working")])
    assert stage.told == []
    stage.look(day(0) + 664, [job(A, day(0) + 2, "working")])
    assert stage.told == [("long", "a_copy")]
    assert "far longer than usual: nearly all its runs took at most 60 s" in stage.open[0].told.said


@pytest.mark.parametrize("state", ["cancelling", "a state of next year"])
def test_a_run_that_stays_in_whatever_state_is_told_too(stage: Stage, state: str) -> None:
    """It would excuse for a day that the pipe does not run."""
    stage.look(day(0) + 664, [job(A, day(0) + 2, state, took=0)])
    assert stage.told == [("long", "a_copy")]


def test_without_a_history_only_the_timeout_is_near() -> None:
    stage = Stage()
    stage.has(A)
    stage.look(HOUR - 100, [job(A, 0, took=2800)])
    assert stage.told == []
    stage.look(HOUR * 2 - 100, [job(A, HOUR, took=2880)])
    assert stage.told == [("long", "a_copy")]


# --- few, stale, quarantine


@pytest.mark.parametrize(("rows", "told"), [(0, True), (499, True), (500, False), (5000, False)])
def test_a_replace_that_writes_far_fewer_rows_than_usual_is_told(stage: Stage, rows: int, told: bool) -> None:
    run = job(A, day(0) + 2)
    stage.look(day(0) + 120, [run])
    assert stage.told == []  # what it wrote is not in the log yet
    stage.look(day(0) + 180, [run], [wrote(run, rows)])
    assert stage.told == ([("few", "a_copy")] if told else [])


def test_a_card_has_the_rows_of_the_last_run_were_they_none(stage: Stage) -> None:
    for hour, rows in enumerate((300, 0)):
        run = job(A, day(hour) + 2)
        stage.look(day(hour) + 120, [run], [wrote(run, rows)])
        (incident,) = stage.open
        assert incident.told.rows_now == rows


def test_an_append_that_writes_nothing_is_no_fault_by_itself() -> None:
    adds = pipe(mode="append")
    stage = Stage()
    stage.has(adds)
    runs = [job(adds, HOUR * n + 2) for n in range(24)]
    stage.look(HOUR * 23 + 100, runs, [wrote(run, 10) for run in runs])
    more = [job(adds, day(n) + 2) for n in range(25)]
    stage.look(day(24) + 100, more, [wrote(run, 0) for run in more])
    assert stage.told == []
    last = job(adds, day(25) + 2)
    stage.look(day(25) + 100, [last], [wrote(last, 0)])
    assert stage.told == [("stale", "a_copy")]


def test_the_newest_row_is_judged_where_a_column_is_named(stage: Stage) -> None:
    rule = WatchedPipe(pattern="a_copy", stale_column="updatedAt", stale_s=7200)
    stage.settings = WatchSettings(pipes=(rule,))
    stage.has(A)
    now = HOUR * 23 + 200
    stage.look(now, newest={A.id: at(now) - timedelta(hours=1)})
    assert stage.told == []
    stage.look(now + 60, newest={A.id: at(now + 60) - timedelta(hours=2)})
    assert stage.told == [("stale", "a_copy")]


def test_a_growing_quarantine_is_told_and_over_when_none_came_for_an_hour(stage: Stage) -> None:
    bad = LoggedWrite(at(HOUR * 23), "", "d_1", "members", 0, 3)
    stage.look(HOUR * 23 + 200, writes=[bad])
    assert stage.told == [("quarantine", "members")]
    assert stage.look(HOUR * 23 + 260, writes=[bad]) == []
    stage.look(day(0) + 60, [job(A, day(0) + 2, "working")])
    assert stage.told == []


def test_what_tbops_toml_silences_is_not_told() -> None:
    stage = Stage(settings=WatchSettings(pipes=(WatchedPipe(pattern="a_*", silent=True),)))
    stage.has(A)
    stage.look(100, [job(A, 2, "error", error=MEMORY)])
    assert stage.incidents == {}


# --- one trouble, one incident


def test_a_failed_pipe_that_then_does_not_run_is_one_incident(stage: Stage) -> None:
    stage.look(day(0) + 120, [job(A, day(0) + 2, "error", error=MEMORY)])
    stage.look(day(5))
    assert stage.told == [("failed", "a_copy")]
    assert len(stage.incidents) == 1


def test_the_same_trouble_soon_after_is_the_same_incident(stage: Stage) -> None:
    for hour in range(0, 6, 2):
        stage.look(day(hour) + 120, [job(A, day(hour) + 2, "error", error=MEMORY)])
        assert stage.told == [("failed", "a_copy")]
        stage.look(day(hour + 1) + 120, [job(A, day(hour + 1) + 2)])
        assert stage.told == []
    (only,) = stage.incidents.values()
    assert only.times == 3
    stage.look(day(15) + 120, [job(A, day(n) + 2) for n in range(6, 15)])
    (opened,) = stage.look(day(15) + 180, [job(A, day(15) + 2, "error", error=MEMORY)])
    assert isinstance(opened, Opened)
    assert not isinstance(opened, Reopened)
