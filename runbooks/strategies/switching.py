"""How the old table and the one beside it change places: what strategies that copy a table beside itself leave open."""

from collections.abc import Iterator
from typing import Protocol

from runbooks.facts.model import Facts
from runbooks.plan import Estimate
from runbooks.step import Step
from runbooks.steps.switch import Switch, SwitchWritten
from runbooks.strategies.change import PlannedChange
from runbooks.strategies.parts import standing

BETWEEN_S = 2  # the two renames


class Switching(Protocol):
    """One way of it. All are pure."""

    def hindrance(self, change: PlannedChange, facts: Facts) -> str | None:
        """Why they cannot change places so; None if they can."""
        ...

    def reasons(self, change: PlannedChange) -> tuple[str, ...]:
        """What speaks for it."""
        ...

    def broken(self, change: PlannedChange) -> tuple[str, ...]:
        """The endpoints that find no table for a moment."""
        ...

    def downtime(self, change: PlannedChange) -> Estimate: ...

    def steps(self, change: PlannedChange, facts: Facts, topic: str | None) -> Iterator[Step]:
        """Inside the hold, with the copy proven. ``topic`` is that of writers who were stopped, whose silence is
        looked at once more; None: there are none, and only the connector is paused."""
        ...


class Renames:
    """The old one is renamed, then the new one: for a moment nobody finds the table."""

    def hindrance(self, change: PlannedChange, facts: Facts) -> str | None:
        return "this workspace cannot rename a data source" if facts.capabilities.get("rename") == "refused" else None

    def reasons(self, change: PlannedChange) -> tuple[str, ...]:
        return ()

    def broken(self, change: PlannedChange) -> tuple[str, ...]:
        return tuple(reader.name for reader in change.endpoints)

    def downtime(self, change: PlannedChange) -> Estimate:
        if not change.endpoints:
            return Estimate(seconds=0, formula="no endpoint reads it: copies keep their last good rows")
        return Estimate(seconds=BETWEEN_S, formula=f"between two renames, about {BETWEEN_S} s")

    def steps(self, change: PlannedChange, facts: Facts, topic: str | None) -> Iterator[Step]:
        table, copies = standing(change, facts), tuple(copy.name for copy in change.copies)
        if topic is None:
            yield Switch(table=table, copies=copies)
        else:
            yield SwitchWritten(table=table, topic=topic, copies=copies)


RENAMES = Renames()
