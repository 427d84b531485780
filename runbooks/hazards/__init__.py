"""Hazards: what can go wrong, each a function of this folder that looks at one thing and says what it found.

A file is a family of slugs. A rule is registered by what it looks at: a data source, a pipe, the whole of the facts
(these three make the lint), or a planned change with the strategy chosen for it. Adding one touches one file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from runbooks.facts.model import Column, Datasource, Facts, PgTable, Pipe
from runbooks.fields import Where, where
from runbooks.lineage import Lineage
from runbooks.plan import Hazard, Level
from runbooks.strategies import Assessment, PlannedChange

__all__ = [
    "Context",
    "found",
    "in_order",
    "of_datasource",
    "of_facts",
    "of_pipe",
    "on_datasource",
    "on_facts",
    "on_pipe",
    "on_plan",
]


_LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Context:
    """What a rule may look at. ``change`` and ``assessment`` are set while planning only."""

    facts: Facts
    lineage: Lineage
    datasource: Datasource | None = None
    pipe: Pipe | None = None
    change: PlannedChange | None = None
    strategy: str = ""
    assessment: Assessment | None = None

    @property
    def subject(self) -> Datasource:
        if self.datasource is None:
            raise RuntimeError("this rule looks at a data source")
        return self.datasource

    @cached_property
    def place(self) -> Where:
        return where(self.subject, self.facts)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in question: the new and changed ones while planning, all of them in a lint."""
        return self.change.concerned if self.change else self.subject.columns

    @property
    def table(self) -> PgTable | None:
        """The table of Postgres; while planning, as the change leaves it."""
        return (self.change.source if self.change else None) or self.place.table

    @property
    def planned(self) -> PlannedChange:
        if self.change is None:
            raise RuntimeError("this rule looks at a plan")
        return self.change

    @property
    def way(self) -> str:
        """The strategy that changes the table: of one that moves readers meanwhile, the one in its midst."""
        return (self.assessment.within if self.assessment else "") or self.strategy

    @property
    def mirrored(self) -> bool:
        """Endpoints read a mirror while the table is replaced."""
        return self.strategy == "pipe-by-pipe"

    @property
    def reinserts(self) -> bool:
        """The plan writes rows again into a table that stays readable (facts/procedures.md §2.5)."""
        return self.way == "alter" and (self.planned.holds_values or bool(self.planned.computed))

    @property
    def rebuilds(self) -> bool:
        """The plan makes the table anew and fills it from Postgres."""
        return self.way == "recreate"


Rule = Callable[[Context], Iterator[Hazard]]

_datasource_rules: list[Rule] = []
_pipe_rules: list[Rule] = []
_facts_rules: list[Rule] = []
_plan_rules: list[Rule] = []


def on_datasource(rule: Rule) -> Rule:
    """A rule on one data source; while planning it is asked about the new columns alone."""
    _datasource_rules.append(rule)
    return rule


def on_pipe(rule: Rule) -> Rule:
    _pipe_rules.append(rule)
    return rule


def on_facts(rule: Rule) -> Rule:
    _facts_rules.append(rule)
    return rule


def on_plan(rule: Rule) -> Rule:
    _plan_rules.append(rule)
    return rule


def found(slug: str, level: Level, resource: str, message: str, fix: str) -> Hazard:
    return Hazard(slug=slug, level=level, resource=resource, message=message, fix=fix)


def of_datasource(context: Context) -> Iterator[Hazard]:
    _load()
    for rule in _datasource_rules:
        yield from rule(context)


def of_pipe(context: Context) -> Iterator[Hazard]:
    _load()
    for rule in _pipe_rules:
        yield from rule(context)


def of_facts(context: Context) -> Iterator[Hazard]:
    _load()
    for rule in _facts_rules:
        yield from rule(context)


def of_plan(context: Context) -> Iterator[Hazard]:
    """The hazards of a plan: those of its own, and those of the new columns."""
    _load()
    for rule in (*_plan_rules, *_datasource_rules):
        yield from rule(context)


def in_order(found: Iterable[Hazard]) -> tuple[Hazard, ...]:
    """Without doubles, the gravest first."""
    return tuple(sorted(dict.fromkeys(found), key=lambda h: (_LEVELS.index(h.level), h.slug, h.resource, h.message)))


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
