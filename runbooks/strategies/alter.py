"""Columns added where the table stands: nothing is held, no read breaks (facts/procedures.md §4)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runbooks.facts.model import Column, Datasource, Facts
from runbooks.plan import Estimate
from runbooks.questions import TAKEN, count_of
from runbooks.step import Step
from runbooks.steps.backfills import AwaitBackfill, CreateBackfill
from runbooks.steps.delivery import AwaitDelivery
from runbooks.steps.postgres_migrate import RefreshTables
from runbooks.strategies import Assessment, PlannedChange, in_place, register
from runbooks.strategies.parts import ALTER, NULLS, alterations, backfill_s, contracted, migrations, proof, prove
from runbooks.types import clickhouse

_STEP_S = 10  # one small change and its look


@dataclass(frozen=True)
class Alter:
    name: str = "alter"

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment:
        hindrance = _hindrance(change, facts)
        if hindrance:
            return Assessment(eligible=False, reason=hindrance)
        seconds, formula = _took(change, facts)
        return Assessment(
            eligible=True,
            reason=f"{change.name} takes {_what(change)} where it stands",
            reasons=(
                f"nothing is held and no read breaks: {_how(change)} where the table stands",
                *_backfills(change),
                *in_place.costs(change),
            ),
            costs=(*_backfills(change), *in_place.costs(change)),
            took=Estimate(seconds=seconds, formula=formula),
        )

    def steps(self, change: PlannedChange, facts: Facts) -> Iterator[Step]:
        if change.refills:  # parts without the column read its default: they get the values first, as they are now
            yield from _filled(change)
        for target in change.targets:  # a wildcard copy would bring a column that its target does not take
            yield from alterations(target)
        yield from alterations(change.target)  # before Postgres: no row may carry a value the table cannot take
        yield from in_place.filled(change, facts)
        yield from migrations(change)
        if change.sink and (change.fields or change.source_default):
            yield RefreshTables(database=change.sink.database)
            if any(field.in_postgres for field in change.fields):
                yield from _filled(change)
        yield from _proven(change)
        yield from contracted(change)


def _filled(change: PlannedChange) -> Iterator[Step]:
    if change.sink:
        yield CreateBackfill(sink=change.sink.name, table=change.sink.table)
        yield AwaitBackfill(sink=change.sink.name, table=change.sink.table)
        yield AwaitDelivery(topic=change.sink.topic)


def _proven(change: PlannedChange) -> Iterator[Step]:
    found = proof(change, tuple(column.name for column in change.concerned))
    if change.replicated and change.concerned and not isinstance(found, str):
        yield prove(found)


def _hindrance(change: PlannedChange, facts: Facts) -> str | None:
    """Why the table cannot be altered in place; None if it can."""
    before, after = change.target.before, change.target.after
    gone = next((c.name for c in before.columns if after.column(c.name) is None), None)
    if gone:
        return f"{gone} goes, and Tinybird takes no column away in place"
    if any(replace(c, default=None) != replace(_now(c, after), default=None) for c in before.columns):
        return "a column that is there changes, which needs a new table"
    keys_before = (before.engine, before.sorting_key, before.partition_key, before.version)
    if keys_before != (after.engine, after.sorting_key, after.partition_key, after.version):
        return "engine or keys change, which needs a new table"
    if before.engine != "Null" and not before.engine.endswith("MergeTree"):
        return f"a table of engine {before.engine} takes no new column"
    said = facts.answers.get(ALTER, TAKEN)
    if said != TAKEN:
        return f"Tinybird does not take it: {said}"
    if nulls := count_of(facts.answers, NULLS):
        return f"{nulls:,} rows are NULL in Postgres and would keep the old default: they must be written again"
    bare = next((c for c in change.target.added if not _fills_itself(c)), None)
    if bare:
        return f"{bare.name} has neither a default nor is it Nullable: rows of the old shape would go to quarantine"
    if cannot := in_place.hindrance(change, facts):
        return cannot
    found = proof(change, tuple(column.name for column in change.concerned))
    if change.replicated and change.table is not None and change.concerned and isinstance(found, str):
        return f"what it does could not be proven: {found}"
    return None


def _now(column: Column, after: Datasource) -> Column:
    return after.column(column.name) or column


def _fills_itself(column: Column) -> bool:
    return column.default is not None or clickhouse.parse(column.type).nullable


def _backfills(change: PlannedChange) -> tuple[str, ...]:
    if not change.holds_values:
        new = change.replicated and change.fields
        return ("no backfill: the column is new on both sides with the same default",) if new else ()
    rows = change.table.rows if change.table else None
    return (f"a backfill of {rows:,} rows" if rows is not None else "a backfill of the whole table",)


def _what(change: PlannedChange) -> str:
    if change.dropped:
        return "the removal"
    return {"set default": "another default", "add index": "the index"}.get(change.kind, "the new columns")


def _how(change: PlannedChange) -> str:
    if change.dropped:
        return "Tinybird has it no more, and Postgres loses it"
    said = {"set default": "the default is changed", "add index": "the index is added"}
    return said.get(change.kind, "the columns are added")


def _took(change: PlannedChange, facts: Facts) -> tuple[int, str]:
    small = _STEP_S * (3 + len(change.targets))
    if change.computed:
        filling = in_place.took(change)
        return small + filling.seconds, f"{small} s of small changes + {filling.formula}"
    if not change.holds_values:
        return small, f"{3 + len(change.targets)} small changes of about {_STEP_S} s"
    seconds, formula = backfill_s(change, facts)
    return small + seconds, f"{small} s of small changes + {formula}"


register(Alter())
