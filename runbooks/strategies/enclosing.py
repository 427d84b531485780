"""What another strategy puts around one that replaces a table: readers that are elsewhere meanwhile."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from runbooks.facts.model import Facts
from runbooks.step import Step
from runbooks.strategies import Assessment
from runbooks.strategies.change import PlannedChange


class Enclosing(Protocol):
    """Steps at two moments of a replacement, each of which the strategy itself says when it comes."""

    def still(self) -> Iterator[Step]:
        """Inside the hold: nothing is written to the table any more, and it is about to go away under its name."""
        ...

    def proven(self) -> Iterator[Step]:
        """After the hold: the new table is proven and takes rows; copies are still paused."""
        ...


class Alone:
    """Nothing around it: readers stay where they are."""

    def still(self) -> Iterator[Step]:
        return iter(())

    def proven(self) -> Iterator[Step]:
        return iter(())


ALONE = Alone()


@runtime_checkable
class Enclosed(Protocol):
    """A strategy that replaces a table, with ``around`` around it."""

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment: ...

    def steps(self, change: PlannedChange, facts: Facts, around: Enclosing = ALONE) -> Iterator[Step]: ...
