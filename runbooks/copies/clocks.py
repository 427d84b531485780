"""Where a copy's SQL asks the clock: in a condition that rows must pass, or only in a column that says when.

The first makes each run take other rows (facts/procedures.md §2.6); the second tells the rows of a run apart. What is
computed of the clock is the clock's too, by whatever name a later condition asks for it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from runbooks.facts.model import Node
from runbooks.lineage.sql import trees_of

_CLOCK = re.compile(
    r"\b(?:now|now64|nowInBlock(?:64)?|today|yesterday|UTCTimestamp)\s*\("
    r"|\b(?:current_timestamp|current_date|localtimestamp|job_timestamp)\b",
    re.IGNORECASE,
)
_CHANCE = re.compile(r"\b(?:rand\w*|generate\w+|rowNumber\w*)\s*\(", re.IGNORECASE)
_STATEMENT = re.compile(r"\{%[^%]*\bjob_timestamp\b")  # what a template does with it is not seen by a parser
_LONGEST = 80  # of a condition that people read


@dataclass(frozen=True)
class Condition:
    """What rows must pass, and the names that it asks for."""

    text: str
    names: frozenset[str]

    @property
    def clocked(self) -> bool:
        return bool(_CLOCK.search(self.text))


@dataclass(frozen=True)
class Moments:
    """What one text does with the clock. ``clocked`` are the names of what it computes of it, ``unsteady`` of what may
    be another value each time."""

    conditions: tuple[Condition, ...]
    clocked: frozenset[str]
    unsteady: frozenset[str]


@dataclass(frozen=True)
class Asked:
    """The same of a whole pipe and of the pipes that it reads. ``bounding`` are the conditions that hang on the clock,
    as people read them."""

    bounding: tuple[str, ...]
    unsteady: frozenset[str]


def asked(nodes: Sequence[Node]) -> Asked:
    """``nodes`` are those of a pipe and of every pipe that it reads; each must be understood. A comparison that no row
    must pass, such as one within ``countIf``, bounds nothing."""
    found = [moments(node.sql) for node in nodes]
    clocked = frozenset[str]().union(*(each.clocked for each in found))
    bounding = [
        _short(condition.text)
        for each in found
        for condition in each.conditions
        if condition.clocked or condition.names & clocked
    ]
    bounding += ["a template that asks when the run was due"] if any(_STATEMENT.search(n.sql) for n in nodes) else []
    return Asked(tuple(dict.fromkeys(bounding)), frozenset[str]().union(*(each.unsteady for each in found)))


@lru_cache(maxsize=5_000)
def moments(sql: str) -> Moments:
    """Raises what parsing raises: see ``understand``."""
    conditions: list[Condition] = []
    clocked, unsteady = set[str](), set[str]()
    for tree in trees_of(sql):
        conditions += [Condition(_text(each), _asked_for(each)) for each in _conditions(tree)]
        for name, made in _named(tree):
            clocked |= {name} if _CLOCK.search(_text(made)) else set()
            unsteady |= {name} if _CLOCK.search(_text(made)) or _CHANCE.search(_text(made)) else set()
    return Moments(tuple(conditions), frozenset(clocked), frozenset(unsteady))


def _conditions(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Each by itself of those that must all hold."""
    whole = [place.this for place in tree.find_all(exp.Where, exp.PreWhere, exp.Having, exp.Qualify)]
    whole += [on for join in tree.find_all(exp.Join) if (on := join.args.get("on")) is not None]
    for each in whole:
        yield from each.flatten() if isinstance(each, exp.And) else (each,)


def _asked_for(condition: exp.Expr) -> frozenset[str]:
    return frozenset(column.name for column in condition.find_all(exp.Column))


def _named(tree: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    """What a SELECT or a WITH gives a name to."""
    for alias in tree.find_all(exp.Alias):
        yield alias.alias, alias.this
    for cte in tree.find_all(exp.CTE):
        if cte.args.get("scalar"):
            yield cte.alias, cte.this


def _text(node: exp.Expr) -> str:
    return node.sql(dialect="clickhouse")


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"
