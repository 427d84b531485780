"""What is wrong now: each kind of fault judged alone; of those that say the same in other words the foremost."""

from collections.abc import Callable, Sequence

from ledger.incidents import Found, Kind
from workers.watch import failed, few, late, long, missing, queued, stale
from workers.watch.watched import Watched

# A pipe that does not bring what it should has one trouble, not several: the first of these that is true
ONE_OF: tuple[Kind, ...] = ("failed", "missing", "queued", "late", "long")

_KINDS: tuple[Callable[[Watched], Found | None], ...] = (
    failed.found, missing.found, queued.found, late.found, long.found,
)  # fmt: skip


def of_pipe(w: Watched) -> Sequence[Found]:
    """The faults of one pipe that are true now. A target is not called stale beside what explains it."""
    if w.limits.silent:
        return ()
    foremost = next((fault for kind in _KINDS if (fault := kind(w)) is not None), None)
    others = (few.found(w), stale.found(w) if foremost is None else None)
    return tuple(fault for fault in (foremost, *others) if fault is not None)


def outranks(one: Kind, other: Kind) -> bool:
    """Whether a pipe's trouble of kind ``other`` has grown into ``one``."""
    return one in ONE_OF and other in ONE_OF and ONE_OF.index(one) < ONE_OF.index(other)
