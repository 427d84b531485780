"""A copy pipe run by people, its schedule stopped or started: the plan, or the sentence that says why not."""

import difflib

from runbooks.copies import running, scheduling
from runbooks.copies.offers import offers
from runbooks.errors import Refused
from runbooks.facts.model import Facts, Pipe
from runbooks.lineage import Lineage
from runbooks.plan import Plan
from runbooks.questions import Count, Question, RecentRunsOf
from runbooks.request import CopyDeed, Request


def plan_of(request: Request, job: CopyDeed, facts: Facts) -> Plan:
    """Raises ``Refused``: what is not safe is not planned."""
    pipe, lineage = _pipe(job, facts), Lineage.of(facts)
    match job.deed:
        case "run":
            return running.run(request, job, pipe, facts, lineage)
        case "pause":
            return scheduling.pause(request, job, pipe, facts, lineage)
        case "resume":
            return scheduling.resume(request, job, pipe, facts, lineage)


def questions_of(job: CopyDeed, facts: Facts) -> tuple[Question, ...]:
    """How the copies ran lately; then, where rows are to be deleted, how many. Raises ``Refused`` as the plan does."""
    pipe, lineage = _pipe(job, facts), Lineage.of(facts)
    names = (pipe.name, *(lineage.copies_behind(pipe.name) if job.onward else ()))
    if pipe.name not in facts.recent_runs:
        return (RecentRunsOf(tuple((name, facts.pipes[name].id) for name in names)),)
    if job.deed != "run" or not job.clear:
        return ()
    trace, last = running.cleared(pipe, offers(facts, pipe.name, lineage), facts)
    if last is None:
        return ()
    sql = f"SELECT toString(count()) AS _n FROM {trace.table} WHERE {trace.condition(last)}"
    return (Count(key=running.ROWS, system="tinybird", sql=sql),)


def _pipe(job: CopyDeed, facts: Facts) -> Pipe:
    copies = {name: pipe for name, pipe in facts.pipes.items() if pipe.kind == "copy"}
    if job.pipe in copies:
        return copies[job.pipe]
    if job.pipe in facts.pipes:
        raise Refused(f"`{job.pipe}` is no copy pipe, so there is nothing to {job.deed}.", job.pipe)
    near = next(iter(difflib.get_close_matches(job.pipe, copies, n=1)), None)
    hint = f"; did you mean `{near}`?" if near else "; `copies` lists them."
    raise Refused(f"There is no copy pipe `{job.pipe}`{hint}", job.pipe, near)
