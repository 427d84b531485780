"""The same copying and proving as ``swap`` or ``rename``, but the two tables change places in one call, so that no read
is broken (facts/procedures.md §4). Experimental, and for tables of the same schema (facts/tinybird.md): only where a
probe has seen that the workspace does it, and only for other keys, as whatever else differs is another schema."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runbooks.facts.model import Facts
from runbooks.guards import digest_of_schema
from runbooks.plan import Estimate
from runbooks.probe import ACCEPTED, REFUSED
from runbooks.step import Step
from runbooks.steps.exchange import Exchange as ExchangeNames
from runbooks.steps.exchange import ExchangeWritten, KeepExchanged
from runbooks.strategies import Assessment, PlannedChange, register
from runbooks.strategies.enclosing import ALONE, Enclosing
from runbooks.strategies.parts import standing
from runbooks.strategies.rename import Rename
from runbooks.strategies.swap import Swap

_ASKED = (
    ("exchange", "can exchange two tables"),
    ("exchange-keys", "can exchange two tables of other sorting keys"),
)


class OneCall:
    """They change names at once: whoever reads finds the old one or the new one."""

    def hindrance(self, change: PlannedChange, facts: Facts) -> str | None:
        before, after = change.target.before, change.target.after
        if before.columns != after.columns:
            names = sorted({column.name for column in set(before.columns) ^ set(after.columns)})
            differing = ", ".join(names) or "their order"
            return (
                f"it needs two tables of the same columns, and {differing} would differ: alter would have to come first"
            )
        if replace(after, sorting_key=before.sorting_key, description=before.description) != before:
            return "it needs two tables of the same schema, and more than their sorting keys would differ"
        if digest_of_schema(before) == digest_of_schema(after):
            return "by their schemas nobody could tell the new table from the old one"
        for capability, what in _ASKED:
            known = facts.capabilities.get(capability)
            if known == REFUSED:
                return f"this workspace cannot {what.removeprefix('can ')} (found by /tb doctor probe)"
            if known != ACCEPTED:
                return f"nobody knows whether this workspace {what}: /tb doctor probe finds out"
        return None

    def reasons(self, change: PlannedChange) -> tuple[str, ...]:
        return ("the two tables change places in one call: whoever reads finds the old one or the new one",)

    def broken(self, change: PlannedChange) -> tuple[str, ...]:
        return ()

    def downtime(self, change: PlannedChange) -> Estimate:
        return Estimate(seconds=0, formula="both names change in one call")

    def steps(self, change: PlannedChange, facts: Facts, topic: str | None) -> Iterator[Step]:
        table, copies = standing(change, facts), tuple(copy.name for copy in change.copies)
        before = digest_of_schema(change.target.before)
        if topic is None:
            yield ExchangeNames(table=table, before=before, copies=copies)
        else:
            yield ExchangeWritten(table=table, before=before, copies=copies, topic=topic)
        yield KeepExchanged(table=change.name)


ONE_CALL = OneCall()


@dataclass(frozen=True)
class Exchange:
    name: str = "exchange"

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment:
        hindered = ONE_CALL.hindrance(change, facts)
        if hindered:
            return Assessment(eligible=False, reason=hindered)
        return _inner(change).assess(change, facts)

    def steps(self, change: PlannedChange, facts: Facts, around: Enclosing = ALONE) -> Iterator[Step]:
        return _inner(change).steps(change, facts, around)


def _inner(change: PlannedChange) -> Swap | Rename:
    """The strategy that does all else, by who writes the table."""
    return Swap(switching=ONE_CALL) if change.replicated else Rename(switching=ONE_CALL)


register(Exchange())
