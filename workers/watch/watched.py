"""One pipe as the kinds of fault judge it: what it is, what is remembered, what holds for it, and what time it is."""

from dataclasses import dataclass
from typing import Any

from config.watch import PipeLimits
from ledger.incidents import Detail, Found, Kind
from ledger.pauses import Pause
from workers.watch.history import History, Ran
from workers.watch.seen import CopyPipe
from workers.watch.words import clock, moment

_GRACE_S = 300.0  # the least: rows of a log come minutes late
_GRACE_UNKNOWN_S = 600.0
_GRACE_MOST_S = 1800.0
_TIMES = 3  # what is usual
_LOST_S = 86_400.0


@dataclass(frozen=True)
class Watched:
    """``now`` is the platform's, in seconds since 1970."""

    environment: str
    pipe: CopyPipe
    history: History
    limits: PipeLimits
    now: float
    pause: Pause | None = None

    @property
    def grace_s(self) -> float:
        """How long after its tick a run may be made: as set, else three times the 95th percentile of what was usual,
        between 5 and 30 minutes; 10 minutes until ten runs tell."""
        if self.limits.grace_s is not None:
            return self.limits.grace_s
        behind = self.history.usual.behind
        if behind is None:
            return _GRACE_UNKNOWN_S
        return min(max(_GRACE_S, _TIMES * behind), _GRACE_MOST_S)

    @property
    def live(self) -> tuple[Ran, ...]:
        """The runs that wait or work. One that was made a day ago and never ended is one whose end was not logged."""
        return tuple(run for run in self.history.live if self.now - run.created < _LOST_S)

    @property
    def excused(self) -> bool:
        """A run of ours has paused it, and its time is not up."""
        return self.pause is not None and self.pause.until.timestamp() > self.now

    @property
    def last_good(self) -> Ran | None:
        return self.history.good[-1] if self.history.good else None

    def clock(self, at: float) -> str:
        return clock(at, self.now)

    def fault(self, kind: Kind, since: float, said: str, **more: Any) -> Found:
        """The fault, with what every card shows. ``said`` is whole sentences."""
        good = self.last_good
        detail: dict[str, Any] = {
            "said": said,
            "schedule": self.history.cron,
            "mode": self.pipe.mode,
            "owner": self.limits.owner,
            "last_good": moment(good.ended) if good and good.ended else None,
            "rows_before": good.rows if good else None,
        }
        return Found(kind, self.pipe.id, self.pipe.name, moment(since), Detail(**(detail | more)))
