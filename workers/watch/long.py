"""A run takes, or the last one that was done took, much of what the platform allows, or far more than is usual.

The limit is ``long_s`` where it is set; else ``long_share`` (80 %) of the timeout, or three times the 95th percentile
of the pipe's last runs if that is less, but never less than ten minutes more than it. Ten runs must tell what is usual.
"""

from ledger.incidents import Found
from workers.watch.watched import Watched
from workers.watch.words import span

_TIMES = 3
_MORE_S = 600.0


def found(w: Watched) -> Found | None:
    limit = _limit(w)
    working = next((run for run in w.live if run.status != "waiting"), None)  # in whatever state that is no end
    if working is not None:
        begun = working.started or working.created
        if w.now - begun < limit:
            return None
        said = f"The copy {w.pipe.name} has worked in {w.environment} since {w.clock(begun)}, {_because(w, limit)}."
        return w.fault("long", begun + limit, said, job=working.id)
    last = w.history.finished[-1] if w.history.finished else None
    if last is None or last.status != "done" or last.took is None or last.ended is None or last.took < limit:
        return None
    said = (
        f"The copy {w.pipe.name} took {span(last.took)} in {w.environment}, until {w.clock(last.ended)}, "
        f"{_because(w, limit)}."
    )
    return w.fault("long", last.ended - last.took + limit, said, job=last.id)


def _limit(w: Watched) -> float:
    """Seconds."""
    if w.limits.long_s is not None:
        return w.limits.long_s
    near, usual = w.limits.timeout_s * w.limits.long_share, w.history.usual.took
    return near if usual is None else min(near, max(_TIMES * usual, usual + _MORE_S))


def _because(w: Watched, limit: float) -> str:
    usual = w.history.usual.took
    if w.limits.long_s is not None:
        return f"longer than the {span(limit)} that tbops.toml allows it"
    if usual is not None and limit < w.limits.timeout_s * w.limits.long_share:
        return f"far longer than usual: nearly all its runs took at most {span(usual)}"
    return f"near the {span(w.limits.timeout_s)} after which Tinybird ends it"
