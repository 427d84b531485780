"""From a request and facts to a plan: resolved, assessed by every strategy, laid out in blocks, bound by guards."""

import difflib
from collections.abc import Iterator
from itertools import chain

from runbooks import finish, gone, guards, hazards, propose, retire, several
from runbooks.budget import sink_budget
from runbooks.changes import resolve
from runbooks.copies import plans as copies
from runbooks.copies import reschedule
from runbooks.datafile import write_datasource
from runbooks.errors import Refused
from runbooks.facts import live
from runbooks.facts.model import Facts
from runbooks.hazards import Context, in_order, keys
from runbooks.layout import laid_out_in_blocks
from runbooks.lineage import Lineage
from runbooks.plan import Choice, Hazard, Plan, PlannedStep, Reason
from runbooks.questions import ROUNDS, InProject, Question, answered
from runbooks.request import (
    CopyDeed,
    Finish,
    Migrate,
    Promote,
    Propose,
    Pull,
    Push,
    Rename,
    Replicate,
    Request,
    Retire,
    Revert,
    Timetable,
    Unreplicate,
)
from runbooks.resources import promote, pull, push
from runbooks.site import Site
from runbooks.strategies import NAMES, Assessment, PlannedChange, Rewriting, Strategy, laid_out, strategies
from runbooks.strategies.paused import stopped
from runbooks.tables import rename, replicate, unreplicate

__all__ = ["live_facts", "make_plan", "questions_of", "sink_budget"]


def make_plan(request: Request, facts: Facts) -> Plan:
    """The plan for ``request`` in the environment that ``facts`` are of. Raises ``Refused``; changes nothing."""
    if request.environment is not None and request.environment != facts.environment:
        raise Refused(
            f"The facts are of `{facts.environment}`, and another environment was asked for.",
            request.environment,
            facts.environment,
        )
    match request.job:
        case Finish() as job:
            made = finish.what_is_left(request, job, facts)
            return make_plan(made, facts) if isinstance(made, Request) else made
        case Retire() as job:
            return retire.plan_of(request, job, facts)
        case Propose() as job:
            return propose.plan_of(request, job, facts)
        case Replicate() as job:
            return replicate.plan_of(request, job, facts)
        case Unreplicate() as job:
            return unreplicate.plan_of(request, job, facts)
        case Rename() as job:
            return rename.plan_of(request, job, facts)
        case Pull() as job:
            return pull.plan_of(request, job, facts)
        case Push() as job:
            return push.plan_of(request, job, facts)
        case Promote() as job:
            return promote.plan_of(request, job, facts)
        case Timetable() as job:
            return reschedule.plan_of(request, job, facts)
        case CopyDeed() as job:
            return copies.plan_of(request, job, facts)
        case Migrate() as job if len(job.datasources) > 1:
            return several.merged(request, tuple(_of_several(request, one, facts) for one in several.apart(job)))
        case Migrate() | Revert() as job:
            return _of_change(request, job, facts)


def _of_change(request: Request, job: Migrate | Revert, facts: Facts) -> Plan:
    """A table's change, by the strategy that costs least or the one that was asked for."""
    lineage = Lineage.of(facts)
    change, inferred = resolve(job, facts, lineage)
    assessed = {name: strategy.assess(change, facts) for name, strategy in strategies().items()}
    chosen = _choose(request.strategy, assessed)
    assessment = assessed[chosen]
    steps, holds = laid_out_in_blocks(laid_out(strategies()[chosen].steps(change, facts)))
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=change.name,
        request=change.request,
        strategy=_choice(chosen, assessed, asked=request.strategy is not None),
        readers=change.readers,
        hazards=_hazards(change, facts, chosen, assessment),
        steps=steps,
        holds=holds,
        downtime=assessment.downtime,
        hold=assessment.hold,
        stale=assessment.stale,
        took=assessment.took,
        sql=change.sql,
        datafiles=_datafiles(change),
        diffs=_diffs(strategies()[chosen], change, facts),
        guards=_guards(steps, change, facts),
        inferred=(*inferred, *_not_asked(change, facts), *_learnt(facts, assessment.within or chosen)),
        ghosts=gone.sentence(change, facts, assessment.within or chosen),
        locks=_locks(change, facts, assessment),
    )


def _of_several(request: Request, job: Migrate, facts: Facts) -> Plan:
    """One data source's part of a change of several."""
    alone = request.model_copy(update={"job": job})
    return make_plan(alone, several.answered_for(job.datasources[0], facts))


def live_facts(request: Request, site: Site, *, window_s: float = live.RATE_WINDOW_S) -> Facts:
    """What the live systems say that this request is planned from. For a copy that is run or stopped only Tinybird is
    asked: Sequin or Kafka Connect may be away. ``window_s`` as for ``live.read``. Raises ``SystemsError``; changes
    nothing."""
    of_a_copy = isinstance(request.job, CopyDeed)
    facts = live.read_workspace(site) if of_a_copy else live.read(site, window_s=window_s)
    return _with_answers(request, facts, site)


def _with_answers(request: Request, facts: Facts, site: Site) -> Facts:
    """The facts with the answers to all that this request asks, in rounds where answers lead to more."""
    asked = set[Question]()
    for _ in range(ROUNDS if isinstance(request.job, Pull | Push | Promote | Replicate | CopyDeed) else 1):
        more = tuple(each for each in questions_of(request, facts) if each not in asked)
        if not more:
            break
        asked |= {*more}
        facts = answered(
            facts, more, site.postgres, site.tinybird, site.kafka, site.github, site.formatter, site.others
        )
    return facts


def questions_of(request: Request, facts: Facts) -> tuple[Question, ...]:
    """What is to be asked for this request beyond the facts; nothing where it will be refused anyway."""
    try:
        match request.job:
            case Replicate() as job:
                return replicate.questions_of(job, facts)
            case Unreplicate() as job:
                return unreplicate.questions_of(job, facts)
            case Rename() as job:
                return rename.questions_of(job, facts)
            case Pull() as job:
                return pull.questions_of(job, facts)
            case Push() as job:
                return push.questions_of(job, facts)
            case Promote() as job:
                return promote.questions_of(job, facts)
            case Propose() as job:
                return propose.questions_of(job, facts)
            case Timetable():
                return reschedule.questions_of()
            case CopyDeed() as job:
                return copies.questions_of(job, facts)
            case Finish() as job:
                made = finish.what_is_left(request, job, facts)
                return questions_of(made, facts) if isinstance(made, Request) else ()
            case Retire():
                return ()
            case Migrate() as job if len(job.datasources) > 1:
                return _about_several(several.apart(job), facts)
            case Migrate() | Revert() as job:
                return _of_one(request, job, facts)
    except Refused:
        return ()


def _of_one(request: Request, job: Migrate | Revert, facts: Facts) -> tuple[Question, ...]:
    """Raises ``Refused``."""
    change = resolve(job, facts, Lineage.of(facts))[0]
    of_strategy = gone.questions(change) if request.strategy == "recreate" else ()
    return (*change.questions, *keys.questions(change), *of_strategy, *_in_project((change,), facts))


def _about_several(jobs: tuple[Migrate, ...], facts: Facts) -> tuple[Question, ...]:
    """Raises ``Refused``."""
    lineage = Lineage.of(facts)
    changes = {one.datasources[0]: resolve(one, facts, lineage)[0] for one in jobs}
    own = (several.asked_for(name, (*change.questions, *keys.questions(change))) for name, change in changes.items())
    return (*chain.from_iterable(own), *_in_project(tuple(changes.values()), facts))


def _in_project(changes: tuple[PlannedChange, ...], facts: Facts) -> tuple[Question, ...]:
    """Whether a migration of the project adds the columns that Postgres lacks (facts/procedures.md §2.14)."""
    lacking = [
        (change.table, f.column.name) for change in changes for f in change.fields if f.pg_type and not f.in_postgres
    ]
    words = tuple(dict.fromkeys(word for table, column in lacking if table for word in (table.name, column)))
    if facts.names.project is None or not words:
        return ()
    return (InProject("project", facts.names.project, words=words),)


def _choose(asked: str | None, assessed: dict[str, Assessment]) -> str:
    """No broken reads, then the least hold, then the least work; the one asked for, if it can."""
    if asked is not None:
        if asked not in NAMES:
            near = next(iter(difflib.get_close_matches(asked, NAMES, n=1)), None)
            hint = f"; did you mean `{near}`?" if near else f"; there are {', '.join(NAMES)}."
            raise Refused("There is no such strategy" + hint, asked, near)
        if not assessed[asked].eligible:
            raise Refused(f"`{asked}` cannot carry this out: {assessed[asked].reason}.", asked)
        return asked
    able = [name for name, assessment in assessed.items() if assessment.eligible]
    if not able:
        reasons = "; ".join(f"{name}: {assessment.reason}" for name, assessment in assessed.items())
        raise Refused(f"No strategy can carry this out. {reasons}.")
    return min(able, key=lambda name: (*_cost(assessed[name]), NAMES.index(name)))


def _cost(assessment: Assessment) -> tuple[bool, int, int]:
    return assessment.breaks_reads, assessment.hold.seconds, assessment.took.seconds


def _choice(chosen: str, assessed: dict[str, Assessment], *, asked: bool) -> Choice:
    best = assessed[chosen]
    reasons = best.reasons or (best.reason,)
    return Choice(
        name=chosen,
        reasons=("it was asked for", *reasons) if asked else reasons,
        rejected=tuple(
            Reason(name=name, reason=_rejection(assessment, best))
            for name, assessment in assessed.items()
            if name != chosen
        ),
    )


def _rejection(assessment: Assessment, best: Assessment) -> str:
    if not assessment.eligible:
        return assessment.reason
    if _cost(assessment) <= _cost(best):
        return "possible, and it would cost less, but another was asked for"
    against = [
        "it breaks reads" if assessment.breaks_reads and not best.breaks_reads else "",
        f"it holds ingestion for about {assessment.hold.seconds} s" if assessment.hold.seconds else "",
        *assessment.costs,
    ]
    return "possible, but " + ", ".join(part for part in against if part)


def _hazards(change: PlannedChange, facts: Facts, strategy: str, assessment: Assessment) -> tuple[Hazard, ...]:
    context = Context(
        facts=facts,
        lineage=change.lineage,
        datasource=change.target.before,
        change=change,
        strategy=strategy,
        assessment=assessment,
    )
    return in_order(hazards.of_plan(context))


def _datafiles(change: PlannedChange) -> dict[str, str]:
    files = {
        f"{altered.after.name}.datasource": write_datasource(altered.after)
        for altered in (change.target, *change.targets)
    }
    if change.migration:
        files[change.migration.name] = change.migration.text
    return files


def _diffs(strategy: Strategy, change: PlannedChange, facts: Facts) -> dict[str, str]:
    return dict(strategy.diffs(change, facts)) if isinstance(strategy, Rewriting) else {}


def _guards(steps: tuple[PlannedStep, ...], change: PlannedChange, facts: Facts) -> dict[str, str]:
    keys = {key for step in steps for key in (*step.reads, *step.writes)}
    keys |= {f"tinybird/datasource/{altered.before.name}/schema" for altered in (change.target, *change.targets)}
    keys |= {f"tinybird/pipe/{reader.name}/definition" for reader in change.readers}
    return {key: guards.digest_of(facts, key) for key in sorted(keys)}


def _not_asked(change: PlannedChange, facts: Facts) -> Iterator[str]:
    """What a plan from a folder takes on trust, so that nobody takes it for more."""
    if change.replicated and facts.tables is None:
        yield "Postgres was not asked: what could be wrong with its table is not known, and no proof can be planned"
    if change.sink and not facts.live:
        yield f"Sequin and Kafka Connect were not asked: {change.sink.name} is taken to be the sink, and to run"


_RENAME = {
    "keeps-references": "a rename leaves pipes as they are here (found by /tb doctor probe)",
    "rewrites-references": "a rename rewrites the pipes that read the table here (found by /tb doctor probe): "
    "they are written back",
    "refused": "tables cannot be renamed here (found by /tb doctor probe)",
}
_UNKNOWN = "what a rename does to pipes is not known here, so both are planned for; /tb doctor probe finds out"


def _learnt(facts: Facts, strategy: str) -> Iterator[str]:
    """What a probe has found out and the strategy relies on."""
    if facts.live and strategy in ("recreate", "swap", "rename", "exchange"):
        yield _RENAME.get(facts.capabilities.get("rename", ""), _UNKNOWN)
    if strategy == "exchange":
        yield "two tables of the same columns can change places in one call here (found by /tb doctor probe)"


def _locks(change: PlannedChange, facts: Facts, assessment: Assessment) -> tuple[str, ...]:
    held = [f"datasource/{change.name}"]
    held += [f"datasource/{altered.before.name}" for altered in change.targets]
    for copy in stopped(change, facts, assessment.hold):
        held += [f"copy/{copy.name}", f"datasource/{copy.target}"]
    return tuple(dict.fromkeys(held))
