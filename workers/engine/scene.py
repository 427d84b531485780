"""What one tick works with: the run under its lease, and the clients bound to that lease."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from config.settings import Environment
from ledger.ticks import Taken, TickStep
from runbooks.site import Site
from workers.context import Context
from workers.lease import Lease


@dataclass(frozen=True)
class Scene:
    context: Context
    taken: Taken
    lease: Lease
    base: Site

    @property
    def environment(self) -> Environment:
        return self.context.settings.environment(self.taken.row.environment)

    @property
    def begun(self) -> bool:
        """Whether the run has had an effect."""
        return any(step.acts for step in (*self.taken.steps, *self.taken.restores))

    @property
    def touched(self) -> bool:
        """Whether the table may not be what it was: an effect begun counts, unless it was refused."""
        return any(step.touches and step.acts and not _refused(step) for step in self.taken.steps)

    @property
    def listed(self) -> tuple[TickStep, ...]:
        """What is still to be put back, last in first."""
        return tuple(entry for entry in reversed(self.taken.restores) if entry.state in ("listed", "acting"))

    def at(self, row: TickStep) -> Site:
        """The site as this step sees it."""
        found = self.taken.row.found
        touched = {*found.get("touched", ()), *([self.taken.row.target] if self.touched else [])}
        return replace(
            self.base,
            now=self.taken.row.now,
            memo=row.memo,
            answered=row.answered,
            proven=frozenset(found.get("proven", ())),
            touched=frozenset(table for table in touched if table),
            found=found,
            started=self.taken.row.started_at,
        )

    def resources(self, names: Iterable[str]) -> tuple[str, ...]:
        """The whole names of locks, as the ledger keeps them."""
        return tuple(f"{self.taken.row.environment}/{name}" for name in names)

    def found_with(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """The run's record with more of it: lists are joined, all else is replaced."""
        found = dict(self.taken.row.found)
        for key, value in more.items():
            found[key] = _joined(found.get(key), value)
        return found


def _refused(step: TickStep) -> bool:
    return not step.answered and (step.intent_answer or "").startswith("refused")


def _joined(known: Any, new: Any) -> Any:
    if isinstance(new, list | tuple | set | frozenset):
        names = cast(Iterable[Any], new)
        return sorted({*cast(Iterable[str], known or ()), *(str(name) for name in names)})
    return new
