"""A target's newest row is old.

Where ``stale_column`` and ``stale_s`` are set, by that column's largest value, asked for in rotation. Else, for
appends, by the last run that wrote anything: three times the 95th percentile of the time between two such runs is too
long, once ten of them tell; never less than 26 hours, as sixty runs may not show that nothing happens by night.
"""

from ledger.incidents import Found
from workers.watch.watched import Watched
from workers.watch.words import span

_TIMES = 3
_LEAST_S = 26 * 3600.0


def found(w: Watched) -> Found | None:
    if w.limits.stale_column and w.limits.stale_s is not None:
        return _by_column(w, w.limits.stale_s)
    if w.pipe.mode != "append" or w.history.schedule != "running":
        return None
    apart = w.history.usual.apart
    wrote = next((run for run in reversed(w.history.good) if run.rows), None)
    if wrote is None or wrote.ended is None:
        return None
    limit = w.limits.stale_s if w.limits.stale_s is not None else None if apart is None else _learnt(apart)
    last = w.last_good
    if limit is None or last is None or last is wrote or w.now - wrote.ended < limit:
        return None
    said = (
        f"The copy {w.pipe.name} has added no row in {w.environment} since {w.clock(wrote.ended)}, though it runs: "
        f"its runs find nothing to add. {span(limit)} without one are too long."
    )
    return w.fault("stale", wrote.ended + limit, said)


def _learnt(apart: float) -> float:
    return max(_TIMES * apart, _LEAST_S)


def _by_column(w: Watched, limit: float) -> Found | None:
    newest, asked = w.history.newest, w.history.asked
    if newest is None or asked is None or asked - newest < limit:
        return None
    said = (
        f"The newest row that the copy {w.pipe.name} has written in {w.environment} is of {w.clock(newest)} "
        f"({w.limits.stale_column}); it may be {span(limit)} old."
    )
    return w.fault("stale", newest + limit, said)
