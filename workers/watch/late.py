"""One tick has brought no run within its grace. The limit is ``Watched.grace_s``."""

from ledger.incidents import Found
from workers.watch.absent import unmet
from workers.watch.watched import Watched
from workers.watch.words import span


def found(w: Watched) -> Found | None:
    if w.history.schedule != "running" or w.live or w.excused:
        return None
    missed = unmet(w)
    if len(missed) != 1:
        return None
    said = (
        f"The copy {w.pipe.name} should have begun in {w.environment} at {w.clock(missed[0])} and has not, "
        f"{span(w.grace_s)} later and more."
    )
    return w.fault("late", missed[0], said)
