"""A copy of a table beside it, compared range by range (facts/procedures.md §5): the SQL of both sides.

A range is one of the source's sorting-key prefix, so that only its granules are read; FINAL, since without it another
of several equal versions may survive. ``tuple`` stands around the columns because ``cityHash64`` of a NULL is NULL,
which ``sum`` skips; ``sum``, not XOR, which cancels doubles. Aliases begin with ``_`` beside columns, as an alias that
is also a column's name would stand for it.
"""

from dataclasses import dataclass

from runbooks.facts.model import Datasource
from runbooks.proof.fields import ch_literal, ch_name

FINAL_ENGINES = ("ReplacingMergeTree",)  # of those that are copied; a plain MergeTree refuses FINAL
_ORDERED_ALIKE = ("Int", "Date", "Decimal", "Float")


@dataclass(frozen=True)
class CopiedColumn:
    """A column of the new table: its type there, and the SQL over the old table's columns that gives its value."""

    name: str
    type: str
    value: str


@dataclass(frozen=True)
class Copied:
    """What is copied. ``span`` is the column by whose ranges; None: all at once. ``version`` is the old table's."""

    source: str
    columns: tuple[CopiedColumn, ...]
    source_final: bool
    target_final: bool
    span: str | None
    version: str


@dataclass(frozen=True)
class Keys:
    """Values of the span from ``low`` up to but not including ``high``, as text; None: unbounded."""

    low: str | None = None
    high: str | None = None


def copied(before: Datasource, after: Datasource, values: dict[str, str]) -> Copied:
    """``after`` filled from ``before``; ``values`` gives the SQL of columns that are more than a column of before."""
    return Copied(
        source=before.name,
        columns=tuple(CopiedColumn(c.name, c.type, values.get(c.name, ch_name(c.name))) for c in after.columns),
        source_final=before.engine in FINAL_ENGINES,
        target_final=after.engine in FINAL_ENGINES,
        span=_span(before, after, values),
        version=before.version,
    )


def _span(before: Datasource, after: Datasource, values: dict[str, str]) -> str | None:
    """The first column of the sorting key, if it stands in both tables and both order it alike."""
    name = before.sorting_key[0] if before.sorting_key else ""
    old, new = before.column(name), after.column(name)
    if old is None or new is None or name in values:
        return None
    alike = old.type == new.type or any(kind in old.type and kind in new.type for kind in _ORDERED_ALIKE)
    return name if alike else None


def pipe_sql(of: Copied) -> str:
    """The copy pipe's template: a run of it takes ``low``, ``high`` and ``since``, each of which may be left out."""
    bounds = ""
    if of.span:
        column = ch_name(of.span)
        bounds += f"{{% if defined(low) %}} AND {column} >= {{{{String(low)}}}}{{% end %}}\n"
        bounds += f"{{% if defined(high) %}} AND {column} < {{{{String(high)}}}}{{% end %}}\n"
    if of.version:
        bounds += f"{{% if defined(since) %}} AND {ch_name(of.version)} >= {{{{String(since)}}}}{{% end %}}\n"
    return "%\n" + _cast(of, "1 = 1\n" + bounds)


def source_digest(of: Copied, keys: Keys) -> str:
    """One row ``{n, d}``: what the range should be in the copy."""
    return _digest(of, _cast(of, _within(of, keys)))


def target_digest(of: Copied, target: str, keys: Keys) -> str:
    """One row ``{n, d}``: what it is there."""
    named = ", ".join(ch_name(c.name) for c in of.columns)
    final = " FINAL" if of.target_final else ""
    return _digest(of, f"SELECT {named} FROM {ch_name(target)}{final} WHERE {_within(of, keys)}")


def bound(of: Copied, low: str | None, rows: int) -> str:
    """At most one row ``{k}``: the value of the span that so many rows further begins a range; read in its order."""
    assert of.span is not None
    column = ch_name(of.span)
    where = f"WHERE {column} >= {ch_literal(low)} " if low is not None else ""
    return _key(of, f"{where}ORDER BY {column} LIMIT 1 OFFSET {rows}")


def following(of: Copied, low: str) -> str:
    """At most one row ``{k}``: the next value of the span, where one value alone has more rows than a range."""
    assert of.span is not None
    column = ch_name(of.span)
    return _key(of, f"WHERE {column} > {ch_literal(low)} ORDER BY {column} LIMIT 1")


def _key(of: Copied, which: str) -> str:
    return f"SELECT _k AS k FROM (SELECT toString({ch_name(of.span or '')}) AS _k FROM {ch_name(of.source)} {which})"


def within(of: Copied, keys: Keys) -> str:
    """The range as a condition on either table: what is deleted before it is copied again."""
    return _within(of, keys)


def _digest(of: Copied, rows: str) -> str:
    named = ", ".join(ch_name(c.name) for c in of.columns)
    counted = f"SELECT count() AS _n, sum(cityHash64(tuple({named}))) AS _d FROM ({rows})"
    return f"SELECT toString(_n) AS n, toString(_d) AS d FROM ({counted})"


def _cast(of: Copied, where: str) -> str:
    """In two levels: an alias that is also a column's name would stand for it in the other expressions."""
    inner = ", ".join(f"{c.value} AS _c{n}" for n, c in enumerate(of.columns))
    outer = ", ".join(f"CAST(_c{n}, {ch_literal(c.type)}) AS {ch_name(c.name)}" for n, c in enumerate(of.columns))
    final = " FINAL" if of.source_final else ""
    return f"SELECT {outer} FROM (SELECT {inner} FROM {ch_name(of.source)}{final} WHERE {where})"


def _within(of: Copied, keys: Keys) -> str:
    if of.span is None:
        return "1 = 1"
    column = ch_name(of.span)
    parts = [f"{column} >= {ch_literal(keys.low)}"] if keys.low is not None else []
    parts += [f"{column} < {ch_literal(keys.high)}"] if keys.high is not None else []
    return " AND ".join(parts) or "1 = 1"
