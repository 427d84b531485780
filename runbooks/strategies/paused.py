"""Which copies stand still for a hold, and what brings them back (facts/procedures.md §2.4, §2.7)."""

from collections.abc import Iterator

from runbooks.facts.model import Facts, Pipe
from runbooks.gaps import gap_of, look_back_s
from runbooks.plan import Estimate
from runbooks.proof.gap import Gap
from runbooks.schedules import period_s
from runbooks.step import Step
from runbooks.steps.appending import PauseAppending
from runbooks.steps.copies import PauseCopy, ResumeCopy, RunCopy
from runbooks.steps.gap import steps_of
from runbooks.steps.standing import Standing
from runbooks.strategies.change import PlannedChange, ReachingCopy


def appending_behind(change: PlannedChange, facts: Facts) -> tuple[Pipe, ...]:
    """Copies that append what is made of the target, near or far, and do not read the target itself; those that stand
    still anyhow left out."""
    lineage, itself = change.lineage, {copy.name for copy in change.copies}
    behind = {r.name for table in lineage.downstream(change.name) for r in lineage.readers(table) if r.kind == "copy"}
    found = (facts.pipes[name] for name in sorted(behind - itself))
    return tuple(pipe for pipe in found if pipe.output.mode == "append" and pipe.schedule_status != "shutdown")


def ticks_within(pipe: Pipe, hold: Estimate) -> bool:
    """Whether it is certain that a run of it falls into the hold."""
    period = period_s(pipe.output.schedule)
    return period is not None and period <= hold.seconds


def stopped(change: PlannedChange, facts: Facts, hold: Estimate) -> tuple[ReachingCopy, ...]:
    """Every copy that stands still: those that read the target, and behind them those that would append meanwhile what
    was made of it before. Each after those whose targets it reads."""
    if not hold.seconds:
        return change.copies
    behind = [pipe.name for pipe in appending_behind(change, facts) if ticks_within(pipe, hold)]
    ordered = (facts.pipes[name] for name in change.lineage.order_of_copies(behind))
    return (*change.copies, *map(ReachingCopy.of, ordered))


def missed_by(copy: ReachingCopy, change: PlannedChange, facts: Facts) -> Gap | str | None:
    """How what an appending copy misses is copied afterwards, or why it cannot be; None for one that misses nothing,
    as it takes everything each time, or does not run by itself."""
    if copy.mode != "append" or copy.paused or not period_s(copy.schedule):
        return None
    return gap_of(facts.pipes[copy.name], facts, change.lineage) if look_back_s(change.lineage, copy.name) else None


def paused(change: PlannedChange, facts: Facts, hold: Estimate, table: Standing) -> Iterator[Step]:
    """Nothing reads the target or what was made of it any more."""
    for copy in stopped(change, facts, hold):
        gap = missed_by(copy, change, facts)
        if isinstance(gap, Gap):
            yield PauseAppending(pipe=copy.name, table=table, gap=gap)
        else:
            yield PauseCopy(pipe=copy.name, table=table)


def read_again(change: PlannedChange, facts: Facts, hold: Estimate) -> Iterator[Step]:
    """Copies of the target run once where they replace, what appending ones missed is copied, and all that were paused
    go by their schedules again; one that was paused before the run stays so."""
    still = stopped(change, facts, hold)
    for copy in change.copies:
        if copy.mode == "replace" and not copy.paused:
            yield RunCopy(pipe=copy.name, target=copy.target)
    for copy in still:
        gap = missed_by(copy, change, facts)
        if isinstance(gap, Gap):
            yield from steps_of(gap)
    for copy in still:
        if copy.schedule and not copy.paused:
            yield ResumeCopy(pipe=copy.name)
