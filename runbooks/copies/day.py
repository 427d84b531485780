"""The minutes of a day (UTC) as the bits of one number: when copies start, when they run, how many at once.

What a schedule says of days and months is left out: a copy that runs once a month takes its slot on that day.
"""

from collections.abc import Iterable
from functools import cache

from runbooks.schedules import SOME_DAY, runs_by_the_clock, runs_of

MINUTES = 24 * 60
_ALL = (1 << MINUTES) - 1

Minutes = int  # bit n is the minute n of the day


@cache
def starts(schedule: str | None) -> Minutes:
    """The minutes at which a schedule starts a run; none without one."""
    if not runs_by_the_clock(schedule):
        return 0
    cron = runs_of(schedule or "", SOME_DAY)
    return sum(1 << hour * 60 + minute for hour in cron.hours for minute in cron.minutes)


def later(minutes: Minutes, by: int) -> Minutes:
    """The same, ``by`` minutes later; past midnight it goes on in the morning."""
    by %= MINUTES
    return (minutes << by | minutes >> (MINUTES - by)) & _ALL


def running(started: Minutes, lasting: int) -> Minutes:
    """The minutes in which a run is under way, if each lasts so many."""
    if lasting >= MINUTES and started:
        return _ALL
    found, covered = started, 1
    while covered < lasting:
        step = min(covered, lasting - covered)
        found |= later(found, step)
        covered += step
    return found if lasting > 0 else 0


def lag(before: Minutes, after: Minutes) -> int | None:
    """The fewest minutes from a minute of ``before`` to one of ``after``; None where one of them is empty."""
    return next((by for by in range(MINUTES) if later(before, by) & after), None) if before and after else None


def first(minutes: Minutes) -> int | None:
    """The earliest of them in the day."""
    return (minutes & -minutes).bit_length() - 1 if minutes else None


def clock(minute: int) -> str:
    """``02:05``"""
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


class Load:
    """How many copies run in each minute of the day."""

    def __init__(self, running: Iterable[Minutes] = ()) -> None:
        self._at_least: list[Minutes] = []  # [n]: the minutes in which more than n run
        for each in running:
            self.add(each)

    def add(self, running: Minutes) -> None:
        for n, minutes in enumerate(self._at_least):
            self._at_least[n], running = minutes | running, minutes & running
        if running:
            self._at_least.append(running)

    @property
    def most(self) -> int:
        """The most that run at once."""
        return len(self._at_least)

    def over(self, number: int) -> Minutes:
        """The minutes in which more than ``number`` run."""
        return self._at_least[number] if 0 <= number < len(self._at_least) else 0
