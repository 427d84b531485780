"""Strategies that no run carries out yet: each says truly why it is not the one for the change at hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runbooks.facts.model import Facts
from runbooks.step import Step
from runbooks.strategies import Assessment, register
from runbooks.strategies.change import PlannedChange


@dataclass(frozen=True)
class Unbuilt:
    """Never eligible, so its steps are never asked for."""

    name: str
    why: Callable[[PlannedChange], str]

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment:
        return Assessment(eligible=False, reason=self.why(change))

    def steps(self, change: PlannedChange, facts: Facts) -> Iterator[Step]:
        return iter(())


def _exchange(change: PlannedChange) -> str:
    return "it needs two tables of exactly the same schema, and the change makes them differ"


register(Unbuilt("exchange", _exchange))
