"""What of a plan's steps a card needs to know: blocks, what one click approves, where the run stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bot.cards.words import steps_named
from ledger.values import RunView, StepRow
from runbooks.plan import Plan

Lacking = Mapping[int, int]  # block -> how many people must still approve it
NOBODY: Lacking = MappingProxyType({})


def only(view: RunView) -> bool:
    """Whether nothing but its plan was asked for, and is there."""
    return view.run.state == "rejected" and bool(view.run.request.get("only"))


@dataclass(frozen=True)
class PlanBlock:
    """What one click approves. ``first`` is the step that carries the gate and stands in the button's value."""

    number: int
    steps: tuple[StepRow, ...]

    @property
    def gate(self) -> StepRow | None:
        return next((s for s in self.steps if s.gate != "none"), None)

    @property
    def first(self) -> int:
        return (self.gate or self.steps[0]).number

    @property
    def held(self) -> bool:
        return any(s.hold is not None for s in self.steps)

    @property
    def strong(self) -> bool:
        return any(s.gate == "strong" for s in self.steps)

    @property
    def open(self) -> bool:
        """Still to be approved."""
        return self.gate is not None and self.gate.state in ("waiting", "gated")

    @property
    def named(self) -> str:
        """``step 3``; a hold, which is approved as one, ``steps 3–12``."""
        return steps_named([s.number for s in self.steps]) if self.held else steps_named([self.first])


def blocks_of(steps: Sequence[StepRow]) -> tuple[PlanBlock, ...]:
    numbers = dict.fromkeys(s.block for s in steps)
    return tuple(PlanBlock(n, tuple(s for s in steps if s.block == n)) for n in numbers)


def open_blocks(view: RunView) -> tuple[PlanBlock, ...]:
    return tuple(b for b in blocks_of(view.steps) if b.open)


def current(view: RunView) -> StepRow | None:
    """The step that the run is at: the first that is not over."""
    return next((s for s in view.steps if s.state not in ("done", "skipped")), None)


def waits_for_people(view: RunView) -> PlanBlock | None:
    """The block whose approval is all that the run waits for."""
    step = current(view)
    if step is None or view.run.state not in ("proposed", "running") or step.state != "gated":
        return None
    return next((b for b in blocks_of(view.steps) if step in b.steps), None)


def of_copies(view: RunView) -> bool:
    """Whether it runs copies, or stops or starts their schedules, and does nothing else."""
    return (view.run.plan or {}).get("request", {}).get("kind") == "copy"


def plan_of(view: RunView) -> Plan | None:
    """The plan as it was proposed; None before and for a refused request."""
    return None if view.run.plan is None else Plan.from_json(view.run.plan)
