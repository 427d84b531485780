"""Strategies: the ways in which one change can be carried out (facts/procedures.md §4).

A strategy is one file in this folder that calls ``register`` once. It says what it would cost (``assess``)
and, when it is chosen, gives the steps in order (``steps``), written as a generator::

    def steps(self, change, facts):
        yield MigratePostgres(...)                    # a block of its own: one click
        with Hold(sink_budget(change, facts)):        # one block, no gate inside
            yield PauseSink(...)
            ...
            yield ResumeSink(...)
        yield AwaitBackfill(...)                      # not gated: belongs to the block before

The planner numbers blocks and holds, puts the gates and computes the guards: a strategy only says what
and in which order.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from runbooks.facts.model import Facts
from runbooks.plan import Estimate
from runbooks.step import Step
from runbooks.strategies.change import (
    Altered,
    Migration,
    PlannedChange,
    PlannedField,
    ReachingCopy,
    Retype,
    SourceDefault,
)

__all__ = [
    "NAMES",
    "Altered",
    "Assessment",
    "Hold",
    "Migration",
    "PlannedChange",
    "PlannedField",
    "ReachingCopy",
    "Retype",
    "Rewriting",
    "SourceDefault",
    "Strategy",
    "laid_out",
    "register",
    "strategies",
]

NAMES = ("alter", "recreate", "swap", "rename", "exchange", "pipe-by-pipe")  # among equals the first is preferred

NOTHING_BROKEN = Estimate(seconds=0, formula="no read is broken")
NOTHING_HELD = Estimate(seconds=0, formula="nothing is held")
NOTHING_STALE = Estimate(seconds=0, formula="nothing gets stale")
NOT_ESTIMATED = Estimate(seconds=0, formula="")


@dataclass(frozen=True)
class Assessment:
    """What a strategy says of a change. ``reason`` is one plain sentence on why it can or cannot carry it out;
    ``reasons`` are the advantages shown when it is chosen; ``costs`` what it takes ("backfill of 40,000 rows")."""

    eligible: bool
    reason: str
    reasons: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    downtime: Estimate = NOTHING_BROKEN
    hold: Estimate = NOTHING_HELD
    stale: Estimate = NOTHING_STALE
    took: Estimate = NOT_ESTIMATED
    breaks_reads: bool = False
    within: str = ""  # the strategy that this one carries out in its midst


class Strategy(Protocol):
    """``name`` is one of ``NAMES``. Both methods are pure: they read the change and the facts, nothing else."""

    @property
    def name(self) -> str: ...

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment: ...

    def steps(self, change: PlannedChange, facts: Facts) -> Iterator[Step]: ...


@runtime_checkable
class Rewriting(Protocol):
    """A strategy that gives readers new SQL for a while."""

    def diffs(self, change: PlannedChange, facts: Facts) -> Mapping[str, str]:
        """By pipe, a unified diff of its SQL."""
        ...


_open: ContextVar[Hold | None] = ContextVar("hold", default=None)


class Hold:
    """From the first thing stopped to the last one started (facts/procedures.md §1): approved as one block.

    ``budget`` is how long it may last, in seconds, with the formula it came from.
    """

    def __init__(self, budget: Estimate) -> None:
        self.budget = budget

    def __enter__(self) -> Self:
        if _open.get() is not None:
            raise RuntimeError("a hold inside a hold: its budget would be nobody's")
        _open.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _open.set(None)


def laid_out(steps: Iterator[Step]) -> list[tuple[Step, Hold | None]]:
    """Every step with the hold it was yielded in.

    A generator runs in its caller's context, so between two steps the open ``with Hold`` of the strategy can
    be seen from here; the copied context keeps one planning from another's.
    """
    return copy_context().run(lambda: [(step, _open.get()) for step in steps])


_registry: dict[str, Strategy] = {}


def register(strategy: Strategy) -> None:
    """Called once by each file of this folder, when it is imported."""
    if strategy.name not in NAMES:
        raise ValueError(f"no such strategy: {strategy.name}")
    _registry[strategy.name] = strategy


@cache
def strategies() -> Mapping[str, Strategy]:
    """Every strategy of this folder by name, in the order of ``NAMES``."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {name: _registry[name] for name in NAMES}
