"""Steps laid out: blocks, gates, holds. A block is what one click approves; its gate stands before its first step."""

from collections.abc import Iterator, Sequence

from runbooks.plan import Gate, HoldLimit, PlannedStep
from runbooks.step import Step
from runbooks.strategies import Hold

Placed = tuple[Step, Hold | None]


def laid_out_in_blocks(steps: Sequence[Placed]) -> tuple[tuple[PlannedStep, ...], tuple[HoldLimit, ...]]:
    """A block for each change outside a hold, one for each hold, with the looks and waits behind it; what tidies up
    after a change is of that one's block."""
    blocks: list[list[Placed]] = []
    at: list[int] = []  # the block of each step
    for step, hold in steps:
        goes_on = blocks[-1][-1][1] is hold if blocks and hold else not (step.gated or step.leads)
        tidied = next((n for n, block in enumerate(blocks) if any(step.tidies(earlier) for earlier, _ in block)), None)
        if tidied is None and not (blocks and (_ungated(blocks[-1]) or goes_on)):
            blocks.append([])
        at.append(len(blocks) - 1 if tidied is None else tidied)
        blocks[at[-1]].append((step, hold))
    holds = list(dict.fromkeys(hold for _, hold in steps if hold))
    limits = tuple(
        HoldLimit(hold=number, budget_s=hold.budget.seconds, formula=hold.budget.formula)
        for number, hold in enumerate(holds, start=1)
    )
    gates = [_gates([step for step, _ in block]) for block in blocks]
    planned = tuple(
        _planned(step, block=number + 1, hold=holds.index(hold) + 1 if hold else None, gate=next(gates[number]))
        for number, (step, hold) in zip(at, steps, strict=True)
    )
    return planned, limits


def in_one_block(steps: Sequence[Step]) -> tuple[PlannedStep, ...]:
    """All of them for one click: what is stopped already must not wait for a second one."""
    first: Gate = "strong" if any(step.destructive for step in steps) else "approve"
    return tuple(_planned(step, block=1, hold=None, gate="none" if n else first) for n, step in enumerate(steps))


def _ungated(block: Sequence[Placed]) -> bool:
    """A plan's first looks wait for the click on what they lead to."""
    return not any(step.gated for step, _ in block)


def _gates(block: Sequence[Step]) -> Iterator[Gate]:
    """The whole block's gate stands before its first step; the others have none."""
    strong = any(step.destructive for step in block)
    yield "strong" if strong else "approve" if any(step.gated for step in block) else "none"
    for _ in block[1:]:
        yield "none"


def _planned(step: Step, *, block: int, hold: int | None, gate: Gate) -> PlannedStep:
    return PlannedStep(
        op=step.op,
        title=step.title(),
        gate=gate,
        long=step.long,
        params=step.params(),
        reads=step.reads(),
        writes=step.writes(),
        block=block,
        hold=hold,
        touches=step.touches,
    )
