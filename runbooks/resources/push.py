"""The project's datafiles into a workspace, data sources first, then pipes behind what they read. What a forced push
would not apply without a word, or would drop, is found by comparison."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from runbooks import guards
from runbooks.errors import Refused
from runbooks.facts.model import Datasource, Facts, Pipe
from runbooks.layout import laid_out_in_blocks
from runbooks.plan import Choice, Estimate, Hazard, Plan
from runbooks.questions import Green, Question
from runbooks.request import Push, Request
from runbooks.resources import drift, tables
from runbooks.resources.differences import Difference, differences, project_of, questions, read_project, sorting_tags
from runbooks.resources.hazards import found_in
from runbooks.resources.pipes import kind_of, reads, unwritable, write_of
from runbooks.resources.pull import asked
from runbooks.step import Step
from runbooks.steps.pipe_write import AskPushed, CheckPushed
from runbooks.steps.tags import SetTags
from runbooks.words import counted

NAME = "push"
_STEP_S = 5


def questions_of(job: Push, facts: Facts) -> tuple[Question, ...]:
    """Git's files, the workspace's texts of those that may differ, and whether the checks are green. Raises
    ``Refused``."""
    project, names = facts.project, project_of(facts)
    more = (Green(names, project.head),) if project else ()
    return (*questions(facts, job.pattern), *more)


def plan_of(request: Request, job: Push, facts: Facts) -> Plan:
    """Raises ``Refused`` where there is nothing to push."""
    found = differences(facts, job.pattern)
    pushed = tuple(one for one in found if one.git and not one.trouble)
    if not pushed:
        raise Refused(_nothing(facts.environment, job.pattern, found))
    reasons = (f"{counted(len(pushed), 'datafile')} of {project_of(facts).repository} at {_head(facts)}",)
    return planned(request, facts, found, pushed, NAME, reasons, pattern=job.pattern)


def planned(
    request: Request,
    facts: Facts,
    found: tuple[Difference, ...],
    pushed: tuple[Difference, ...],
    name: str,
    reasons: tuple[str, ...],
    texts: dict[str, str] | None = None,
    more: tuple[Hazard, ...] = (),
    pattern: str | None = None,
) -> Plan:
    """The plan that brings ``pushed`` about; ``texts`` are what it is bound to, where that is more than those."""
    hazards = (*more, *found_in(facts, found, pushed))
    files = texts or {one.path: one.git_text for one in pushed}
    steps = list(_steps(pushed, facts))
    if not steps:
        raise Refused(_cannot(hazards, pushed))
    laid, _ = laid_out_in_blocks([(step, None) for step in steps])
    keys = sorted({key for step in laid for key in (*step.reads, *step.writes)})
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=_target(pushed),
        request=asked(files),
        strategy=Choice(name=name, reasons=reasons),
        hazards=hazards,
        steps=laid,
        took=Estimate(seconds=_STEP_S * len(laid), formula=f"{len(laid)} steps of about {_STEP_S} s"),
        datafiles=files,
        diffs={one.path: drift.diff(one.path, one.live_text, one.git_text) for one in pushed},
        drift=drift.table(facts, found, pattern),
        guards={key: guards.digest_of(facts, key) for key in keys},
        locks=tuple(f"{_locked(one)}/{one.name}" for one in pushed),
    )


def _steps(pushed: tuple[Difference, ...], facts: Facts) -> Iterator[Step]:
    made = [step for one in pushed if isinstance(one.git, Datasource) for step in tables.steps(one)]
    pipes = [step for one in in_order(pushed) if (step := write_of(one, facts))]
    tags = [step for one in pushed if (step := _tagged(one, facts))]
    if not made and not pipes and not tags:
        return
    yield from made
    yield from pipes
    yield from tags
    yield AskPushed(pipes=tuple(step.after for step in pipes))
    yield CheckPushed(names=tuple(one.name for one in pushed))


def _tagged(one: Difference, facts: Facts) -> SetTags | None:
    """None where its tags are right, or where it is not pushed."""
    if one.git is None or unwritable(one) or (isinstance(one.git, Datasource) and tables.held(one)):
        return None
    kind = "datasource" if isinstance(one.git, Datasource) else "pipe"
    there = (facts.datasources if kind == "datasource" else facts.pipes).get(one.name)
    wanted, worn = sorting_tags(one.git.tags), sorting_tags(there.tags if there else ())
    return None if sorted(wanted) == sorted(worn) else SetTags(name=one.name, kind=kind, tags=wanted)


def in_order(pushed: tuple[Difference, ...]) -> list[Difference]:
    """Pipes behind the pipes that they read; data sources come before all of them."""
    pipes = {one.name: one for one in pushed if isinstance(one.git, Pipe)}
    behind = {
        name: {other for other in pipes if other != name and reads(one.git, other)} for name, one in pipes.items()
    }
    try:
        return [pipes[name] for name in TopologicalSorter(behind).static_order()]
    except CycleError:  # Tinybird refuses what reads itself: it will say so
        return list(pipes.values())


def _locked(one: Difference) -> str:
    return "copy" if "copy" in (kind_of(one.git), kind_of(one.live)) else one.kind


def _target(pushed: tuple[Difference, ...]) -> str:
    return pushed[0].name if len(pushed) == 1 else f"{pushed[0].name} and {len(pushed) - 1} more"


def _head(facts: Facts) -> str:
    return read_project(facts).head[:7]


def _cannot(hazards: tuple[Hazard, ...], pushed: tuple[Difference, ...]) -> str:
    errors = [h for h in hazards if h.resource in {one.name for one in pushed} and h.level != "note"]
    if not errors:
        return "What differs is not for a push to apply: " + " ".join(h.message for h in hazards if h.level == "note")
    return " ".join(dict.fromkeys(f"{h.message} {h.fix}" for h in errors))


def _nothing(environment: str, pattern: str | None, found: tuple[Difference, ...]) -> str:
    of = "" if pattern is None else f" of `{pattern}`"
    if troubled := [one for one in found if one.trouble]:
        return f"Nothing can be pushed{of}: {troubled[0].trouble}."
    if only := [one.name for one in found if one.git is None]:
        named = ", ".join(f"`{name}`" for name in only[:5])
        return f"Git has nothing{of} that {environment} lacks; {environment} alone has {named}: nothing is deleted."
    return f"{environment} and git hold the same{of}. There is nothing to push."
