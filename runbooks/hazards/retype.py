"""A column that gets another type: values that do not fit, what hangs on it in Postgres, and who reads it."""

from collections.abc import Iterator

from runbooks.facts.model import Column
from runbooks.hazards import Context, found, on_plan
from runbooks.plan import Hazard, Reader
from runbooks.questions import count_of
from runbooks.strategies.parts import DEPENDENTS, MISFITS, MISFITS_OF, REWRITE_BYTES_PER_S
from runbooks.types import clickhouse
from runbooks.types.clickhouse import Type


@on_plan
def values_do_not_fit(at: Context) -> Iterator[Hazard]:
    for before, after in _changed(at):
        yield from _misfits(at, MISFITS, before.name, at.planned.retype.after if at.planned.retype else after.type)


@on_plan
def values_do_not_fit_a_new_column(at: Context) -> Iterator[Hazard]:
    """Those that Postgres has already: Tinybird would hold others for them, and say nothing."""
    for field in at.planned.fields:
        name = field.column.name
        yield from _misfits(at, MISFITS_OF.format(name), name, field.column.type)


def _misfits(at: Context, key: str, column: str, to: str) -> Iterator[Hazard]:
    count = count_of(at.facts.answers, key)
    if key not in at.facts.answers or count == 0:
        return
    rows = (
        f"{count:,} {'row holds' if count == 1 else 'rows hold'}"
        if count
        else "It could not be counted how many rows hold"
    )
    yield found(
        "values-do-not-fit",
        "error",
        f"{at.planned.name}.{column}",
        f"{rows} a {column} that is no {to}.",
        "Mend those rows first, or choose a type that holds them.",
    )


@on_plan
def used_in_postgres(at: Context) -> Iterator[Hazard]:
    """Views, triggers and policies: Postgres refuses to change or drop a column that they name."""
    change = at.planned
    columns = (change.retype.column,) if change.retype else change.dropped
    count = count_of(at.facts.answers, DEPENDENTS)
    if not columns or DEPENDENTS not in at.facts.answers or count == 0:
        return
    yield found(
        "column-still-used",
        "error",
        f"postgres/{change.table.name if change.table else change.name}",
        f"Views, triggers or policies of Postgres name {', '.join(columns)} ({count or 'not counted'}), and Postgres "
        "changes nothing that they name.",
        "Drop or change them first (`\\d+` of the table names views; triggers and policies too).",
    )


@on_plan
def index_goes_too(at: Context) -> Iterator[Hazard]:
    table = at.planned.table
    for unique in table.unique if table else ():
        gone = [name for name in at.planned.dropped if name in unique]
        if gone:
            yield found(
                "column-still-used",
                "warning",
                f"postgres/{table.name if table else ''}",
                f"The unique index over {', '.join(unique)} goes with {', '.join(gone)}.",
                "Make one without it first, if the others must stay unique.",
            )


@on_plan
def rewrite(at: Context) -> Iterator[Hazard]:
    change = at.planned
    if change.retype is None or change.table is None:
        return
    seconds = 1 + (change.table.bytes or 0) // REWRITE_BYTES_PER_S
    yield found(
        "postgres/changing-column-type",
        "warning",
        change.table.name,
        f"{change.table.name} is rewritten: for about {seconds} s nobody, the application included, can read or write.",
        "Choose a quiet hour; the run gives up after 3 s of waiting for the lock.",
    )


@on_plan
def reads_another_type(at: Context) -> Iterator[Hazard]:
    """Who reads the column goes on with values of another kind; a copy's target keeps the old one."""
    for before, after in _changed(at):
        old, new = clickhouse.parse(before.type), clickhouse.parse(after.type)
        for reader in at.planned.readers:
            if not _reads(at, reader, before.name):
                continue
            yield from _into_targets(at, reader, after)
            if _family(old) != _family(new):
                yield found(
                    "column-changes-type",
                    "warning",
                    reader.name,
                    f"{reader.name} reads {before.name}, which becomes {after.type}: what it does with it may fail.",
                    f"Look at the SQL of {reader.name} before approving.",
                )


def _into_targets(at: Context, reader: Reader, after: Column) -> Iterator[Hazard]:
    new = clickhouse.parse(after.type)
    for name in at.planned.lineage.targets(reader.name):
        target = at.facts.datasources.get(name)
        column = target.column(after.name) if target else None
        kept = clickhouse.parse(column.type) if column else None
        if column is None or kept is None or not (kept.is_integer and new.is_integer):
            continue
        if kept.span()[0] > new.span()[0] or kept.span()[1] < new.span()[1]:
            yield found(
                "narrow-integer",
                "warning",
                f"{name}.{after.name}",
                f"{reader.name} copies {after.name} into {name}, where it stays {column.type}: greater ones are lost.",
                f"Give {name} the type {after.type} too.",
            )


def _changed(at: Context) -> Iterator[tuple[Column, Column]]:
    target = at.planned.target
    for before in target.before.columns:
        after = target.after.column(before.name)
        if after is not None and after.type != before.type:
            yield before, after


def _reads(at: Context, reader: Reader, column: str) -> bool:
    uses = (use.use for use in at.planned.lineage.uses(at.planned.name) if use.pipe == reader.name)
    return any(use is None or use.wildcard or column in use.columns for use in uses)


def _family(kind: Type) -> str:
    if kind.is_integer or kind.is_float or kind.core.name.startswith("Decimal"):
        return "number"
    return "time" if kind.is_time else "text" if kind.is_text else kind.core.name
