"""When copies run: at the same minute, more at once than may, within a hold (facts/procedures.md §2.4)."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile

from runbooks.facts.model import Pipe
from runbooks.hazards import Context, found, on_facts, on_plan
from runbooks.lineage import Lineage
from runbooks.plan import Hazard
from runbooks.schedules import period_s, runs_by_the_clock, runs_of
from runbooks.strategies import NOTHING_HELD
from runbooks.strategies.paused import appending_behind, ticks_within


@on_plan
def schedule_in_the_hold(at: Context) -> Iterator[Hazard]:
    """Copies behind a paused one append meanwhile what is of before (facts/procedures.md §2.4): those that are sure to
    are paused too, and go on when what they read is made anew."""
    hold = at.assessment.hold if at.assessment else NOTHING_HELD
    behind = appending_behind(at.planned, at.facts) if hold.seconds else ()
    for pipe in behind:
        if ticks_within(pipe, hold):
            yield found(
                "schedule-collision",
                "note",
                pipe.name,
                f"{pipe.name} would append to {pipe.output.target} within the hold of about {hold.seconds} s what was "
                f"made of {at.planned.name} before: it is paused too, until the copies of {at.planned.name} have run.",
                "Nothing to do.",
            )
    may = sorted(p.name for p in behind if period_s(p.output.schedule) and not ticks_within(p, hold))
    if may:
        named = ", ".join(may[:3]) + (f" and {len(may) - 3} more" if len(may) > 3 else "")
        yield found(
            "schedule-collision",
            "note",
            at.planned.name,
            f"{named} may append within the hold of about {hold.seconds} s what was made of {at.planned.name} before.",
            "Nothing to do.",
        )


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
    moments = takewhile(lambda moment: moment < now + timedelta(days=1), runs_of(schedule, now))
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
