"""Copy pipes: what a rebuild, a backfill or a wrong mode makes of their targets (facts/procedures.md §2.6, §2.7)."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile

from cronsim import CronSim, CronSimError

from runbooks.facts.model import Pipe
from runbooks.hazards import Context, found, on_facts, on_pipe, on_plan
from runbooks.lineage import Bound, Lineage
from runbooks.plan import Hazard

_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@on_plan
def copy_replace_empties(at: Context) -> Iterator[Hazard]:
    for copy in at.planned.copies:
        if at.rebuilds and copy.mode == "replace":
            yield found(
                "copy-replace-empties",
                "note",
                copy.name,
                f"{copy.name} would empty {copy.target} while {at.planned.name} is away: it is paused until the "
                "table is proven.",
                "Nothing to do.",
            )


@on_plan
def planned_replace_over_incremental(at: Context) -> Iterator[Hazard]:
    for copy in at.planned.copies:
        if why := _incremental(at, at.facts.pipes[copy.name]):
            yield _over_incremental(copy.name, copy.target, why, "error" if at.rebuilds else "note")


@on_pipe
def replace_over_incremental(at: Context) -> Iterator[Hazard]:
    if at.pipe and (why := _incremental(at, at.pipe)):
        yield _over_incremental(at.pipe.name, at.pipe.output.target or "", why, "error")


@on_plan
def append_copy_misses_rows(at: Context) -> Iterator[Hazard]:
    change = at.planned
    for copy in change.copies:
        if copy.mode == "append" and change.holds_values and _bounds(change.lineage, copy.name):
            yield found(
                "append-copy-misses-rows",
                "warning",
                copy.name,
                f"{copy.name} only takes rows that are newer than those in {copy.target}: rows filled by the backfill "
                "keep their old version and never get there with the new value.",
                f"Rebuild {copy.target} afterwards by a copy without that condition.",
            )


@on_plan
def append_lookback(at: Context) -> Iterator[Hazard]:
    hold = at.assessment.hold.seconds if at.assessment else 0
    for copy in at.planned.copies if hold else ():
        look_back = max((b.look_back_s or 0 for b in _bounds(at.planned.lineage, copy.name)), default=0)
        period = _period_s(at, copy.schedule)
        if copy.mode != "append" or not look_back or period is None:
            continue
        spare = look_back - period
        yield found(
            "append-lookback",
            "error" if hold >= spare else "note",
            copy.name,
            f"{copy.name} looks back {look_back} s every {period} s, so {spare} s may be missed; ingestion is held "
            f"for about {hold} s.",
            "Use alter, or copy the gap by hand after the run." if hold >= spare else "Nothing to do.",
        )


@on_pipe
def append_lookback_too_short(at: Context) -> Iterator[Hazard]:
    """Judged without a plan: rows are lost though nothing is held."""
    pipe = at.pipe
    if pipe is None or pipe.kind != "copy" or pipe.output.mode != "append":
        return
    look_back = max((b.look_back_s or 0 for b in _bounds(at.lineage, pipe.name)), default=0)
    period = _period_s(at, pipe.output.schedule)
    if period and 0 < look_back < period:
        yield found(
            "append-lookback",
            "error",
            pipe.name,
            f"{pipe.name} looks back {look_back} s, and runs every {period} s only: what comes between is never taken.",
            "Look back further than from run to run.",
        )


@on_facts
def schedule_collision(at: Context) -> Iterator[Hazard]:
    copies = [p for p in at.facts.pipes.values() if p.kind == "copy" and _cron(p.output.schedule)]
    of_schedule = {schedule: _starts(schedule, at.facts.now) for schedule in {p.output.schedule or "" for p in copies}}
    starts = {p.name: of_schedule[p.output.schedule or ""] for p in copies}
    for pipe in copies:
        for source in sorted(_tables_read(at.lineage, pipe)):
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


def _incremental(at: Context, pipe: Pipe) -> str:
    """Why the SQL of a replacing copy yields a part of its target only; empty when it does not."""
    output = pipe.output
    if pipe.kind != "copy" or output.mode != "replace" or not output.target:
        return ""
    if output.target in _tables_read(at.lineage, pipe):
        return f"reads its own target {output.target}"
    for bound in _bounds(at.lineage, pipe.name):
        if bound.column in at.facts.versions:
            return f"only takes rows whose {bound.column} is recent"
    return ""


def _over_incremental(name: str, target: str, why: str, level: str) -> Hazard:
    return found(
        "replace-over-incremental",
        "error" if level == "error" else "note",
        name,
        f"{name} replaces {target}, but its SQL {why}: a run leaves the last part alone in it.",
        "Let it append, or take the condition out.",
    )


def _bounds(lineage: Lineage, pipe: str) -> list[Bound]:
    return [bound for name in lineage.inlined(pipe) for _, parsed in lineage.bounds(name) for bound in parsed.bounds]


def _tables_read(lineage: Lineage, pipe: Pipe) -> set[str]:
    read = (parsed for name in lineage.inlined(pipe.name) for _, parsed in lineage.bounds(name))
    return {use.table for parsed in read for use in parsed.uses}


def _cron(schedule: str | None) -> bool:
    """Whether a copy runs by the clock, as far as its expression is understood."""
    if not schedule or schedule.startswith("@"):
        return False
    try:
        CronSim(schedule, _SOME_DAY)
    except CronSimError:
        return False
    return True


def _period_s(at: Context, schedule: str | None) -> int | None:
    """The longest time between two runs in the next two days."""
    if not _cron(schedule):
        return None
    try:
        runs = CronSim(schedule or "", at.facts.now)
        moments = [next(runs) for _ in range(3)]
    except (CronSimError, StopIteration):
        return None
    return max(int((b - a).total_seconds()) for a, b in pairwise(moments))
