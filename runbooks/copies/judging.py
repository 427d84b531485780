"""Whether one copy pipe may be run by hand (facts/procedures.md §2.6, §2.7): where that leaves the target as its own
schedule would. It makes all of it anew, or what comes twice replaces itself; all else is a clause that says why not."""

from dataclasses import dataclass, replace
from datetime import timedelta

from runbooks.copies.clocks import Asked, asked
from runbooks.copies.trace import Trace, trace_of
from runbooks.facts.copy_runs import RecentRuns
from runbooks.facts.model import Datasource, Facts, Pipe
from runbooks.lineage import Bound, Lineage
from runbooks.schedules import runs_by_the_clock
from runbooks.words import counted

REPLACING = "ReplacingMergeTree"
PLAIN = "MergeTree"


@dataclass(frozen=True)
class Judged:
    """``why`` is a clause. ``clear``: it may be run once the rows of its last run are gone, told apart by this."""

    run: bool
    why: str
    clear: Trace | None = None


def by_schedule(pipe: Pipe) -> bool:
    """Whether it has a schedule, be it stopped or not."""
    return runs_by_the_clock(pipe.output.schedule)


def scheduled(pipe: Pipe) -> bool:
    """Whether it runs by its schedule now."""
    return by_schedule(pipe) and pipe.schedule_status != "shutdown"


def judged(pipe: Pipe, facts: Facts, lineage: Lineage) -> Judged:
    """How it ran lately is asked of ``facts.recent_runs`` where it matters: for copies that look back."""
    target = facts.datasources.get(pipe.output.target or "")
    if target is None:
        return Judged(False, f"its target {pipe.output.target} is not there")
    if unclear := _not_understood(pipe, facts, lineage):
        return Judged(False, unclear)
    if pipe.output.mode == "append" and target.engine not in (REPLACING, PLAIN):
        return Judged(False, f"{target.name} is of {target.engine}, which counts the rows of a second run again")
    if own := _own_target(pipe, target, lineage):
        return Judged(False, own)
    if again := _goes_through_views(target, facts, lineage):
        return Judged(False, again)
    moments = asked([node for name in lineage.inlined(pipe.name) for node in facts.pipes[name].nodes])
    newest = _after_the_newest(pipe, lineage)
    moments = replace(moments, bounding=(*moments.bounding, *newest))
    if pipe.output.mode == "replace":
        return _replacing(pipe, target, moments, lineage)
    if target.engine == PLAIN:
        return _plain(pipe, target, moments, facts, lineage)
    return _absorbing(pipe, target, moments, facts, lineage)


def _not_understood(pipe: Pipe, facts: Facts, lineage: Lineage) -> str:
    for name in lineage.inlined(pipe.name):
        for why in lineage.not_understood_in(facts.pipes[name]):
            where = "its SQL" if name == pipe.name else f"{name}, which it reads,"
            return f"{where} is not understood ({why}), so nobody can say what a run would leave"
    return ""


def _own_target(pipe: Pipe, target: Datasource, lineage: Lineage) -> str:
    read = {table for name in lineage.inlined(pipe.name) for table in lineage.reads(name)}
    if target.name in read:
        return f"it reads its own target {target.name}: what is there goes into what a run makes"
    near = sorted(read & set(lineage.downstream(target.name)))
    return f"it reads {near[0]}, which is made of its own target {target.name}" if near else ""


def _goes_through_views(target: Datasource, facts: Facts, lineage: Lineage) -> str:
    """Rows that are written again go through materialized views again, to the end of the chain (§2.5)."""
    for link in lineage.materialized_chain(target.name):
        into = facts.datasources.get(link.target)
        if into is None or into.engine != REPLACING or not into.version:
            return f"the rows of a run go through the view {link.pipe} into {link.target}, where they would count twice"
    return ""


def _bounds(pipe: Pipe, lineage: Lineage) -> list[Bound]:
    parsed = (read for name in lineage.inlined(pipe.name) for _, read in lineage.bounds(name))
    return [bound for read in parsed for bound in read.bounds]


def _after_the_newest(pipe: Pipe, lineage: Lineage) -> tuple[str, ...]:
    return tuple(f"{bound.column} past the newest of {bound.table}" for bound in _bounds(pipe, lineage) if bound.table)


def _replacing(pipe: Pipe, target: Datasource, moments: Asked, lineage: Lineage) -> Judged:
    if moments.bounding:
        return Judged(
            False,
            f"it takes rows by the clock ({moments.bounding[0]}): a run now would leave other rows in {target.name} "
            "than its schedule would",
        )
    fed = [other.name for other in lineage.writers(target.name) if other.kind == "materialized"]
    if fed:
        return Judged(
            False,
            f"the view {fed[0]} writes {target.name} all the time: what comes while a run replaces it would be lost",
        )
    return Judged(True, f"each run makes all of {target.name} anew, so one more changes nothing but its age")


def _plain(pipe: Pipe, target: Datasource, moments: Asked, facts: Facts, lineage: Lineage) -> Judged:
    twice = f"it appends to {target.name}, a MergeTree, where the rows of a second run stay beside those of the first"
    if moments.bounding:
        return Judged(
            False, f"{twice}, and a run now takes others than its last one did, by the clock ({moments.bounding[0]})"
        )
    trace = trace_of(pipe, facts, lineage)
    if isinstance(trace, str):
        return Judged(False, f"{twice}, and {trace}")
    return Judged(False, twice, trace)


def _absorbing(pipe: Pipe, target: Datasource, moments: Asked, facts: Facts, lineage: Lineage) -> Judged:
    if not target.version:
        return Judged(False, f"it appends to {target.name}, a {REPLACING} without a version: which row stays is chance")
    key = " ".join((*target.sorting_key, target.partition_key))
    moving = sorted(moments.unsteady & _words(key))
    if moving:
        twice = f"the rows of two runs would stand side by side in {target.name}"
        return Judged(False, f"its {moving[0]}, which belongs to the key, is another in each run: {twice}")
    absorbed = f"rows that come twice replace themselves in {target.name}, by {', '.join(target.sorting_key)}"
    if not moments.bounding:
        return Judged(True, f"{absorbed}; until they are merged, those who read it without FINAL see both")
    return _looking_back(pipe, moments, absorbed, facts, lineage)


def _looking_back(pipe: Pipe, moments: Asked, absorbed: str, facts: Facts, lineage: Lineage) -> Judged:
    """A run that comes late leaves a gap, unless it still reaches back to where the last good one began."""
    seconds = [bound.look_back_s for bound in _bounds(pipe, lineage)]
    if len(seconds) < len(moments.bounding) or not all(seconds):
        why = f"how far it looks back is not certain ({moments.bounding[0]}): a late run may leave a gap"
        return Judged(False, why)
    look_back = timedelta(seconds=min(each or 0 for each in seconds))
    good = facts.recent_runs.get(pipe.name, RecentRuns()).good
    if good is None:
        return Judged(
            False, f"it looks back {_span(look_back)}, and no log says when its last good run was: there may be a gap"
        )
    began = good.started or good.created
    if facts.now - look_back > began:
        return Judged(
            False,
            f"it looks back {_span(look_back)}, and its last good run began at {began:%Y-%m-%d %H:%M} UTC: what came "
            "between would never be taken, and a run would hide that",
        )
    return Judged(
        True, f"{absorbed}; it looks back {_span(look_back)}, which reaches its last good run of {began:%H:%M} UTC"
    )


def _words(text: str) -> set[str]:
    return {word.strip("`") for word in text.replace("(", " ").replace(")", " ").replace(",", " ").split()}


def _span(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            return counted(seconds // size, unit)
    return counted(seconds, "second")
