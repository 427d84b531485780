"""What the strategies share that copy a table beside itself and switch the names."""

from dataclasses import dataclass

from runbooks.facts.model import Datasource, Facts
from runbooks.plan import Estimate, Reader
from runbooks.proof.chunks import Copied, copied
from runbooks.proof.fields import ch_literal, ch_name
from runbooks.strategies.change import PlannedChange
from runbooks.types import clickhouse

COPY_ROWS_PER_S = 500_000  # assumed: some 700,000 were seen (facts/estate.md: 920 M rows in 22 min)
PROVEN_ROWS_PER_S = 2_000_000  # both sides' digests: 5 M rows × 18 columns take 1.2 s each (facts/procedures.md §5)
CAUGHT_ROWS_PER_S = 5_000_000  # the catch-up reads all versions and writes few rows
SWITCH_S = 15  # connector paused, two renames, references, scopes, connector resumed
LEAST_BUDGET_S = 3600
ENGINE = "ReplacingMergeTree"
_STRANGE = ("AggregateFunction", "SimpleAggregateFunction", "JSON", "Object", "Dynamic", "Variant")


def copying(change: PlannedChange) -> Copied:
    """How the new table is filled from the old one."""
    return copied(change.target.before, change.target.after, _values(change))


def _values(change: PlannedChange) -> dict[str, str]:
    """The SQL of each column that is more than one of the old table's: computed, the default that old rows would show,
    or the old value where there can be no NULL any more."""
    found = {f.column.name: f.expression for f in change.fields if f.expression}
    for column in change.target.after.columns:
        old, absent = change.target.before.column(column.name), column.default or _nothing(column.type)
        if old is None and column.name not in found:
            found[column.name] = absent
        elif old and clickhouse.parse(old.type).nullable and not clickhouse.parse(column.type).nullable:
            found[column.name] = f"ifNull({ch_name(column.name)}, {absent})"
    return found


def hindrance(change: PlannedChange, facts: Facts) -> str | None:
    """Why the table cannot be copied beside itself and switched; None if it can."""
    before, after = change.target.before, change.target.after
    if why := not_copyable((before, after), change.readers):
        return why
    if before.version != after.version:
        return "the version changes, by which the copy is caught up"
    if facts.connector is None:
        return "the connector was not asked, which must hold back what comes during the switch"
    return None


def not_copyable(tables: tuple[Datasource, ...], readers: tuple[Reader, ...]) -> str | None:
    """Why a table that is read so cannot be copied from the first of ``tables`` into the last while it is written to,
    and the copy be compared by value; None if it can."""
    for table in tables:
        if table.engine != ENGINE or not table.version:
            return (
                f"what is written meanwhile is copied once more, and only a {ENGINE} with a version keeps each row "
                f"once: {table.name} is a {table.engine}{'' if table.version else ' without one'}"
            )
    strange = next((c for c in tables[-1].columns if any(kind in c.type for kind in _STRANGE)), None)
    if strange:
        return f"{strange.name} is {strange.type}, which cannot be compared by value"
    hanging = next((r for r in readers if r.kind == "materialized"), None)
    if hanging:
        return f"the materialized view {hanging.name} hangs on the table and would stay with the old one"
    return None


@dataclass(frozen=True)
class Times:
    """How long each part takes, in seconds, with its formula."""

    copy: Estimate
    caught_up: Estimate


def times(table: Datasource) -> Times:
    rows = table.rows or 0
    copy = round(rows / COPY_ROWS_PER_S) + 5
    caught = round(rows / CAUGHT_ROWS_PER_S) + round(rows / PROVEN_ROWS_PER_S) + 10
    return Times(
        copy=Estimate(seconds=copy, formula=f"{rows:,} rows / {COPY_ROWS_PER_S:,} a second (assumed) + 5 s"),
        caught_up=Estimate(
            seconds=caught,
            formula=f"{rows:,} rows / {CAUGHT_ROWS_PER_S:,} a second to catch up + {rows:,} / {PROVEN_ROWS_PER_S:,} to "
            "prove + 10 s (assumed)",
        ),
    )


def _nothing(kind: str) -> str:
    """What a column of the type holds where nothing was given."""
    return "NULL" if clickhouse.parse(kind).nullable else f"defaultValueOfTypeName({ch_literal(kind)})"
