"""Types and defaults of columns against those of Postgres (facts/estate.md §8)."""

from collections.abc import Iterator

from runbooks.changes.default import HELD
from runbooks.facts.model import Column, PgColumn
from runbooks.hazards import Context, found, on_datasource, on_plan
from runbooks.plan import Hazard
from runbooks.questions import count_of
from runbooks.strategies import PlannedField
from runbooks.types import clickhouse, literals, postgres
from runbooks.types.clickhouse import Type


@on_datasource
def numeric_as_float(at: Context) -> Iterator[Hazard]:
    new = {f.column.name: PgColumn(f.column.name, f.pg_type, True) for f in _new(at) if f.pg_type}
    planned = ((c, kind, new[c.name]) for c in at.columns if c.name in new and (kind := _type(c)))
    for column, kind, source in (*_pairs(at), *planned):
        if source.type.startswith("numeric") and not kind.is_text:
            yield found(
                "numeric-as-float",
                "error",
                _name(at, column),
                f"{column.name} is {source.type} in Postgres: Sequin sends it as text, which {column.type} refuses "
                "or rounds.",
                "Make it String or Nullable(String).",
            )


@on_datasource
def narrow_integer(at: Context) -> Iterator[Hazard]:
    for column, kind, source in _pairs(at):
        span = postgres.integer_span(source.type)
        if not span or not kind.is_integer:
            continue
        least, most = kind.span()
        unsigned = least == 0 and most >= span[1]  # the estate's habit for ids and counts: only negatives would not fit
        if span[1] > most or (span[0] < least and not unsigned):
            yield found(
                "narrow-integer",
                "warning",
                _name(at, column),
                f"{column.name} is {source.type} in Postgres, and {column.type} holds {least} to {most} only.",
                f"Make it {postgres.to_clickhouse(source.type, default=True)}, or make sure that no value is outside.",
            )


@on_datasource
def null_without_default(at: Context) -> Iterator[Hazard]:
    for column, kind, source in _pairs(at):
        if source.nullable and not kind.nullable and column.default is None and source.default is None:
            right = postgres.to_clickhouse(source.type, default=False)
            default = literals.implied(right)
            yield found(
                "null-without-default",
                "error",
                _name(at, column),
                f"{column.name} may be NULL in Postgres, and {column.type} has no default: such rows go to quarantine.",
                f"Make it {right}" + (f" DEFAULT {default}." if default is not None else "."),
            )


@on_datasource
def nested_value_may_be_absent(at: Context) -> Iterator[Hazard]:
    """A key of a json column is there or not; Postgres cannot promise it (facts/estate.md §2)."""
    root = at.place.root
    for column in at.columns:
        kind, path = _type(column), (column.jsonpath or "").replace("[:]", "")
        nested = root == "$.record." and path.startswith(root) and "." in path.removeprefix(root)
        if nested and kind and not kind.nullable and column.default is None:
            yield found(
                "null-without-default",
                "warning",
                _name(at, column),
                f"{column.name} is read from within a json column, and {column.type} has no default: rows without that "
                "key go to quarantine.",
                f"Give it DEFAULT {literals.implied(kind)}, or make it Nullable.",
            )


@on_datasource
def default_does_not_fit(at: Context) -> Iterator[Hazard]:
    """A default that the type cannot hold lets rows without a value fail (facts/estate.md §8, maintainersInternal)."""
    for column in at.columns:
        if _type(column) and column.default is not None and not literals.holds(column.type, column.default):
            yield found(
                "null-without-default",
                "error",
                _name(at, column),
                f"{column.name} is {column.type}, which cannot hold its default {column.default}.",
                f"Give it DEFAULT {literals.implied(clickhouse.parse(column.type))}, or make it Nullable.",
            )


@on_plan
def old_parts_read_the_default(at: Context) -> Iterator[Hazard]:
    """A part written before its column was added reads the default of the day. Rows that come from Postgres are
    written again first; nobody can do that for a table with writers of its own."""
    change = at.planned
    if change.kind != "set default" or change.replicated or count_of(at.facts.answers, HELD) == 0:
        return
    for column in change.concerned:
        yield found(
            "default-changes-old-rows",
            "warning",
            _name(at, column),
            f"Rows that were there before {column.name} was added to {at.subject.name} read its default: they turn to "
            f"{column.default or 'NULL'}.",
            "Nothing to do where the column was there from the first row on.",
        )


def _new(at: Context) -> tuple[PlannedField, ...]:
    """The fields whose column Postgres gets by this very plan."""
    return tuple(f for f in at.change.fields if not f.in_postgres) if at.change else ()


def _pairs(at: Context) -> Iterator[tuple[Column, Type, PgColumn]]:
    """The columns that come straight from a column of Postgres, with both types."""
    root = at.place.root
    if at.table is None or not root:
        return
    for column in at.columns:
        path = (column.jsonpath or "").replace("[:]", "")
        source = at.table.column(path.removeprefix(root)) if path.startswith(root) else None
        kind = _type(column)
        if source and kind:
            yield column, kind, source


def _type(column: Column) -> Type | None:
    try:
        return clickhouse.parse(column.type)
    except ValueError:
        return None


def _name(at: Context, column: Column) -> str:
    return f"{at.subject.name}.{column.name}"
