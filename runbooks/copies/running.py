"""A copy pipe run by hand, alone or with those behind it: what it does, and what forbids it."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from runbooks.copies.judging import scheduled
from runbooks.copies.laid import laid_out
from runbooks.copies.offers import Offers, offers
from runbooks.copies.trace import Trace
from runbooks.errors import Refused
from runbooks.facts.copy_runs import CopyRun, RecentRuns
from runbooks.facts.model import Facts, Pipe
from runbooks.hazards import found
from runbooks.lineage import Lineage
from runbooks.plan import Estimate, Hazard, Plan, Reason
from runbooks.questions import count_of
from runbooks.request import CopyDeed, Request
from runbooks.schedules import next_run
from runbooks.steps.copy_clear import ClearRun
from runbooks.steps.copy_once import RunOnce
from runbooks.words import counted

ROWS = "rows of the last run"  # the question's key
_UNKNOWN_S = 60  # of a copy that no log has a run of
_SOON = timedelta(minutes=5)
_NAMED = 4


def run(request: Request, job: CopyDeed, pipe: Pipe, facts: Facts, lineage: Lineage) -> Plan:
    offered = offers(facts, pipe.name, lineage)
    clear = tuple(_clearing(pipe, offered, facts)) if job.clear else ()
    if not job.clear and not offered.run:
        raise Refused(f"`{pipe.name}` is not run by hand. {offered.why} {offered.instead}".rstrip(), pipe.name)
    names = (pipe.name, *(offered.onward if job.onward else ()))
    runs = tuple(_once(facts.pipes[name]) for name in names)
    took = [_took(facts, name) for name in names]
    return laid_out(
        request,
        job,
        pipe,
        facts,
        lineage,
        steps=(*clear, *runs),
        reasons=tuple(_reasons(job, offered, clear, facts)),
        rejected=tuple(Reason(name=each.name, reason=each.why) for each in offered.left_out) if job.onward else (),
        hazards=tuple(_of_run(names, clear, sum(took), facts, lineage)),
        took=Estimate(seconds=sum(took), formula=_formula(names, took, facts)),
    )


def _once(pipe: Pipe) -> RunOnce:
    return RunOnce(pipe=pipe.name, target=pipe.output.target or "", mode=pipe.output.mode or "append")


def _clearing(pipe: Pipe, offered: Offers, facts: Facts) -> Iterator[ClearRun]:
    trace, last = cleared(pipe, offered, facts)
    if last is None:
        return
    rows = count_of(facts.answers, ROWS)
    if rows is None:
        raise Refused(f"How many rows of the last run `{trace.table}` holds could not be counted in time.", pipe.name)
    if last.status == "done" and rows != last.rows:
        wrote = "an unknown number of rows" if last.rows is None else counted(last.rows, "row")
        raise Refused(
            f"The last run of `{pipe.name}` wrote {wrote}, and {counted(rows, 'row')} in `{trace.table}` look like its "
            "own: they are not told apart with certainty, so none is deleted.",
            pipe.name,
        )
    if rows:
        yield ClearRun(pipe=pipe.name, table=trace.table, condition=trace.condition(last), rows=rows)


def cleared(pipe: Pipe, offered: Offers, facts: Facts) -> tuple[Trace, CopyRun | None]:
    """How the rows of the last run are known, and which run that is; None where it never ran. Raises ``Refused``."""
    trace, past = offered.clear, facts.recent_runs.get(pipe.name, RecentRuns())
    if trace is None:
        instead = f"Type `copy {pipe.name} run`." if offered.run else offered.instead
        why = "needs no clearing" if offered.run else "cannot be cleared and run"
        raise Refused(f"`{pipe.name}` {why}. {offered.why} {instead}".rstrip(), pipe.name)
    if pipe.name not in facts.recent_runs:
        raise Refused(f"No log says when `{pipe.name}` ran last, so its rows are not known.", pipe.name)
    if past.under_way is not None:
        raise Refused(
            f"A run of `{pipe.name}` is {past.under_way.status}: ask again when it has ended, as its rows are not all "
            "there yet.",
            pipe.name,
        )
    last = past.last
    others = [run for run in past.runs if last is not None and run is not last and trace.shares(last, run)]
    if last is not None and others:
        at = f"{others[0].created:%Y-%m-%d %H:%M} UTC"
        raise Refused(
            f"Rows of the last run of `{pipe.name}` are not told apart from those of its run of {at}, so none is "
            "deleted.",
            pipe.name,
        )
    return trace, last


def _reasons(job: CopyDeed, offered: Offers, clear: Sequence[ClearRun], facts: Facts) -> Iterator[str]:
    last = facts.recent_runs.get(offered.pipe, RecentRuns()).last
    if not job.clear:
        yield offered.why.rstrip(".")
    elif clear:
        step = clear[0]
        told = offered.clear.words(last) if offered.clear and last else ""
        yield f"{step.table} holds {counted(step.rows, 'row')} of its last run, {told}"
        yield "they are counted once more right before they are deleted, and the run makes them again"
    else:
        yield f"{offered.target} holds no row of its last run, so nothing is deleted"
    if job.onward and not offered.onward:
        yield f"no copy is to be run behind it: none depends on {offered.target}, or see what is not chosen"
    elif job.onward:
        copies = "copy depends" if len(offered.onward) == 1 else "copies depend"
        yield f"{len(offered.onward)} {copies} on {offered.target}; each is run when the one before has ended"


def _took(facts: Facts, name: str) -> int:
    seconds = facts.recent_runs.get(name, RecentRuns()).seconds
    return _UNKNOWN_S if seconds is None else max(1, seconds)


def _formula(names: Sequence[str], took: Sequence[int], facts: Facts) -> str:
    known = sum(facts.recent_runs.get(name, RecentRuns()).seconds is not None for name in names)
    if not known:
        return f"{_UNKNOWN_S} s for each: no log has a good run" if len(names) > 1 else "no log has a good run of it"
    if len(names) == 1:
        return "as its last good runs"
    rest = f", {_UNKNOWN_S} s for each of the others" if known < len(took) else ""
    return f"as the last good runs of {known} of {len(names)} copies{rest}"


def _of_run(
    names: Sequence[str], clear: Sequence[ClearRun], took: int, facts: Facts, lineage: Lineage
) -> Iterator[Hazard]:
    for step in clear:
        yield found(
            "rows-deleted",
            "warning",
            step.table,
            f"{counted(step.rows, 'row')} of {step.table} are deleted, and are missing until {step.pipe} has run.",
            "See that nobody needs them meanwhile.",
        )
    for name in names:
        copy = facts.pipes[name]
        if status := facts.in_flight.get(name):
            yield found(
                "copy-in-flight", "note", name, f"A run of {name} is {status}: no second one begins before it ends.",
                "Nothing to do.",
            )  # fmt: skip
        if copy.output.mode == "append":
            yield from _seen_twice(copy, lineage)
    yield from _ticks(names[0], took, facts)


def _seen_twice(copy: Pipe, lineage: Lineage) -> Iterator[Hazard]:
    target = copy.output.target or ""
    twice = sorted({use.pipe for use in lineage.uses(target) if use.use is None or not use.use.final})
    if twice:
        named = ", ".join(twice[:_NAMED]) + (f" and {len(twice) - _NAMED} more" if len(twice) > _NAMED else "")
        yield found(
            "reader-without-final",
            "note",
            copy.name,
            f"{named} {'reads' if len(twice) == 1 else 'read'} {target} without FINAL, and may see rows twice until "
            "they are merged.",
            "Nothing to do.",
        )


def _ticks(name: str, took: int, facts: Facts) -> Iterator[Hazard]:
    copy = facts.pipes[name]
    tick = next_run(copy.output.schedule, facts.now) if scheduled(copy) else None
    if tick is not None and tick <= facts.now + timedelta(seconds=took) + _SOON:
        yield found(
            "schedule-collision",
            "note",
            name,
            f"Its schedule runs {name} at {tick:%H:%M} UTC anyhow; whichever comes second waits for the other.",
            "Nothing to do.",
        )
