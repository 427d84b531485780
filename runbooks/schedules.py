"""Schedules of copies: whether one runs by the clock, and how long it may be from one run to the next."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cronsim import CronSim, CronSimError

SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_RUNS = 400  # looked at: a day and more of a copy that runs every few minutes


def runs_by_the_clock(schedule: str | None) -> bool:
    """Whether a copy runs by the clock, as far as its expression is understood."""
    if not schedule or schedule.startswith("@"):
        return False
    try:
        CronSim(schedule, SOME_DAY)
    except CronSimError:
        return False
    return True


@cache
def period_s(schedule: str | None) -> int | None:
    """The longest time between two runs, in a fortnight or in three runs if those last longer: the same whenever it is
    asked, as it decides what a plan is."""
    if not runs_by_the_clock(schedule):
        return None
    longest, before = 0, None
    try:
        for number, moment in enumerate(CronSim(schedule or "", SOME_DAY)):
            longest = max(longest, int((moment - before).total_seconds())) if before else 0
            before = moment
            if number >= _RUNS or (number >= 3 and moment > SOME_DAY + timedelta(days=14)):
                break
    except CronSimError:
        return None
    return longest or None
