"""Values computed for the rows of a live table, by copying them into itself: the SQL (facts/procedures.md §4).

A row is written again only while it holds the default and the expression gives another value, so that doing it twice
does nothing. No WHERE on the version or on what is filled beside FINAL: a skip index on them could bring stale rows
back; they are looked at behind it.
"""

from dataclasses import dataclass

from runbooks.proof.chunks import Copied, Keys, within
from runbooks.proof.fields import ch_literal, ch_name
from runbooks.types import clickhouse

UNTIL = "until"  # the parameter of a run: versions up to it, in ms


@dataclass(frozen=True)
class Fill:
    """A new column: its default as SQL (None: NULL), and the expression over the row's other columns."""

    name: str
    type: str
    default: str | None
    expression: str


def later_by(version_type: str) -> str | None:
    """The least interval by which a version of that type can be later; None where that is more than a millisecond."""
    kind = clickhouse.parse(version_type)
    if kind.name != "DateTime64" or int(kind.arguments[0]) < 3:
        return None
    digits = int(kind.arguments[0])
    unit = "Nano" if digits == 9 else "Micro" if digits >= 6 else "Milli"
    return f"toInterval{unit}second(1)"


def value(fill: Fill) -> str:
    """The column as a row that is written again has it."""
    return f"if({_holds(fill)}, {_computed(fill)}, {ch_name(fill.name)})"


def pipe_sql(of: Copied, fills: tuple[Fill, ...]) -> str:
    """The copy pipe's template: a run of it takes ``until``, and ``low`` and ``high``, which may be left out."""
    bounds = "1 = 1\n"
    if of.span:
        column = ch_name(of.span)
        bounds += f"{{% if defined(low) %}} AND {column} >= {{{{String(low)}}}}{{% end %}}\n"
        bounds += f"{{% if defined(high) %}} AND {column} < {{{{String(high)}}}}{{% end %}}\n"
    # in two levels: an alias that is also a column's name would stand for it in the other expressions
    inner = ", ".join(f"{c.value} AS _c{n}" for n, c in enumerate(of.columns))
    outer = ", ".join(f"CAST(_c{n}, {ch_literal(c.type)}) AS {ch_name(c.name)}" for n, c in enumerate(of.columns))
    return (
        f"%\nSELECT {outer} FROM (SELECT {inner}, {_todo(fills)} AS _todo, {_version(of)} AS _v "
        f"FROM {ch_name(of.source)} FINAL WHERE {bounds}) "
        f"WHERE _todo AND _v <= toInt64({{{{String({UNTIL}, '0')}}}})"
    )


def counts(of: Copied, fills: tuple[Fill, ...], keys: Keys, until: int) -> str:
    """One row of a range: ``n`` rows, and of those with versions up to ``until`` how many are ``todo`` and how many
    hold some ``other`` value, neither the default nor the expression's."""
    other = " OR ".join(f"(NOT {_holds(f)} AND NOT {_same(ch_name(f.name), _computed(f), f.type)})" for f in fills)
    return (
        f"SELECT toString(count()) AS n, toString(countIf(_todo AND _v <= {until})) AS todo, "
        f"toString(countIf(_other AND _v <= {until})) AS other FROM "
        f"(SELECT {_todo(fills)} AS _todo, {other} AS _other, {_version(of)} AS _v "
        f"FROM {ch_name(of.source)} FINAL WHERE {within(of, keys)})"
    )


def now() -> str:
    """One row: Tinybird's time in ms."""
    return "SELECT toString(toUnixTimestamp64Milli(now64(3))) AS n"


def _todo(fills: tuple[Fill, ...]) -> str:
    return " OR ".join(f"({_holds(f)} AND NOT {_same(_computed(f), _default(f), f.type)})" for f in fills)


def _holds(fill: Fill) -> str:
    return _same(ch_name(fill.name), _default(fill), fill.type)


def _default(fill: Fill) -> str:
    return f"CAST({fill.default or 'NULL'}, {ch_literal(fill.type)})"


def _computed(fill: Fill) -> str:
    return f"CAST({fill.expression}, {ch_literal(fill.type)})"


def _version(of: Copied) -> str:
    return f"toUnixTimestamp64Milli({ch_name(of.version)})"


def _same(one: str, other: str, kind: str) -> str:
    """Equal, where NULL is NULL and no number is no number."""
    numbers = f" OR (isNaN({one}) AND isNaN({other}))" if clickhouse.parse(kind).is_float else ""
    return f"ifNull({one} = {other}{numbers}, isNull({one}) AND isNull({other}))"
