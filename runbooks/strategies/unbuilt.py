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


def _pipe_by_pipe(change: PlannedChange) -> str:
    readers = len(change.readers)
    moved = "no reader" if readers == 0 else "one reader" if readers == 1 else f"{readers} readers"
    if change.replicated:
        return f"it needs a mirror of the table and {moved} moved there and back, which is not carried out yet"
    return f"it needs {moved} changed one by one, which is not carried out yet"


register(Unbuilt("exchange", _exchange))
register(Unbuilt("pipe-by-pipe", _pipe_by_pipe))
