"""The schedule of a copy pipe stopped, and started again."""

from collections.abc import Iterator
from datetime import timedelta

from runbooks.copies.judging import by_schedule, scheduled
from runbooks.copies.laid import laid_out
from runbooks.errors import Refused
from runbooks.facts.copy_runs import RecentRuns
from runbooks.facts.model import Facts, Pipe
from runbooks.gaps import look_back_s
from runbooks.hazards import found
from runbooks.lineage import Lineage
from runbooks.plan import Hazard, Plan
from runbooks.request import CopyDeed, Request
from runbooks.schedules import next_run
from runbooks.steps.copy_stop import StartSchedule, StopSchedule


def pause(request: Request, job: CopyDeed, pipe: Pipe, facts: Facts, lineage: Lineage) -> Plan:
    if not by_schedule(pipe):
        raise Refused(f"`{pipe.name}` runs on demand only: it has no schedule to pause.", pipe.name)
    if not scheduled(pipe):
        by = f": {job.stopped}" if job.stopped else ""
        raise Refused(f"The schedule of `{pipe.name}` is stopped already, so there is nothing to pause{by}.", pipe.name)
    target = pipe.output.target or ""
    return laid_out(
        request,
        job,
        pipe,
        facts,
        lineage,
        steps=(StopSchedule(pipe=pipe.name),),
        reasons=(
            f"{target} keeps the rows that it has, and gets older until `copy {pipe.name} resume`",
            "a run that is under way goes on to its end",
        ),
        hazards=tuple(_of_pause(pipe, lineage)),
    )


def _of_pause(pipe: Pipe, lineage: Lineage) -> Iterator[Hazard]:
    seconds = look_back_s(lineage, pipe.name)
    if pipe.output.mode == "append" and seconds:
        yield found(
            "append-lookback",
            "note",
            pipe.name,
            f"{pipe.name} looks back {seconds} s: paused for longer than that, it misses rows for good.",
            "Nothing to do.",
        )


def resume(request: Request, job: CopyDeed, pipe: Pipe, facts: Facts, lineage: Lineage) -> Plan:
    if not by_schedule(pipe):
        raise Refused(f"`{pipe.name}` runs on demand only: it has no schedule to resume.", pipe.name)
    if facts.live and scheduled(pipe):
        raise Refused(f"`{pipe.name}` runs by its schedule already: there is nothing to resume.", pipe.name)
    tick = next_run(pipe.output.schedule, facts.now)
    when = f", next at {tick:%Y-%m-%d %H:%M} UTC" if tick else ""
    return laid_out(
        request,
        job,
        pipe,
        facts,
        lineage,
        steps=(StartSchedule(pipe=pipe.name),),
        reasons=(f"it runs by {pipe.output.schedule} UTC again{when}", *([str(job.stopped)] if job.stopped else [])),
        hazards=tuple(_of_resume(pipe, facts, lineage)),
    )


def _of_resume(pipe: Pipe, facts: Facts, lineage: Lineage) -> Iterator[Hazard]:
    """What came while it was paused, and is older than it looks back, is never taken (facts/procedures.md §2.7)."""
    seconds = look_back_s(lineage, pipe.name)
    good = facts.recent_runs.get(pipe.name, RecentRuns()).good
    if pipe.output.mode != "append" or not seconds:
        return
    if good is None or facts.now - timedelta(seconds=seconds) > (good.started or good.created):
        since = f"{good.started or good.created:%Y-%m-%d %H:%M} UTC" if good else "no known time"
        yield found(
            "append-lookback",
            "warning",
            pipe.name,
            f"{pipe.name} looks back {seconds} s, and ran well for the last time at {since}: it never takes what came "
            "between.",
            "Copy what is missing by hand, or make the target anew.",
        )
