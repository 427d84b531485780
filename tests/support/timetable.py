"""Days of the estate's timetable, as its copies would write them into the log: drawn at random from a seed.

Quota, jitter of the starts, runs that differ in length and in rows, a day on which clocks are changed. What is planted
takes the place of what would have been. Times are seconds since 1970.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from runbooks.lineage import Lineage
from systems.tinybird_logs import LoggedJob, LoggedWrite
from tests.support.estate import seeded
from workers.watch.seen import CopyPipe
from workers.watch.ticks import next_tick

QUOTA = 12
NEARLY_S = 2700.0  # a run takes no longer by chance: 80 % of the timeout would be told of, and rightly
LOG_LAG_S = (1.0, 150.0)  # a line of the log is seen so long after what it says


@dataclass(frozen=True)
class Line:
    """What the log says from ``seen`` on."""

    seen: float
    job: LoggedJob
    write: LoggedWrite | None = None


@dataclass
class Plan:
    """What happens to the runs of one pipe between two times, instead of what would."""

    pipe: str
    begins: float
    ends: float
    status: str = "done"
    error: str = ""
    took: float | None = None
    rows: int | None = None
    none: bool = False  # no run is made
    waits: float = 0.0  # for a slot, beside what the quota makes it wait
    late: float = 0.0  # it is made so long after its tick

    def covers(self, name: str, tick: float) -> bool:
        return name == self.pipe and self.begins <= tick < self.ends


@cache
def copies() -> tuple[CopyPipe, ...]:
    found = [pipe for pipe in seeded().pipes.values() if pipe.kind == "copy"]
    return tuple(
        CopyPipe(
            id=f"t_{pipe.name}",
            name=pipe.name,
            cron=None if (pipe.output.schedule or "@").startswith("@") else pipe.output.schedule,
            running=True,
            mode=pipe.output.mode or "append",
            target=pipe.output.target or "",
        )
        for pipe in found
    )


@cache
def below() -> dict[str, frozenset[str]]:
    """A copy's id to those of the copies that read, near or far, what it writes."""
    lineage = Lineage.of(seeded())
    found: dict[str, frozenset[str]] = {}
    for pipe in copies():
        tables = {pipe.target, *lineage.downstream(pipe.target)} if pipe.target else set[str]()
        readers = {reader.name for table in tables for reader in lineage.readers(table) if reader.kind == "copy"}
        found[pipe.id] = frozenset(f"t_{name}" for name in readers - {pipe.name})
    return found


def follows(one: str, other: str) -> bool:
    return one in below().get(other, frozenset())


@dataclass
class Timetable:
    """Lines of the log from ``begins`` to ``ends`` in the order in which they can be seen."""

    seed: int
    begins: float
    ends: float
    plans: list[Plan] = field(default_factory=list[Plan])

    def lines(self) -> list[Line]:
        chance = random.Random(self.seed)
        usual = {p.name: (chance.uniform(20, 1800 if _seldom(p) else 240), chance.uniform(100, 2e6)) for p in copies()}
        made = sorted(self._made(chance))
        free: list[float] = []
        busy: dict[str, float] = {}
        lines: list[Line] = []
        for created, tick, name in made:
            pipe = _named()[name]
            plan = next((p for p in self.plans if p.covers(name, tick)), None)
            took = min(usual[name][0] * chance.lognormvariate(0, 0.15), NEARLY_S)
            rows = int(usual[name][1] * chance.uniform(0.97, 1.03))
            while free and free[0] <= created:
                heapq.heappop(free)
            began = max(created + chance.uniform(0.2, 3), busy.get(name, 0.0))
            if len(free) >= QUOTA:
                began = max(began, heapq.heappop(free))
            if plan:
                took, rows, began = plan.took or took, rows if plan.rows is None else plan.rows, began + plan.waits
            heapq.heappush(free, began + took)
            busy[name] = began + took
            lines += self._lines_of(chance, pipe, created, began, took, rows, plan)
        return sorted(lines, key=lambda line: line.seen)

    def _made(self, chance: random.Random) -> Iterator[tuple[float, float, str]]:
        """When each run is made, its tick, its pipe."""
        for pipe in copies():
            tick = next_tick(pipe.cron, self.begins) if pipe.cron else None
            while tick is not None and tick < self.ends:
                plan = next((p for p in self.plans if p.covers(pipe.name, tick)), None)
                if plan is None or not plan.none:
                    yield tick + chance.uniform(1, 5) + (plan.late if plan else 0.0), tick, pipe.name
                tick = next_tick(pipe.cron or "", tick)

    def _lines_of(
        self, chance: random.Random, pipe: CopyPipe, created: float, began: float, took: float, rows: int,
        plan: Plan | None,
    ) -> Iterator[Line]:  # fmt: skip
        number = f"{pipe.name}/{created:.3f}"

        def line(at: float, status: str, started: float | None, write: LoggedWrite | None = None) -> Line:
            error = plan.error if plan and status == "error" else ""
            job = LoggedJob(number, pipe.id, status, _at(created), _at(started) if started else None, _at(at), error)
            return Line(at + chance.uniform(*LOG_LAG_S), job, write)

        yield line(created, "waiting", None)
        yield line(began, "working", began)
        status, ended = (plan.status if plan else "done"), began + took
        yield line(ended, status, began)
        if status == "done":
            minute = _at(ended).replace(second=0, microsecond=0)
            write = LoggedWrite(minute, number, f"d_{pipe.target}", pipe.target, rows, 0)
            yield line(ended, status, began, write)


@cache
def _named() -> dict[str, CopyPipe]:
    return {pipe.name: pipe for pipe in copies()}


def _seldom(pipe: CopyPipe) -> bool:
    return bool(pipe.cron) and (pipe.cron or "").split()[1] != "*"


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
