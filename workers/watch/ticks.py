"""When a schedule fires. Times are seconds since 1970: crons are in UTC, so no day is longer than another."""

from datetime import UTC, datetime
from functools import lru_cache

from cronsim import CronSimError

from runbooks.schedules import runs_of


@lru_cache(maxsize=20_000)
def next_tick(cron: str, after: float) -> float | None:
    """The first tick after ``after``; None for an expression that is not understood, or fires no more."""
    return _step(cron, after, reverse=False)


def last_tick(cron: str, until: float) -> float | None:
    """The last tick at ``until`` or before it."""
    return _step(cron, until + 1, reverse=True)


def ticks(cron: str, after: float, until: float, most: int) -> list[float]:
    """The ticks after ``after`` and not after ``until``, the first ``most`` of them."""
    found: list[float] = []
    at = next_tick(cron, after)
    while at is not None and at <= until and len(found) < most:
        found.append(at)
        at = next_tick(cron, at)
    return found


def _step(cron: str, at: float, *, reverse: bool) -> float | None:
    try:
        moment = datetime.fromtimestamp(int(at), UTC)
        return next(runs_of(cron, moment, reverse=reverse)).timestamp()
    except (CronSimError, StopIteration, OverflowError, ValueError):
        return None
