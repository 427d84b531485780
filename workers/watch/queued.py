"""A run waits for a copy slot past its pipe's next tick, or for as long as a run may take, whichever comes first."""

from ledger.incidents import Found
from workers.watch.history import Ran
from workers.watch.seen import SKEW_S
from workers.watch.ticks import next_tick
from workers.watch.watched import Watched


def found(w: Watched) -> Found | None:
    stuck = next((run for run in w.live if run.status == "waiting" and _until(w, run) <= w.now), None)
    if stuck is None or w.excused:
        return None
    said = (
        f"A run of the copy {w.pipe.name} has waited in {w.environment} since {w.clock(stuck.created)} for a copy "
        "slot, past the time of its next run."
    )
    return w.fault("queued", stuck.created, said, cause="quota", job=stuck.id)


def _until(w: Watched, run: Ran) -> float:
    """When it has waited too long."""
    longest = run.created + w.limits.timeout_s
    tick = next_tick(w.history.cron, run.created + SKEW_S) if w.history.cron else None
    return longest if tick is None else min(longest, tick + SKEW_S)
