"""One change of several data sources in one run: planned one by one, carried out together, with one migration file.

Only what is added in place can go together: each data source that is held or replaced would hold ingestion of its own.
"""

from collections.abc import Iterator
from dataclasses import replace

from runbooks import steps
from runbooks.changes.postgres import migration
from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.layout import laid_out_in_blocks
from runbooks.plan import Choice, Estimate, Plan, Reason
from runbooks.questions import Count, Question, Rehearsal
from runbooks.request import AddFields, Migrate, Request
from runbooks.step import Step

TOGETHER = "alter"
_PHASES = ("tinybird.datasource.", "postgres.", "sequin.tables.refresh")  # what comes in this order, for all of them


def apart(job: Migrate) -> tuple[Migrate, ...]:
    """The same for each data source alone. Raises ``Refused``."""
    if not isinstance(job.change, AddFields):
        raise Refused(
            f"`{job.change.kind}` is carried out for one data source at a time: ask for one after the other.",
            job.change.kind,
        )
    twice = next((name for name in job.datasources if job.datasources.count(name) > 1), None)
    if twice:
        raise Refused(f"`{twice}` is there twice.", twice)
    return tuple(job.model_copy(update={"datasources": (name,)}) for name in job.datasources)


def asked_for(name: str, questions: tuple[Question, ...]) -> Iterator[Question]:
    """The same questions, each with an answer of its own for that data source; what is asked once for all, once."""
    for each in questions:
        yield replace(each, key=_own(name, each.key)) if isinstance(each, Count | Rehearsal) else each


def answered_for(name: str, facts: Facts) -> Facts:
    """The facts with what was answered for that data source, under the names by which it is looked for."""
    own = {key.removeprefix(_own(name, "")): answer for key, answer in facts.answers.items()}
    return replace(facts, answers=own)


def _own(name: str, key: str) -> str:
    return f"{name}: {key}"


def merged(request: Request, plans: tuple[Plan, ...]) -> Plan:
    """The plans as one. Raises ``Refused`` where one of them holds or replaces something."""
    other = next((plan for plan in plans if plan.strategy.name != TOGETHER), None)
    if other:
        raise Refused(
            f"`{other.target}` needs `{other.strategy.name}`, which is carried out for one data source at a time: ask "
            "for it alone.",
            other.target,
        )
    laid, holds = laid_out_in_blocks([(step, None) for step in _in_order(plans)])
    names = tuple(plan.target for plan in plans)
    first = plans[0]
    return Plan(
        command=request.text,
        environment=first.environment,
        target=", ".join(names),
        request={"kind": "migrate", "change": "add fields", "datasources": [plan.request for plan in plans]},
        strategy=Choice(
            name=TOGETHER,
            reasons=(f"each of the {len(plans)} takes the new columns where it stands", *first.strategy.reasons),
            rejected=(Reason(name="recreate", reason="it is carried out for one data source at a time"),),
        ),
        readers=tuple(dict.fromkeys(reader for plan in plans for reader in plan.readers)),
        hazards=tuple(dict.fromkeys(hazard for plan in plans for hazard in plan.hazards)),
        steps=laid,
        holds=holds,
        stale=max((plan.stale for plan in plans), key=lambda estimate: estimate.seconds),
        took=Estimate(
            seconds=sum(plan.took.seconds for plan in plans),
            formula="; ".join(f"{plan.target}: {plan.took.formula}" for plan in plans),
        ),
        sql=tuple(statement for plan in plans for statement in plan.sql),
        datafiles=_datafiles(plans),
        guards={key: digest for plan in plans for key, digest in plan.guards.items()},
        inferred=tuple(dict.fromkeys(f"{plan.target}: {said}" for plan in plans for said in plan.inferred)),
        ghosts="; ".join(f"{plan.target}: {plan.ghosts}" for plan in plans if plan.ghosts),
        locks=tuple(dict.fromkeys(lock for plan in plans for lock in plan.locks)),
    )


def _in_order(plans: tuple[Plan, ...]) -> Iterator[Step]:
    """All of Tinybird before any of Postgres, so that no row carries a value that a table cannot take; Sequin reads
    the catalog once; what brings values and proves them follows, a data source after the other."""
    left = [[steps.load(step.op, step.params) for step in plan.steps] for plan in plans]
    for phase in _PHASES:
        yield from dict.fromkeys(step for one in left for step in one if step.op.startswith(phase))
    yield from (step for one in left for step in one if not step.op.startswith(_PHASES))


def _datafiles(plans: tuple[Plan, ...]) -> dict[str, str]:
    """Every data source's file, and one of SQL for all of them."""
    found: dict[str, str] = {}
    for plan in plans:
        for name, text in plan.datafiles.items():
            if name.endswith(".sql"):
                continue
            if found.setdefault(name, text) != text:
                of = name.removesuffix(".datasource")
                raise Refused(f"Fields of more than one of them flow into `{of}`: ask for one after the other.", of)
    sql = tuple(statement for plan in plans for statement in plan.sql)
    if sql:
        fields = "_".join(dict.fromkeys(field["name"] for plan in plans for field in plan.request["fields"]))
        one = migration(f"add_{fields[:80]}_to_{len(plans)}_tables", sql)
        found[one.name] = one.text
    return found
