"""Which copies stand still for a hold, and what brings them back (facts/procedures.md §2.4)."""

from collections.abc import Iterator

from runbooks.facts.model import Facts, Pipe
from runbooks.plan import Estimate
from runbooks.schedules import period_s
from runbooks.step import Step
from runbooks.steps.copies import PauseCopy, ResumeCopy, RunCopy
from runbooks.steps.standing import Standing
from runbooks.strategies.change import PlannedChange, ReachingCopy


def appending_behind(change: PlannedChange, facts: Facts) -> tuple[Pipe, ...]:
    """Copies that append what is made of the target, near or far, and do not read the target itself; those that stand
    still anyhow left out. In the order in which one reads what another makes."""
    lineage, itself = change.lineage, {copy.name for copy in change.copies}
    behind = {r.name for table in lineage.downstream(change.name) for r in lineage.readers(table) if r.kind == "copy"}
    found = (facts.pipes[name] for name in lineage.order_of_copies(behind - itself))
    return tuple(pipe for pipe in found if pipe.output.mode == "append" and pipe.schedule_status != "shutdown")


def ticks_within(pipe: Pipe, hold: Estimate) -> bool:
    """Whether it is certain that a run of it falls into the hold."""
    period = period_s(pipe.output.schedule)
    return period is not None and period <= hold.seconds


def stopped(change: PlannedChange, facts: Facts, hold: Estimate) -> tuple[ReachingCopy, ...]:
    """Every copy that stands still: those that read the target, and behind them those that would append meanwhile what
    was made of it before."""
    if not hold.seconds:
        return change.copies
    behind = (pipe for pipe in appending_behind(change, facts) if ticks_within(pipe, hold))
    return (*change.copies, *map(ReachingCopy.of, behind))


def paused(change: PlannedChange, facts: Facts, hold: Estimate, table: Standing) -> Iterator[Step]:
    """Nothing reads the target or what was made of it any more."""
    for copy in stopped(change, facts, hold):
        yield PauseCopy(pipe=copy.name, table=table)


def read_again(change: PlannedChange, facts: Facts, hold: Estimate) -> Iterator[Step]:
    """Copies of the target run once where they replace, and all that were paused go by their schedules again; one that
    was paused before the run stays so."""
    for copy in change.copies:
        if copy.mode == "replace" and not copy.paused:
            yield RunCopy(pipe=copy.name, target=copy.target)
    for copy in stopped(change, facts, hold):
        if copy.schedule and not copy.paused:
            yield ResumeCopy(pipe=copy.name)
