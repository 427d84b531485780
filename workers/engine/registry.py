"""From a stored ``(op, params)`` back to the step."""

from ledger.ticks import TickStep
from runbooks import steps
from runbooks.step import Step


def revive(row: TickStep) -> Step:
    """The step as it was planned; its parameters were checked when it was stored."""
    return steps.load(row.op, dict(row.params))


def known() -> list[str]:
    """The ops that this process's code can carry out."""
    return sorted(steps.known())
