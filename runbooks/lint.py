"""The lint: every rule that needs no change to look at, over all data sources and pipes."""

from collections.abc import Iterator

from runbooks import hazards
from runbooks.facts.model import Facts
from runbooks.hazards import Context, in_order
from runbooks.lineage import Lineage
from runbooks.plan import Hazard


def lint(facts: Facts) -> tuple[Hazard, ...]:
    """What is wrong already, the gravest first; empty when nothing is. Changes nothing."""
    return in_order(_all(facts))


def _all(facts: Facts) -> Iterator[Hazard]:
    lineage = Lineage.of(facts)
    for datasource in facts.datasources.values():
        yield from hazards.of_datasource(Context(facts, lineage, datasource=datasource))
    for pipe in facts.pipes.values():
        yield from hazards.of_pipe(Context(facts, lineage, pipe=pipe))
    yield from hazards.of_facts(Context(facts, lineage))
