"""A workspace that tests of the watch make up run by run, and the channel that its looks keep.

Times are seconds since ``T0``, a Tuesday at midnight UTC.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from config.watch import PipeLimits, WatchSettings
from ledger.incidents import Found, Incident
from ledger.pauses import Pause
from systems.tinybird_logs import LoggedJob, LoggedWrite
from workers.watch.judging import judged, limits_of
from workers.watch.memory import Memory
from workers.watch.reconcile import (
    Alone,
    Bearings,
    Became,
    Change,
    Closed,
    Key,
    Opened,
    Reopened,
    Under,
    Updated,
    key_of,
    reconcile,
)  # fmt: skip
from workers.watch.recovery import recovered
from workers.watch.seen import CopyPipe, Look

T0 = datetime(2026, 11, 3, tzinfo=UTC)
ENVIRONMENT = "staging"
HOUR = 3600.0


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def pipe(
    name: str = "a_copy", cron: str | None = "0 * * * *", *, mode: str = "replace", running: bool = True
) -> CopyPipe:
    return CopyPipe(f"t_{name}", name, cron, running, mode, f"d_{name}")


def job(
    of: CopyPipe, created: float, status: str = "done", *, took: float = 60.0, waited: float = 1.0, error: str = ""
) -> LoggedJob:
    """A run made at ``created``; its number is its time, so that it is the same run whenever it is told of."""
    started = None if status == "waiting" else at(created + waited)
    changed = created if status == "waiting" else created + waited if status == "working" else created + waited + took
    return LoggedJob(f"{of.name}/{created:.0f}", of.id, status, at(created), started, at(changed), error)


def wrote(of: LoggedJob, rows: int) -> LoggedWrite:
    minute = of.updated_at.replace(second=0, microsecond=0)
    return LoggedWrite(minute, of.id, f"d_{of.pipe_id}", f"{of.pipe_id}_ds", rows, 0)


@dataclass
class Stage:
    """The pure core with what the ledger would keep. ``look`` is one look at ``now``; what it changed."""

    pipes: dict[str, CopyPipe] = field(default_factory=dict[str, CopyPipe])
    settings: WatchSettings = field(default_factory=WatchSettings)
    follows: Callable[[str, str], bool] = lambda one, other: False
    timeout_s: float = 3600.0
    pauses: dict[str, Pause] = field(default_factory=dict[str, Pause])
    memory: Memory = field(default_factory=Memory)
    incidents: dict[int, Incident] = field(default_factory=dict[int, Incident])
    silenced: set[str] = field(default_factory=set[str])
    faults: list[Found] = field(default_factory=list[Found])
    _limits: Mapping[str, PipeLimits] | None = None

    def has(self, *pipes: CopyPipe) -> None:
        self.pipes |= {each.id: each for each in pipes}
        self._limits = None

    def remove(self, gone: CopyPipe) -> None:
        del self.pipes[gone.id]

    def look(
        self,
        now: float,
        jobs: Iterable[LoggedJob] = (),
        writes: Iterable[LoggedWrite] = (),
        newest: Mapping[str, datetime | None] | None = None,
    ) -> list[Change]:
        look = Look(
            ENVIRONMENT,
            at(now),
            at(now - HOUR),
            dict(self.pipes),
            tuple(jobs),
            tuple(writes),
            self.pauses,
            newest or {},
        )
        self.memory = self.memory.folded(look)
        if self._limits is None:
            self._limits = limits_of(look, self.settings, self.timeout_s)
        self.faults = judged(look, self.memory, self.settings, self._limits)
        closed = [
            i
            for i in self.incidents.values()
            if i.closed_at and (look.now - i.closed_at).total_seconds() <= self.settings.flap_s
        ]
        bearings = Bearings(
            ENVIRONMENT,
            self.settings.storm,
            self.follows,
            lambda i: recovered(i, look, self.memory.pipes),
            frozenset(self.silenced),
        )
        changes = reconcile(self.faults, self.open, closed, bearings)
        made: dict[Key, int] = {}
        for change in changes:
            self._make(change, look.now, made)
        return changes

    @property
    def open(self) -> list[Incident]:
        return [i for i in self.incidents.values() if i.state == "open"]

    @property
    def told(self) -> list[tuple[str, str]]:
        """Kind and name of what is open, each on a card of its own."""
        return [(i.kind, i.name) for i in self.open if i.under is None]

    def _make(self, change: Change, now: datetime, made: dict[Key, int]) -> None:
        def number(under: Under) -> int | None:
            return made[under] if isinstance(under, tuple) else under

        match change:
            case Opened(found=found, under=under):
                assert not any(key_of(i) == key_of(found) for i in self.open), "opened twice"
                new = _incident(len(self.incidents) + 1, found, now, number(under))
                self.incidents[new.id] = new
                made[key_of(found)] = new.id
            case Reopened(incident=before, found=found, under=under):
                again = _incident(before.id, found, now, number(under))
                self.incidents[before.id] = replace(again, times=before.times + 1)
                made[key_of(found)] = before.id
            case Became(incident=before, found=found):
                detail = found.detail.model_dump(mode="json")
                self.incidents[before.id] = replace(self.incidents[before.id], kind=found.kind, detail=detail)
            case Updated(incident=before, name=name, detail=detail):
                after = replace(self.incidents[before.id], name=name, detail=detail.model_dump(mode="json"))
                self.incidents[before.id] = after
            case Closed(incident=before, ended=ended):
                shut = replace(self.incidents[before.id], state="closed", closed_at=now, ended=ended)
                self.incidents[before.id] = shut
            case Alone(incident=before):
                self.incidents[before.id] = replace(self.incidents[before.id], under=None)


def _incident(number: int, found: Found, now: datetime, under: int | None) -> Incident:
    return Incident(
        id=number, environment=ENVIRONMENT, kind=found.kind, subject=found.subject, name=found.name, state="open",
        since=found.since, ended=None, opened_at=now, closed_at=None, times=1, under=under,
        detail=found.detail.model_dump(mode="json"), assigned=None, acked_by=None, acked_at=None, snoozed_until=None,
    )  # fmt: skip
