"""Days of the estate's timetable, a look a minute: no false alarm, and every fault that was planted told once, soon.

116 copies, 677 runs a day, up to 11 starts in a minute; the nights on which Europe and America change their clocks are
among them, and mean nothing to a cron in UTC.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from ledger.incidents import Kind
from ledger.pauses import Pause
from tests.support.seeds import new_seed
from tests.support.timetable import Line, Plan, Timetable, copies, follows
from tests.support.watching import T0, Stage, at
from workers.watch.reconcile import Became, Closed, Opened, Reopened
from workers.watch.seen import CopyPipe

DAY, HOUR, LOOK = 86_400.0, 3600.0, 60.0
LEARNT = 14 * DAY
MEMORY = "Code: 241. DB::Exception: Memory limit exceeded (MEMORY_LIMIT_EXCEEDED)"
QUOTA = "You have reached the maximum number of copy jobs (12)"


@dataclass(frozen=True)
class Planted:
    """``told`` are the kinds that its one incident has, one after the other; ``by`` is when it must be told, None: when
    the log shows the end of the planned runs. ``silent`` ones must not be told of."""

    plan: Plan
    told: tuple[Kind, ...]
    by: float | None = None
    schedule: str = "runs"  # runs | paused | gone
    excused: bool = False


def planted(chance: random.Random, begins: float, days: int) -> Iterator[Planted]:
    """For each day one of each kind, on copies that run every hour, between 8 and 16 o'clock; and one by night."""
    hourly = [p for p in copies() if p.cron and p.cron.split()[1:] == ["*"] * 4 and p.cron.split()[0].isdigit()]
    nightly = [p for p in copies() if p.cron and p.cron.split()[1].isdigit() and p.cron.split()[2] == "*"]
    for day in range(days):
        pipes = iter(chance.sample([p for p in hourly if p.mode == "replace"], 13))
        start = begins + day * DAY + 8 * HOUR

        def plan(hours: float, **what: object) -> Plan:
            return Plan(next(pipes).name, start, start + hours * HOUR, **what)  # type: ignore[arg-type]  # noqa: B023

        yield Planted(plan(1, status="error", error=MEMORY), ("failed",))
        yield Planted(plan(2, status="error", error=QUOTA), ())
        yield Planted(plan(3, status="error", error=QUOTA), ("failed",))
        yield Planted(plan(1, status="cancelled"), ())
        yield Planted(plan(1, late=1500), ("late",), by=start + HOUR + 300)
        yield Planted(plan(3, none=True), ("late", "missing"), by=start + HOUR + 300)
        yield Planted(plan(1, waits=4200), ("queued",), by=start + 2 * HOUR + 120)
        yield Planted(plan(1, took=3000), ("long",))
        yield Planted(plan(1, rows=0), ("few",))
        yield Planted(plan(1, rows=30), ("few",))
        yield Planted(plan(3, none=True), (), schedule="paused", excused=True)
        yield Planted(plan(4, none=True), ("missing",), by=start + 2 * HOUR + 300, schedule="paused")
        yield Planted(plan(2, none=True), ("missing",), by=start + LOOK, schedule="gone")
        if day % 6 == 0:
            empty = Plan("activities_deduplicated_copy_pipe_append_mode", start, start + 32 * HOUR, rows=0)
            yield Planted(empty, ("stale",))
        night = chance.choice(nightly)
        failing = Plan(night.name, begins + day * DAY, begins + (day + 1) * DAY, status="error", error=MEMORY)
        if day < days - 1 and not any(p.pipe == night.name for p in _last_night):  # made good a night later
            yield Planted(failing, ("failed",))
        _last_night[:] = [failing]


_last_night: list[Plan] = []


class World:
    """The pipes' schedules as they are at each moment, and the lines that the log then shows."""

    def __init__(self, seed: int, begins: float, days: int) -> None:
        chance = random.Random(seed)
        self.begins, self.ends = begins, begins + days * DAY
        self.first_look = begins + chance.uniform(0, LOOK)  # a tick is not seen at its own moment
        _last_night.clear()
        self.planted = list(planted(chance, begins, days))
        table = Timetable(seed, begins - LEARNT, self.ends, [each.plan for each in self.planted])
        self.lines = table.lines()
        self.stage = Stage(follows=follows)
        self.stage.has(*copies())
        self._turned: set[str] = set()

    def schedules(self, now: float) -> None:
        turned = {p.plan.pipe: p for p in self.planted if p.schedule != "runs" and p.plan.begins <= now < p.plan.ends}
        if turned.keys() == self._turned:
            return
        self._turned = set(turned)
        self.stage.pauses = {
            name: Pause(name, 7, datetime.fromtimestamp(p.plan.ends + HOUR, UTC))
            for name, p in turned.items()
            if p.excused
        }
        self.stage.has(*(_turned(pipe, turned.get(pipe.name)) for pipe in copies()))


def _turned(pipe: CopyPipe, planted: Planted | None) -> CopyPipe:
    if planted is None:
        return pipe
    return replace(pipe, running=False) if planted.schedule == "paused" else replace(pipe, cron=None)


@pytest.mark.parametrize(
    ("first", "days"),
    [
        pytest.param(datetime(2026, 10, 24, tzinfo=UTC), 3, id="3 days"),
        pytest.param(datetime(2026, 10, 10, tzinfo=UTC), 30, id="30 days", marks=[pytest.mark.long]),
    ],
)
@pytest.mark.timeout(600)
def test_no_false_alarm_and_no_missed_fault(first: datetime, days: int) -> None:
    seed = new_seed()
    print(f"the seed of the timetable: {seed}")
    world = World(seed, first.timestamp(), days)
    told = _looked_at(world)

    wanted = Counter((p.plan.pipe, p.told) for p in world.planted if p.told)
    got = Counter((name, kinds) for name, kinds, _ in told.values())
    assert got - wanted == Counter(), f"false alarms with seed {seed}"
    assert wanted - got == Counter(), f"missed with seed {seed}"
    assert not world.stage.open
    for each in world.planted:
        if each.told:
            by = each.by if each.by is not None else _ended(world.lines, each.plan)
            at_ = min(when for name, kinds, when in told.values() if name == each.plan.pipe and kinds == each.told
                      and when >= each.plan.begins)  # fmt: skip
            assert at_ <= by + 2 * LOOK, f"{each} was told {at_ - by:.0f} s after it could be, with seed {seed}"


def _looked_at(world: World) -> dict[int, tuple[str, tuple[Kind, ...], float]]:
    """Look once a minute; each incident's name, its kinds one after the other, and when it was told."""
    told: dict[int, tuple[str, tuple[Kind, ...], float]] = {}
    lines, taken, now, looks = world.lines, 0, world.first_look, 0
    stage = world.stage
    while now < world.ends:
        world.schedules(now)
        new: list[Line] = []
        while taken < len(lines) and lines[taken].seen <= now:
            new.append(lines[taken])
            taken += 1
        again = lines[max(0, taken - len(new) - 60) : taken - len(new)] if looks % 10 == 0 else []
        seen = [*again, *new]
        changes = stage.look(
            now - T0.timestamp(), [line.job for line in seen], [line.write for line in seen if line.write]
        )
        for change in changes:
            match change:
                case Opened(found=found):
                    number = next(i.id for i in stage.open if (i.kind, i.subject) == (found.kind, found.subject))
                    told[number] = (found.name, (found.kind,), now)
                case Reopened(found=found):
                    pytest.fail(f"{found.kind} of {found.name} was opened again at {at(now - T0.timestamp())}")
                case Became(incident=incident, found=found):
                    name, kinds, when = told[incident.id]
                    told[incident.id] = (name, (*kinds, found.kind), when)
                case Closed(said=said):
                    assert "copy" in said
                case _:
                    pass
        now += LOOK
        looks += 1
    return told


def _ended(lines: list[Line], plan: Plan) -> float:
    """When the log shows the end of the last planned run and what it wrote."""
    made = datetime.fromtimestamp(plan.begins, UTC), datetime.fromtimestamp(plan.ends, UTC)
    of = f"t_{plan.pipe}"
    return max(line.seen for line in lines if line.job.pipe_id == of and made[0] <= line.job.created_at < made[1])
