"""Schedules as Tinybird takes them: more than the five fields that cronsim knows."""

from datetime import UTC, datetime, timedelta

import pytest

from runbooks.datafile import read_pipe
from runbooks.schedules import next_run, period_s, plain, runs_by_the_clock

TUESDAY = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after"),
    [
        ("*/7 * * * *", timedelta(minutes=5)),
        ("@hourly", timedelta(minutes=30)),
        ("@daily", timedelta(hours=11, minutes=30)),
        ("@weekly", timedelta(days=4, hours=11, minutes=30)),
        ("@Monthly", timedelta(days=27, hours=11, minutes=30)),
        ("0 0 ? * *", timedelta(hours=11, minutes=30)),
        ("0 22-2 * * *", timedelta(hours=9, minutes=30)),
        ("0 0 * * sat-SUN", timedelta(days=3, hours=11, minutes=30)),
        ("0 0 * * 7-1", timedelta(days=4, hours=11, minutes=30)),
        ("50-10,40 * * * *", timedelta(minutes=10)),
    ],
)
def test_what_tinybird_takes_runs_by_the_clock(schedule: str, after: timedelta) -> None:
    assert next_run(schedule, TUESDAY) == TUESDAY + after


def test_a_range_past_the_end_begins_again() -> None:
    assert plain("0 22-2 * * sat-mon") == "0 22-23,0-2 * * 6-6,0-1"
    assert plain("0 2-22 * * mon-sat") == "0 2-22 * * mon-sat"


def test_a_day_by_a_word_is_a_day() -> None:
    assert period_s("@daily") == period_s("0 0 * * *") == 86_400


def test_what_is_on_demand_or_not_understood_does_not() -> None:
    for schedule in (None, "", "@on-demand", "@once", "0 24 * * *", "H * * * *"):
        assert not runs_by_the_clock(schedule)
        assert next_run(schedule, TUESDAY) is None


def test_a_datafile_may_hold_such_a_schedule() -> None:
    text = "NODE one\nSQL >\n    SELECT 1 AS a\nTYPE copy\nTARGET_DATASOURCE t\nCOPY_SCHEDULE 0 22-2 ? * *\n"
    assert read_pipe("nightly", text).output.schedule == "0 22-2 ? * *"
