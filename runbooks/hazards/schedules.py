"""When copies run: at the same minute, more at once than may, within a hold (facts/procedures.md §2.4)."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import takewhile

from cronsim import CronSim, CronSimError

from runbooks.facts.model import Pipe
from runbooks.hazards import Context, found, on_facts, on_plan
from runbooks.lineage import Lineage
from runbooks.plan import Hazard

_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_RUNS = 400  # looked at: a day and more of a copy that runs every few minutes


@on_plan
def schedule_in_the_hold(at: Context) -> Iterator[Hazard]:
    """Copies behind a paused one go on: what they append meanwhile is of before (facts/procedures.md §2.4)."""
    hold = at.assessment.hold.seconds if at.assessment else 0
    periods = {pipe: period_s(pipe.output.schedule) for pipe in (_appending_behind(at) if hold else ())}
    may = [pipe.name for pipe, period in periods.items() if period and period > hold]
    reads = f"it reads what was made of {at.planned.name} before"
    for pipe, period in periods.items():
        if period and period <= hold:
            yield found(
                "schedule-collision",
                "warning",
                pipe.name,
                f"{pipe.name} appends to {pipe.output.target} every {period} s, within the hold of about {hold} s: "
                f"{reads}.",
                "Pause it too, or let its next run make it good.",
            )
    if may:
        named = ", ".join(may[:3]) + (f" and {len(may) - 3} more" if len(may) > 3 else "")
        yield found(
            "schedule-collision",
            "note",
            at.planned.name,
            f"{named} may append within the hold of about {hold} s what was made of {at.planned.name} before.",
            "Nothing to do.",
        )


def _appending_behind(at: Context) -> Iterator[Pipe]:
    """Appending copies that read what is made of the target, and not the target itself: those are paused."""
    lineage, itself = at.planned.lineage, {copy.name for copy in at.planned.copies}
    behind = {
        r.name for table in lineage.downstream(at.planned.name) for r in lineage.readers(table) if r.kind == "copy"
    }
    for name in sorted(behind - itself):
        pipe = at.facts.pipes[name]
        if pipe.output.mode == "append" and pipe.schedule_status != "shutdown":
            yield pipe


@on_facts
def schedule_collision(at: Context) -> Iterator[Hazard]:
    copies = [p for p in at.facts.pipes.values() if p.kind == "copy" and runs_by_the_clock(p.output.schedule)]
    of_schedule = {schedule: _starts(schedule, at.facts.now) for schedule in {p.output.schedule or "" for p in copies}}
    starts = {p.name: of_schedule[p.output.schedule or ""] for p in copies}
    for pipe in copies:
        for source in sorted(tables_read(at.lineage, pipe)):
            for writer in at.lineage.writers(source):
                if (
                    writer.name != pipe.name
                    and starts[pipe.name]
                    and starts[pipe.name] <= starts.get(writer.name, frozenset[str]())
                ):
                    yield found(
                        "schedule-collision",
                        "warning",
                        pipe.name,
                        f"{pipe.name} starts at the same minute as {writer.name}, which writes {source} that it reads: "
                        "it copies what the run before left there.",
                        f"Start {pipe.name} some minutes later.",
                    )
    yield from _too_many_at_once(at, Counter(minute for minutes in starts.values() for minute in minutes))


def _starts(schedule: str, now: datetime) -> frozenset[str]:
    """The minutes of the day that begins now at which a copy starts."""
    moments = takewhile(lambda moment: moment < now + timedelta(days=1), CronSim(schedule, now))
    return frozenset(f"{moment:%H:%M}" for moment in moments)


def _too_many_at_once(at: Context, starts: Counter[str]) -> Iterator[Hazard]:
    minute, most = max(starts.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    if most > at.facts.limits.copy_quota:
        yield found(
            "schedule-collision",
            "error",
            minute,
            f"{most} copy pipes start at {minute} UTC, and only {at.facts.limits.copy_quota} may run at once.",
            "Spread their schedules.",
        )


def tables_read(lineage: Lineage, pipe: Pipe) -> set[str]:
    read = (parsed for name in lineage.inlined(pipe.name) for _, parsed in lineage.bounds(name))
    return {use.table for parsed in read for use in parsed.uses}


def runs_by_the_clock(schedule: str | None) -> bool:
    """Whether a copy runs by the clock, as far as its expression is understood."""
    if not schedule or schedule.startswith("@"):
        return False
    try:
        CronSim(schedule, _SOME_DAY)
    except CronSimError:
        return False
    return True


@cache
def period_s(schedule: str | None) -> int | None:
    """The longest time between two runs, in a fortnight or in three runs if those last longer: the same whenever it is
    asked, as it decides what a plan is."""
    if not runs_by_the_clock(schedule):
        return None
    longest, before = 0, None
    try:
        for number, moment in enumerate(CronSim(schedule or "", _SOME_DAY)):
            longest = max(longest, int((moment - before).total_seconds())) if before else 0
            before = moment
            if number >= _RUNS or (number >= 3 and moment > _SOME_DAY + timedelta(days=14)):
                break
    except CronSimError:
        return None
    return longest or None
