"""How SQL bounds time: what makes a copy take the newest rows alone (facts/procedures.md §2.6, §2.7)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

_CLOCK = re.compile(r"\b(?:now|now64|today|yesterday|toStartOf\w+\(\s*now)\s*\(|\bjob_timestamp\b", re.IGNORECASE)
_UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 7 * 86400, "MONTH": 30 * 86400}


@dataclass(frozen=True)
class Bound:
    """A row is read only when ``column`` is past a moment. ``table`` is set for ``max(…)`` of a table, ``look_back_s``
    for an interval before now."""

    column: str
    table: str | None = None
    look_back_s: int | None = None


def bounds_of(tree: exp.Expr) -> Iterator[Bound]:
    """Comparisons ``column > moment`` where the moment is a clock's or the newest row's of a table."""
    yield from (bound for _, bound in comparisons_of(tree))


def comparisons_of(tree: exp.Expr) -> Iterator[tuple[exp.Expr, Bound]]:
    """Each of these comparisons itself, with what it means."""
    named = {c.alias: c.this for w in tree.find_all(exp.With) for c in w.expressions if c.args.get("scalar")}
    for node, side, moment in _comparisons(tree):
        column = _column(side)
        if column is None:
            continue
        if isinstance(moment, exp.Column):
            moment = named.get(moment.name, moment)
        if newest := _newest_of(moment):
            yield node, Bound(column.name, table=newest)
        elif _CLOCK.search(moment.sql(dialect="clickhouse")):
            yield node, Bound(column.name, look_back_s=_interval_s(moment))


def _comparisons(tree: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr, exp.Expr]]:
    """A comparison, what must be later by it, and than what."""
    for node in tree.find_all(exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between):
        if isinstance(node, exp.Between):
            yield node, node.this, node.args["low"]
        elif isinstance(node, (exp.GT, exp.GTE)):
            yield node, node.this, node.expression
        else:
            yield node, node.expression, node.this


def _column(side: exp.Expr) -> exp.Column | None:
    """The column, or the one that a function such as ``toDate(updatedAt)`` is of."""
    if isinstance(side, exp.Column):
        return side
    columns = list(side.find_all(exp.Column)) if isinstance(side, exp.Func) else []
    return columns[0] if len(columns) == 1 and not side.find(exp.Select) else None


def _newest_of(moment: exp.Expr) -> str | None:
    found = moment.find(exp.Max)
    select = found.find_ancestor(exp.Select) if found else None
    table = select.find(exp.Table) if select and moment.find(exp.Select) else None
    return table.name if table else None


def _interval_s(moment: exp.Expr) -> int | None:
    for node in moment.find_all(exp.Interval, exp.Anonymous):
        if isinstance(node, exp.Interval) and node.this is not None and node.unit is not None:
            amount, unit = node.this.name, node.unit.name.upper().rstrip("S")
        elif isinstance(node, exp.Anonymous) and node.name.lower().startswith(("tointerval", "subtract")):
            amount = node.expressions[-1].name if node.expressions else ""
            unit = re.sub(r"(?i)^(tointerval|subtract)", "", node.name).upper().rstrip("S")
        else:
            continue
        if amount.isdigit() and unit in _UNITS:
            return int(amount) * _UNITS[unit]
    return None
