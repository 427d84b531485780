"""Columns added where the table stands: nothing is held, no read breaks (facts/procedures.md §4)."""

from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.facts.model import Column, Facts
from runbooks.plan import Estimate
from runbooks.step import Step
from runbooks.steps.backfills import AwaitBackfill, CreateBackfill
from runbooks.steps.delivery import AwaitDelivery
from runbooks.steps.postgres_migrate import RefreshTables
from runbooks.strategies import Assessment, PlannedChange, register
from runbooks.strategies.parts import alteration, backfill_s, migration, proof, prove
from runbooks.types import clickhouse

_STEP_S = 10  # one small change and its look


@dataclass(frozen=True)
class Alter:
    name: str = "alter"

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment:
        hindrance = _hindrance(change)
        if hindrance:
            return Assessment(eligible=False, reason=hindrance)
        seconds, formula = _took(change, facts)
        return Assessment(
            eligible=True,
            reason=f"{change.name} takes the new columns where it stands",
            reasons=(
                "nothing is held and no read breaks: the columns are added where the table stands",
                *_backfills(change),
            ),
            costs=_backfills(change),
            took=Estimate(seconds=seconds, formula=formula),
        )

    def steps(self, change: PlannedChange, facts: Facts) -> Iterator[Step]:
        for target in change.targets:  # a wildcard copy would bring a column that its target does not take
            yield alteration(target)
        yield alteration(change.target)  # before Postgres, so that no row carries a value the table cannot take
        migrated = migration(change)
        if migrated:
            yield migrated
        if change.sink:
            yield RefreshTables(database=change.sink.database)
            if change.holds_values:
                yield CreateBackfill(sink=change.sink.name, table=change.sink.table)
                yield AwaitBackfill(sink=change.sink.name, table=change.sink.table)
                yield AwaitDelivery(topic=change.sink.topic)
        found = proof(change, tuple(column.name for column in change.added))
        if change.replicated and not isinstance(found, str):
            yield prove(found)


def _hindrance(change: PlannedChange) -> str | None:
    """Why the table cannot be altered in place; None if it can."""
    before, after = change.target.before, change.target.after
    kept = {c.name: c for c in after.columns}
    if any(kept.get(c.name) != c for c in before.columns):
        return "a column that is there changes, which needs a new table"
    keys_before = (before.engine, before.sorting_key, before.partition_key, before.version)
    if keys_before != (after.engine, after.sorting_key, after.partition_key, after.version):
        return "engine or keys change, which needs a new table"
    if before.engine != "Null" and not before.engine.endswith("MergeTree"):
        return f"a table of engine {before.engine} takes no new column"
    bare = next((c for c in change.target.added if not _filled(c)), None)
    if bare:
        return f"{bare.name} has neither a default nor is it Nullable: rows of the old shape would go to quarantine"
    computed = next((f for f in change.fields if f.expression and f.column.default != f.expression), None)
    if computed:
        return f"only a default could fill {computed.column.name} with {computed.expression} here, and it has another"
    found = proof(change, tuple(column.name for column in change.added))
    if change.replicated and change.table is not None and isinstance(found, str):
        return f"what it does could not be proven: {found}"
    return None


def _filled(column: Column) -> bool:
    return column.default is not None or clickhouse.parse(column.type).nullable


def _backfills(change: PlannedChange) -> tuple[str, ...]:
    if not change.holds_values:
        return ("no backfill: the column is new on both sides with the same default",) if change.replicated else ()
    rows = change.table.rows if change.table else None
    return (f"a backfill of {rows:,} rows" if rows is not None else "a backfill of the whole table",)


def _took(change: PlannedChange, facts: Facts) -> tuple[int, str]:
    small = _STEP_S * (3 + len(change.targets))
    if not change.holds_values:
        return small, f"{3 + len(change.targets)} small changes of about {_STEP_S} s"
    seconds, formula = backfill_s(change, facts)
    return small + seconds, f"{small} s of small changes + {formula}"


register(Alter())
