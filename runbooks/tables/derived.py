"""A data source for a table that has none yet, from the catalog of Postgres (facts/estate.md §8)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.datafile import describe
from runbooks.facts.model import Column, Datasource, PgColumn, PgTable
from runbooks.fields import LOW_CARDINALITY
from runbooks.request import NAME
from runbooks.types import clickhouse, literals
from runbooks.types.postgres import normal, to_clickhouse

ROOT = "$.record."
VERSIONS = ("updatedAt", "updated_at")  # as the estate names them
_NO_VALUE = frozenset({"bytea", "tsvector", "tsquery", "xml", "bit", "bit varying", "point", "polygon", "circle"})


@dataclass(frozen=True)
class Derived:
    """``said``: what was inferred, and which columns were left out, in plain sentences."""

    datasource: Datasource
    said: tuple[str, ...]


def version_of(table: PgTable) -> PgColumn | None:
    """The column that grows with every change of a row: a time, by its name."""
    found = (table.column(name) for name in VERSIONS)
    return next((c for c in found if c and c.type.startswith("timestamp")), None)


def datasource_of(table: PgTable, name: str, version: PgColumn, key: tuple[str, ...]) -> Derived:
    """The data source that ``table`` will feed. Sorted by its primary key, which no two rows share; not partitioned,
    as a row whose partition column changes would stay twice (facts/procedures.md §2.16)."""
    known = [c for c in table.columns if _travels(c) and _named(c) and not c.generated]
    columns = tuple(_column(column, plain=column.name in (*key, version.name)) for column in known)
    made = Datasource(
        name=name,
        columns=columns,
        engine="ReplacingMergeTree",
        sorting_key=key,
        version=version.name,
        description=f"The Postgres table {table.name}, replicated row by row.\n{describe('', columns)}",
    )
    return Derived(made, tuple(_said(table, made, version, key)))


def _travels(column: PgColumn) -> bool:
    return re.sub(r"\(.*\)|\[\]", "", column.type) not in _NO_VALUE


def _named(column: PgColumn) -> bool:
    """Whether Tinybird takes the name: letters, digits and underscores."""
    return re.fullmatch(NAME, column.name, re.ASCII) is not None


def _column(column: PgColumn, *, plain: bool) -> Column:
    """``plain``: of a key or the version, which cannot be Nullable and need no default."""
    kind = to_clickhouse(column.type, default=plain or not column.nullable)
    path = f"{ROOT}{column.name}{'[:]' if kind.is_array else ''}"
    if plain and not kind.is_array:
        return Column(column.name, str(kind), path)
    if column.nullable and kind == clickhouse.parse("UInt8"):
        kind = clickhouse.parse("Nullable(UInt8)")  # not known is not false
    if column.name in LOW_CARDINALITY and kind == clickhouse.parse("String"):
        kind = clickhouse.parse("LowCardinality(String)")
    default = None if kind.nullable or kind.is_time else literals.implied(kind)
    return Column(column.name, str(kind), path, default)


def _said(table: PgTable, made: Datasource, version: PgColumn, key: tuple[str, ...]) -> Iterator[str]:
    yield f"rows are kept apart by {', '.join(key)}, the primary key of {table.name}; the newest {version.name} wins"
    yield "no partition: a row whose partition changes would be there twice"
    left_out = [c for c in table.columns if made.column(c.name) is None]
    if generated := [c.name for c in left_out if c.generated]:
        yield f"left out, as a change need not bring what Postgres generates: {', '.join(generated)}"
    left_out = [c for c in left_out if not c.generated]
    if valueless := [f"{c.name} ({c.type})" for c in left_out if not _travels(c)]:
        yield f"left out, as JSON has no value for it: {', '.join(valueless)}"
    if unnamed := [c.name for c in left_out if _travels(c)]:
        yield f"left out, as Tinybird takes no column of that name: {', '.join(unnamed)}"
    as_text = [c for c in table.columns if made.column(c.name) and normal(c.type) is None]
    if as_text:
        yield f"travels as text: {', '.join(f'{c.name} ({c.type})' for c in as_text)}"
    numeric = [c.name for c in table.columns if c.type.startswith("numeric")]
    if numeric:
        yield f"a String, as Sequin sends numeric as text: {', '.join(numeric)}"
