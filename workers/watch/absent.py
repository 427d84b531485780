"""The ticks that came and brought no run: what ``late`` and ``missing`` count."""

from runbooks.words import counted
from workers.watch.seen import SKEW_S
from workers.watch.ticks import ticks
from workers.watch.watched import Watched

MOST = 100  # counted, not more


def unmet(w: Watched) -> list[float]:
    """The ticks since the last run, and since the schedule is as it is, that are past their grace."""
    history = w.history
    if not history.cron or history.turned is None:
        return []
    since = history.turned
    if history.last is not None:
        since = max(since, history.last.created + SKEW_S)  # made a little before its tick by another clock
    return ticks(history.cron, since, w.now - w.grace_s, MOST)


def times(count: int, unit: str = "time") -> str:
    """How many ticks, in words."""
    return f"{MOST} {unit}s or more" if count >= MOST else counted(count, unit)
