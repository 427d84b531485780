"""Schedules of copies: whether one runs by the clock, when, and how long it may be from one run to the next."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache

from cronsim import CronSim, CronSimError

SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_RUNS = 400  # looked at: a day and more of a copy that runs every few minutes

# What Tinybird's own check takes (croniter: facts/tinybird.md §11) and cronsim does not.
_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAYS = {name: str(number) for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_ENDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))  # of the five fields
_BACKWARDS = re.compile(r"(\w+)-(\w+)")


@cache
def plain(schedule: str) -> str:
    """The same in words that cronsim knows: no ``@daily``, no ``?``, no range past the end (``22-2``, ``sat-sun``)."""
    fields = _WORDS.get(schedule.strip().lower(), schedule).split()
    if len(fields) != len(_ENDS):
        return schedule
    return " ".join(
        ",".join(_forwards(part, *ends) for part in field.replace("?", "*").split(","))
        for field, ends in zip(fields, _ENDS, strict=True)
    )


def _forwards(part: str, first: int, last: int) -> str:
    found = _BACKWARDS.fullmatch(part)
    if not found:
        return part
    begin, end = (_DAYS.get(word.lower(), word) for word in found.groups())
    if not (begin.isdigit() and end.isdigit()) or int(begin) <= int(end):
        return part
    return f"{begin}-{last},{first}-{end}" if int(begin) <= last else f"{first}-{end}"


def runs_of(schedule: str, after: datetime, *, reverse: bool = False) -> CronSim:
    """When it runs, from behind ``after`` on. Raises ``CronSimError`` for what is no schedule."""
    return CronSim(plain(schedule), after, reverse=reverse)


def next_run(schedule: str | None, now: datetime) -> datetime | None:
    """Its next tick, where there is one that is understood."""
    return next(runs_of(schedule or "", now), None) if runs_by_the_clock(schedule) else None


def runs_by_the_clock(schedule: str | None) -> bool:
    """Whether a copy runs by the clock, as far as its expression is understood."""
    if not schedule:
        return False
    try:
        runs_of(schedule, SOME_DAY)
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
        for number, moment in enumerate(runs_of(schedule or "", SOME_DAY)):
            longest = max(longest, int((moment - before).total_seconds())) if before else 0
            before = moment
            if number >= _RUNS or (number >= 3 and moment > SOME_DAY + timedelta(days=14)):
                break
    except CronSimError:
        return None
    return longest or None
