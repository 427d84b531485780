"""A replicated table copied beside itself and switched by name (facts/procedures.md §4): for changes whose new table
can be derived from the old one. Nothing is filled from Postgres again and no reader finds an empty table."""

from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.facts.model import Column, Facts
from runbooks.plan import Estimate
from runbooks.step import Step
from runbooks.steps.beside import CreateBeside, CreateCopyPipe, RemoveRunsCopyPipe
from runbooks.steps.catch_up import CatchUp
from runbooks.steps.chunks import CopyChunks, ProveCopy
from runbooks.steps.connectors import PauseConnector, ResumeConnector
from runbooks.steps.create import CheckReferences, RestoreScopes
from runbooks.steps.delivery import COUNTS_APART_S, AwaitDelivery
from runbooks.steps.still import AwaitSettled
from runbooks.strategies import Assessment, Hold, PlannedChange, register
from runbooks.strategies.beside import LEAST_BUDGET_S, SWITCH_S, copying, hindrance, times
from runbooks.strategies.enclosing import ALONE, Enclosing
from runbooks.strategies.parts import alteration, contracted, proof, proven, standing, tagged_again
from runbooks.strategies.paused import paused, read_again
from runbooks.strategies.switching import RENAMES, Switching
from runbooks.types import clickhouse

_LESS = {("DateTime64", "DateTime"), ("DateTime64", "Date32"), ("DateTime", "Date"), ("Float64", "Float32")}


@dataclass(frozen=True)
class Swap:
    name: str = "swap"
    switching: Switching = RENAMES

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment:
        hindered = _hindrance(change, facts) or self.switching.hindrance(change, facts)
        if hindered:
            return Assessment(eligible=False, reason=hindered)
        spent, hold = times(change.target.before), _hold(change)
        broken = self.switching.broken(change)
        return Assessment(
            eligible=True,
            reason=f"the new {change.name} is derived from the old one, without a backfill",
            reasons=(
                *self.switching.reasons(change),
                "the new table is full and proven before it takes the old one's name: no backfill, and nobody reads an "
                "empty table",
                f"the connector waits {hold.seconds} s, and the Sequin sink not at all",
            ),
            costs=(
                f"a copy of {spent.copy.formula}",
                f"every topic waits in Kafka for {hold.seconds} s",
                *(f"{name} finds no table between the two renames" for name in broken),
            ),
            downtime=self.switching.downtime(change),
            hold=hold,
            stale=Estimate(seconds=hold.seconds, formula=f"the hold: {hold.formula}"),
            took=Estimate(
                seconds=spent.copy.seconds + hold.seconds + 120,
                formula=f"a copy of {spent.copy.formula} + the hold + two minutes for proof and copies",
            ),
            breaks_reads=bool(broken),
        )

    def steps(self, change: PlannedChange, facts: Facts, around: Enclosing = ALONE) -> Iterator[Step]:
        sink, connector, table, of = change.sink, facts.connector, standing(change, facts), copying(change)
        found = proof(change, tuple(column.name for column in change.target.after.columns))
        hold = _hold(change)
        if sink is None or connector is None:
            return  # not eligible
        for target in change.targets:
            yield alteration(target)
        yield CreateBeside.of(table, change.target.after)
        yield CreateCopyPipe(of=of)
        yield CopyChunks(of=of, rows=facts.limits.copy_chunk_rows)
        with Hold(_budget()):
            yield from paused(change, facts, hold, table)  # none may be under way when tables change places
            yield PauseConnector(connector=connector.name, table=table)
            yield AwaitSettled(table=change.name)
            yield CatchUp(of=of)
            yield ProveCopy(of=of, rows=facts.limits.copy_chunk_rows)
            yield RemoveRunsCopyPipe(source=change.name)  # before the switch: it would copy the table into itself
            yield from around.still()
            yield from self.switching.steps(change, facts, None)
            yield CheckReferences(table=table)
            yield RestoreScopes(table=change.name, grants=table.grants)
            yield ResumeConnector(connector=connector.name)
        yield AwaitDelivery(topic=sink.topic)
        yield from proven(found)
        yield from around.proven()
        yield from read_again(change, facts, hold)
        yield from tagged_again(change)
        yield from contracted(change)


def _hindrance(change: PlannedChange, facts: Facts) -> str | None:
    if not change.replicated or change.sink is None:
        return f"{change.name} is not fed by Sequin: rename is the same for tables with writers of their own"
    strange = next((c for c in change.concerned if not _derivable(change.target.before.column(c.name), c)), None)
    if change.retype:
        return "Postgres gets the type too, and what it sends from then on the old table does not take"
    if (change.sql and not change.dropped) or change.holds_values:
        return "the new column's values are not derivable from the old table, which a swap is filled from"
    if strange:
        return f"the old table has not what the new {strange.name} holds: {strange.type} takes more of Postgres than it"
    found = proof(change, tuple(column.name for column in change.target.after.columns))
    if isinstance(found, str):
        return f"what it does could not be proven: {found}"
    if not _whole(change):
        key = ", ".join(change.target.before.sorting_key)
        return f"no unique index makes {key} unique in Postgres: rows that share it are lost in the old table"
    return hindrance(change, facts)


def _derivable(old: Column | None, new: Column) -> bool:
    """Whether the new value is certain from the old one. What was cut, replaced by a default or refused when it came
    is in Postgres alone: only types that take less, or write the same otherwise, are safe."""
    if old is None:
        return True  # not in Postgres: a default for every row
    before, after = clickhouse.parse(old.type), clickhouse.parse(new.type)
    if old.default != new.default or old.jsonpath != new.jsonpath or (after.nullable and not before.nullable):
        return False
    return str(before.core) == str(after.core) or (before.core.name, after.core.name) in _LESS


def _whole(change: PlannedChange) -> bool:
    """Whether the old table has every row of Postgres: none can have replaced another that is not the same."""
    columns = (change.target.before.column(name) for name in change.target.before.sorting_key)
    key = {(c.jsonpath or "").rpartition(".")[2] for c in columns if c}
    table = change.table
    return table is not None and any(set(unique) <= key for unique in (table.primary_key, *table.unique) if unique)


def _hold(change: PlannedChange) -> Estimate:
    spent = times(change.target.before).caught_up
    return Estimate(
        seconds=round(COUNTS_APART_S) + spent.seconds + SWITCH_S,
        formula=f"{COUNTS_APART_S:.0f} s + {spent.formula} + {SWITCH_S} s to switch",
    )


def _budget() -> Estimate:
    return Estimate(seconds=LEAST_BUDGET_S, formula="every topic waits in Kafka meanwhile: at most an hour")


register(Swap())
