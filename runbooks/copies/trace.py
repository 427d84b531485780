"""How the rows of one run of an appending copy are told apart from all others in its target: by a column that holds
when the run was made, and by what the copy writes into each of its rows. Whatever is not certain is no trace."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlglot import exp
from sqlglot.errors import SqlglotError

from runbooks.facts.copy_runs import CopyRun
from runbooks.facts.model import Column, Datasource, Facts, Pipe
from runbooks.lineage import Lineage
from runbooks.lineage.sql import trees_of
from runbooks.lineage.templates import NotUnderstood
from runbooks.proof.fields import ch_literal, ch_name
from runbooks.types import clickhouse

Moment = Literal["now", "due", "day"]

_ASKS_NOW = re.compile(r"\b(?:now|now64|today)\s*\(", re.IGNORECASE)
_NOW = ("now", "now64")
_CASTS = ("todatetime", "todatetime64", "todate")
_TIMES = ("DateTime", "DateTime64")


@dataclass(frozen=True)
class Trace:
    """``column`` of ``table`` holds when the run was made: its clock's time (``now``), its tick (``due``) or its day.
    ``same`` are columns with the literal that each row of this copy holds."""

    table: str
    column: str
    moment: Moment
    same: tuple[tuple[str, str], ...] = ()

    def condition(self, run: CopyRun) -> str:
        """SQL that holds for the rows of the run."""
        began = (run.started or run.created).astimezone(UTC)
        ended = run.ended.astimezone(UTC)
        name = ch_name(self.column)
        match self.moment:
            case "now":
                # a column of whole seconds holds the one that the run began in
                said = f"{name} >= {_time(began)} AND {name} < {_time(ended + timedelta(seconds=1))}"
            case "due":
                due = run.created.astimezone(UTC)
                said = f"{name} >= {_time(due)} AND {name} < {_time(due + timedelta(seconds=1))}"
            case "day":
                said = f"{name} >= {_day(began)} AND {name} <= {_day(ended)}"
        return " AND ".join([said, *(f"{ch_name(column)} = {literal}" for column, literal in self.same)])

    def words(self, run: CopyRun) -> str:
        """The same for people: a clause that follows "rows"."""
        began, ended = (run.started or run.created).astimezone(UTC), run.ended.astimezone(UTC)
        within = f"{began:%Y-%m-%d}" if self.moment == "day" else f"{began:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S} UTC"
        same = "".join(f", and {column} is {literal}" for column, literal in self.same)
        return f"whose {self.column} is of that run ({within}){same}"

    def shares(self, run: CopyRun, other: CopyRun) -> bool:
        """Whether rows of ``other``, a run of the same copy, may stand where those of ``run`` are looked for."""
        began, other_began = run.started or run.created, other.started or other.created
        if self.moment == "day":
            return other.ended.date() >= began.date() and other_began.date() <= run.ended.date()
        return other.ended >= began and other_began <= run.ended


def trace_of(pipe: Pipe, facts: Facts, lineage: Lineage) -> Trace | str:
    """How a run's rows are told apart, or why they are not: a clause."""
    target = facts.datasources[pipe.output.target or ""]
    mine = _projections(pipe)
    due = "job_timestamp" in pipe.output.sql
    if due and _ASKS_NOW.search(pipe.output.sql):
        return "its SQL asks both for the time and for its tick"
    found = next(_moments(mine, target, due=due), None)
    if found is None:
        return f"no column of {target.name} says which run a row is of"
    if facts.sink_of(target.name) or any(c.jsonpath for c in target.columns):
        return f"{target.name} takes rows from elsewhere too"
    told: dict[str, str] = {}
    for other in lineage.writers(target.name):
        if other.name == pipe.name:
            continue
        apart = _apart(mine, _projections(other) if other.kind == "copy" else {}, target)
        if apart is None:
            return f"rows of {other.name}, which writes {target.name} too, look alike"
        told[apart[0]] = apart[1]
    return Trace(target.name, found[0], found[1], tuple(sorted(told.items())))


def _moments(mine: Mapping[str, exp.Expr], target: Datasource, *, due: bool) -> Iterator[tuple[str, Moment]]:
    for name, each in mine.items():
        if (moment := _moment(each, target.column(name), due=due)) is not None:
            yield name, moment


def _moment(made: exp.Expr, column: Column | None, *, due: bool) -> Moment | None:
    """When the run is, by this very expression: the clock alone, in a column that can hold it. ``due``: what reads as
    the clock is the run's tick."""
    kind = clickhouse.parse(column.type).core.name if column else ""
    inner, by_day = made, kind == "Date"
    while isinstance(inner, exp.Anonymous) and inner.name.lower() in _CASTS and inner.expressions:
        by_day |= inner.name.lower() == "todate"
        inner = inner.expressions[0]
    called = inner.name.lower() if isinstance(inner, exp.Anonymous) else ""
    ticks = due and isinstance(inner, exp.Literal) and inner.name == "now()"  # within quotes
    if kind == "Date" and (called in (*_NOW, "today") or ticks):
        return "day"
    if kind in _TIMES and not by_day and (called in _NOW or ticks):
        return "due" if due else "now"
    return None


def _apart(mine: Mapping[str, exp.Expr], theirs: Mapping[str, exp.Expr], target: Datasource) -> tuple[str, str] | None:
    """A column into which both write one literal, and each another."""
    for name, made in mine.items():
        other = theirs.get(name)
        if isinstance(made, exp.Literal) and isinstance(other, exp.Literal) and target.column(name):
            same_kind = made.is_string == other.is_string
            if same_kind and made.name != other.name:
                return name, ch_literal(made.name) if made.is_string else made.name
    return None


def _projections(pipe: Pipe) -> Mapping[str, exp.Expr]:
    """What the pipe's last SELECT makes each column of, where that is one SELECT."""
    try:
        trees = trees_of(pipe.output.sql)
    except (SqlglotError, NotUnderstood, RecursionError, ValueError, TypeError, AttributeError, LookupError):
        return {}
    if len(trees) != 1 or not isinstance(trees[0], exp.Select):
        return {}
    return {each.alias: each.this for each in trees[0].expressions if isinstance(each, exp.Alias)}


def _time(at: datetime) -> str:
    return f"toDateTime({ch_literal(f'{at:%Y-%m-%d %H:%M:%S}')}, 'UTC')"


def _day(at: datetime) -> str:
    return f"toDate({ch_literal(f'{at:%Y-%m-%d}')})"
