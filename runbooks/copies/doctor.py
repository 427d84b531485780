"""What is wrong with copies as they are scheduled: by their SQL, and by how long they take.

The rules of the lint know no durations; here they are measured. Each finding is a hazard with its fix.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from runbooks import hazards
from runbooks.copies.day import Load, clock, first
from runbooks.copies.feeds import Feeds, Timed, feeds, lasting_s, timed
from runbooks.copies.timetable import Clash, Timetable, clashes, propose
from runbooks.facts.model import Facts, Pipe
from runbooks.hazards import Context, found, in_order
from runbooks.lineage import Lineage
from runbooks.plan import Hazard
from runbooks.schedules import period_s

NEAR = 0.8  # of the longest that a copy may run
_OF_COPIES = frozenset({"append-lookback", "append-unguarded", "replace-over-incremental"})


def findings(facts: Facts) -> tuple[Hazard, ...]:
    """Of every copy pipe, the gravest first; empty where all is well. Changes nothing."""
    lineage = Lineage.of(facts)
    copies = timed(facts)
    return in_order(_all(facts, lineage, copies, feeds(copies, facts, lineage)))


def better(facts: Facts) -> Timetable:
    """The timetable that would be proposed for all of them."""
    copies = timed(facts)
    reading = feeds(copies, facts, Lineage.of(facts))
    return propose(copies, reading, facts.limits.copy_quota, frozenset(copies))


def of_schedules(copies: Mapping[str, Timed], reading: Feeds, quota: int) -> Iterator[Hazard]:
    """What the times of day alone are at fault for."""
    for name, early in groupby(clashes(copies, reading), key=lambda clash: clash.pipe):
        yield _too_early(copies[name], list(early), copies)
    yield from _too_many(copies, quota)


def _all(facts: Facts, lineage: Lineage, copies: Mapping[str, Timed], reading: Feeds) -> Iterator[Hazard]:
    yield from of_schedules(copies, reading, facts.limits.copy_quota)
    for pipe in (pipe for pipe in facts.pipes.values() if pipe.kind == "copy"):
        by_sql = hazards.of_pipe(Context(facts, lineage, pipe=pipe))
        yield from (hazard for hazard in by_sql if hazard.slug in _OF_COPIES)
        yield from _near_the_timeout(pipe, facts)


def _too_early(copy: Timed, early: Sequence[Clash], copies: Mapping[str, Timed]) -> Hazard:
    """A note where it runs so often that its next run is in time."""
    worst = max(early, key=lambda clash: (copies[clash.reads].lasting, clash.reads))
    up = copies[worst.reads]
    at = clock(first(copy.starts & up.running) or 0)
    when = f"while {up.pipe} still runs" if up.measured else f"in the same minute as {up.pipe}"
    takes = f" and takes up to {up.lasting} min" if up.measured else ""
    more = f"; so it is with {len(early) - 1} more that it reads" if len(early) > 1 else ""
    often = all((period_s(copy.schedule) or 0) < (period_s(copies[clash.reads].schedule) or 0) for clash in early)
    return found(
        "schedule-collision",
        "note" if often else "warning",
        copy.pipe,
        f"{copy.pipe} starts at {at} UTC {when}, which writes {worst.table} that it reads{takes}{more}: it copies what "
        "the run before left there.",
        "Nothing to do: its next run is in time." if often else f"Start {copy.pipe} when {up.pipe} has ended.",
    )


def _too_many(copies: Mapping[str, Timed], quota: int) -> Iterator[Hazard]:
    load = Load(copy.running for copy in copies.values())
    if load.most >= quota:
        minute = clock(first(load.over(load.most - 1)) or 0)
        over = load.most > quota
        yield found(
            "schedule-collision",
            "error" if over else "note",
            minute,
            f"{load.most} copies run at once at {minute} UTC by their schedules and how long they take; {quota} may"
            f"{', so the others wait' if over else ', so none is left for a run by hand'}.",
            "Spread their schedules.",
        )
    for copy in copies.values():
        period = period_s(copy.schedule)
        if period and copy.lasting * 60 > max(period, 60):
            yield found(
                "schedule-collision",
                "warning",
                copy.pipe,
                f"{copy.pipe} takes up to {copy.lasting} min and is started every {period // 60} min: a run waits for "
                "the one before.",
                "Start it less often.",
            )


def _near_the_timeout(pipe: Pipe, facts: Facts) -> Iterator[Hazard]:
    took, may = lasting_s(pipe.name, facts), facts.limits.copy_timeout_s
    if took is not None and took >= NEAR * may:
        yield found(
            "copy-near-timeout",
            "warning",
            pipe.name,
            f"{pipe.name} takes up to {took} s, {round(100 * took / may)} % of the {may} s after which a copy is "
            "stopped.",
            "Copy a part of the rows at a time, or read fewer.",
        )
