"""A pipe that should run does not: its schedule runs and two ticks or more brought no run, or it is paused and has
missed two, or its schedule is gone.

A pause by a run of ours is no fault until that run's time is up; one that a person asked for (``copy <pipe> pause``) is
told of after a day. A schedule that is gone is told of when two looks have seen it so, and is taken as meant after a
week; one that was paused, or not there, before anybody looked is taken as meant from the first.
"""

from ledger.incidents import Found
from workers.watch.absent import times, unmet
from workers.watch.watched import Watched

TICKS = 2
_MEANT_S = 7 * 86_400.0


def found(w: Watched) -> Found | None:
    history = w.history
    if w.excused or history.turned is None:
        return None
    if history.schedule == "gone":
        return _gone(w, history.turned)
    if history.schedule == "none" or w.live:
        return None
    missed = unmet(w)
    if len(missed) < TICKS:
        return None
    if history.schedule == "paused":
        return _paused(w, history.turned, len(missed))
    last = f"; its last run was at {w.clock(history.last.created)}" if history.last else ""
    said = (
        f"The copy {w.pipe.name} does not run in {w.environment} though its schedule ({history.cron}) does: it should "
        f"have begun {times(len(missed))} since {w.clock(missed[0])}{last}."
    )
    return w.fault("missing", missed[0], said)


def _gone(w: Watched, turned: float) -> Found | None:
    if not turned < w.now <= turned + _MEANT_S:
        return None
    said = (
        f"The schedule of the copy {w.pipe.name} is gone in {w.environment}, since {w.clock(turned)} or a little "
        f"before: it ran at {w.history.cron} (UTC), and runs no more."
    )
    return w.fault("missing", turned, said, schedule="")


def _paused(w: Watched, turned: float, missed: int) -> Found:
    said = (
        f"The copy {w.pipe.name} is paused in {w.environment} since {w.clock(turned)} or a little before, and has "
        f"missed {times(missed, 'run')}"
    )
    if w.pause is None:
        return w.fault("missing", turned, f"{said}; no run of ours has paused it.")
    until = w.clock(w.pause.until.timestamp())
    if w.pause.by_hand:
        return w.fault("missing", turned, f"{said}; run {w.pause.run} paused it as it was asked to, a day ago or more.")
    return w.fault("missing", turned, f"{said}; run {w.pause.run} paused it and should have been done by {until}.")
