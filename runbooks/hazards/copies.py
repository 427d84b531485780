"""Copy pipes: what a rebuild, a backfill or a wrong mode makes of their targets (facts/procedures.md §2.6, §2.7)."""

from collections.abc import Iterator

from runbooks.facts.model import Pipe
from runbooks.gaps import look_back_s
from runbooks.hazards import Context, found, on_pipe, on_plan
from runbooks.hazards.schedules import tables_read
from runbooks.lineage import Bound, Lineage
from runbooks.lineage.lookback import steady
from runbooks.plan import Hazard
from runbooks.proof.gap import Gap
from runbooks.schedules import period_s
from runbooks.strategies import NOTHING_HELD, ReachingCopy
from runbooks.strategies.paused import missed_by, stopped

_ABSORBS = ("ReplacingMergeTree", "CollapsingMergeTree", "VersionedCollapsingMergeTree")


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
def copy_in_flight(at: Context) -> Iterator[Hazard]:
    """What runs now is told and binds nothing: it may have ended when the plan is approved."""
    hold = at.assessment.hold.seconds if at.assessment else 0
    for copy in at.planned.copies if hold else ():
        if status := at.facts.in_flight.get(copy.name):
            yield found(
                "copy-in-flight",
                "note",
                copy.name,
                f"A run of {copy.name} is {status}: the pause {'cancels' if status == 'waiting' else 'awaits'} it, "
                f"for {at.facts.limits.copy_timeout_s} s at most.",
                "Nothing to do.",
            )


@on_plan
def planned_replace_over_incremental(at: Context) -> Iterator[Hazard]:
    for copy in at.planned.copies:
        pipe = at.facts.pipes[copy.name]
        if not _merges(at.lineage, pipe):
            if why := _incremental(at, pipe):
                yield _over_incremental(copy.name, copy.target, why, "error" if at.rebuilds else "note")
        elif at.planned.holds_values or at.reinserts:
            yield found(
                "replace-over-incremental",
                "warning",
                copy.name,
                f"{copy.name} keeps the rows that {copy.target} has: what the backfill changes does not reach them.",
                f"Make {copy.target} anew afterwards, by a copy that does not read it.",
            )


@on_pipe
def replace_over_incremental(at: Context) -> Iterator[Hazard]:
    if at.pipe and _merges(at.lineage, at.pipe):
        target = at.pipe.output.target
        yield found(
            "replace-over-incremental",
            "warning",
            at.pipe.name,
            f"{at.pipe.name} makes {target} of {target} itself and of what is new: rows that it once lost stay lost.",
            f"Keep a copy at hand that makes {target} anew.",
        )
    elif at.pipe and (why := _incremental(at, at.pipe)):
        yield _over_incremental(at.pipe.name, at.pipe.output.target or "", why, "error")


@on_plan
def append_copy_misses_rows(at: Context) -> Iterator[Hazard]:
    change = at.planned
    for copy in change.copies if change.holds_values or at.reinserts else ():
        if copy.mode == "append" and _bounds(change.lineage, copy.name) and _takes(at, copy.name):
            yield found(
                "append-copy-misses-rows",
                "warning",
                copy.name,
                f"{copy.name} only takes rows that are newer than those in {copy.target}: rows filled by the backfill "
                "keep their old version and never get there with the new value.",
                f"Rebuild {copy.target} afterwards by a copy without that condition.",
            )


def _takes(at: Context, copy: str) -> bool:
    """Whether a column that is new, or not what it was, goes through the copy: by a ``*`` or by its name."""
    change, lineage = at.planned, at.planned.lineage
    changed = {c.name for c in set(change.target.after.columns) - set(change.target.before.columns)}
    named = {
        column
        for name in lineage.inlined(copy)
        for _, sql in lineage.bounds(name)
        for use in sql.uses
        for column in use.columns
    }
    return bool(changed & named) or lineage.emits(copy, change.name)


@on_plan
def append_lookback(at: Context) -> Iterator[Hazard]:
    """A copy that stands still until the table is proven misses what is older by then than it looks back."""
    hold = at.assessment.hold if at.assessment else NOTHING_HELD
    for copy in stopped(at.planned, at.facts, hold) if hold.seconds else ():
        missed = missed_by(copy, at.planned, at.facts)
        if missed is not None:
            yield _missing(at, copy, missed)


def _missing(at: Context, copy: ReachingCopy, missed: Gap | str) -> Hazard:
    look_back, period = look_back_s(at.planned.lineage, copy.name), period_s(copy.schedule) or 0
    held = max(at.assessment.hold.seconds, at.assessment.stale.seconds) if at.assessment else 0
    looks = f"{copy.name} looks back {look_back} s every {period} s"
    if isinstance(missed, Gap):
        return found(
            "append-lookback",
            "note",
            copy.name,
            f"{looks} and stands still for about {held} s: what it missed is copied into {copy.target} by a copy pipe "
            f"of the run, its own SQL with `{missed.comparison}` replaced by a moment before the hold, and proven by "
            "key before it goes on.",
            "Nothing to do.",
        )
    spare, between = look_back - period, (-(-held // period) + 1) * period
    looks += f", so {spare} s may be missed; it stands still for about {held} s"
    if held >= spare:
        said = f"{looks}, and what it misses cannot be copied afterwards: {missed}."
        fix = "Use alter, or copy the gap by hand after the run."
        return found("append-lookback", "error", copy.name, said, fix)
    if between > look_back:
        said = f"{looks}. If a run falls into that, {between} s lie between two, and what is missed then cannot be"
        fix = "Run it by hand when it is resumed."
        return found("append-lookback", "warning", copy.name, f"{said} copied afterwards: {missed}.", fix)
    return found("append-lookback", "note", copy.name, f"{looks}.", "Nothing to do.")


@on_pipe
def append_lookback_too_short(at: Context) -> Iterator[Hazard]:
    """Judged without a plan: rows are lost though nothing is held."""
    pipe = at.pipe
    if pipe is None or pipe.kind != "copy" or pipe.output.mode != "append":
        return
    look_back = look_back_s(at.lineage, pipe.name)
    period = period_s(pipe.output.schedule)
    if period and 0 < look_back < period:
        yield found(
            "append-lookback",
            "error",
            pipe.name,
            f"{pipe.name} looks back {look_back} s, and runs every {period} s only: what comes between is never taken.",
            "Look back further than from run to run.",
        )


@on_pipe
def append_unguarded(at: Context) -> Iterator[Hazard]:
    """One that appends the same rows at every run. Where its SQL stamps them with the clock, they are a series of
    snapshots and meant so; a target that keeps one row of each key takes them in."""
    pipe = at.pipe
    if pipe is None or pipe.kind != "copy" or pipe.output.mode != "append" or not period_s(pipe.output.schedule):
        return
    target = at.facts.datasources.get(pipe.output.target or "")
    texts = [node.sql for name in at.lineage.inlined(pipe.name) for node in at.facts.pipes[name].nodes]
    guarded = any(bound.table in (None, pipe.output.target) for bound in _bounds(at.lineage, pipe.name))
    if target is None or guarded or target.engine in _ABSORBS or not all(map(steady, texts)):
        return
    adds_up = target.engine in ("SummingMergeTree", "AggregatingMergeTree")
    yield found(
        "append-unguarded",
        "error" if adds_up else "warning",
        pipe.name,
        f"{pipe.name} appends all of its rows to {target.name} at every run, and {target.name} is a {target.engine}: "
        f"{'they are counted again each time' if adds_up else 'they stand there once for each run'}"
        f"{', until they are too old for it' if target.ttl else ''}.",
        "Take only rows that are newer than those in the target, or let it replace them.",
    )


def _incremental(at: Context, pipe: Pipe) -> str:
    """Why the SQL of a replacing copy yields a part of its target only; empty when it does not."""
    output = pipe.output
    if pipe.kind != "copy" or output.mode != "replace" or not output.target:
        return ""
    if output.target in tables_read(at.lineage, pipe):
        return f"reads its own target {output.target}"
    for bound in _bounds(at.lineage, pipe.name):
        if bound.column in at.facts.versions:
            return f"only takes rows whose {bound.column} is recent"
    return ""


def _merges(lineage: Lineage, pipe: Pipe) -> bool:
    """A replacing copy through which its whole target goes: what is there is kept."""
    output = pipe.output
    return (
        pipe.kind == "copy"
        and output.mode == "replace"
        and bool(output.target)
        and lineage.emits(pipe.name, output.target or "")
    )


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
