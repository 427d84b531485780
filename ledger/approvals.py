"""Approvals: which blocks of a plan are approved, by whom, and which come next. Pure; ``ledger.decisions`` stores.

A block is what one click approves. It is approved when enough distinct people have approved it, with the hash
of the plan as it is, since it was proposed, and not too long ago. Blocks are approved in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from config.settings import Rules
from ledger.policy import approvals_needed, person
from ledger.values import Decision, Run, StepRow


@dataclass(frozen=True)
class Block:
    """``approvals`` are those that count now, one a person, oldest first."""

    number: int
    steps: tuple[StepRow, ...]
    needed: int
    approvals: tuple[Decision, ...]

    @property
    def approved(self) -> bool:
        """Once approved it stays so: what became of the approval since is looked at when an effect begins."""
        return all(step.state not in ("waiting", "gated") for step in self.steps)

    @property
    def enough(self) -> bool:
        return len(self.approvals) >= self.needed

    def by(self, actor: str) -> bool:
        return any(approval.actor == actor for approval in self.approvals)


def blocks_of(
    run: Run, steps: Sequence[StepRow], decisions: Sequence[Decision], rules: Rules, now: datetime
) -> list[Block]:
    """The plan's blocks in order. Who may run copies alone, and asked for this run of them, is enough."""
    planned = [step for step in steps if step.phase == "plan"]
    numbers = sorted({step.block for step in planned})
    made = [(number, tuple(step for step in planned if step.block == number)) for number in numbers]
    alone = {decision.actor for decision in decisions if decision.action == "operate"}
    found: list[Block] = []
    for number, mine in made:
        given = _counting(run, number, decisions, now)
        operated = any(decision.actor in alone for decision in given)
        needed = 1 if operated else approvals_needed(rules, [step.gate for step in mine])
        found.append(Block(number, mine, needed, given))
    return found


def _counting(run: Run, block: int, decisions: Sequence[Decision], now: datetime) -> tuple[Decision, ...]:
    counting: dict[str, Decision] = {}
    for decision in decisions:
        same_plan = decision.hash == run.hash and run.proposed_at is not None and decision.at >= run.proposed_at
        alive = decision.until is None or decision.until > now
        if decision.action == "approve" and decision.block == block and same_plan and alive:
            counting.setdefault(decision.actor, decision)
    return tuple(counting.values())


def chosen(
    blocks: Sequence[Block], actor: str, block: int | None, up_to: int | None, now: datetime
) -> list[Block] | str:
    """The blocks that a click on ``block`` or ``up_to`` approves, or the sentence that says why none.

    Neither given: the next one.
    """
    last = up_to if up_to is not None else block
    asked = next((each for each in blocks if each.number == last), None)
    if last is not None and asked is None:
        return "This plan has no such step; look at the newest card."
    pending = [each for each in blocks if not each.approved]
    if asked is not None and asked.approved:
        return _already(asked, now)
    if not pending:
        return _already(blocks[-1], now) if blocks else "This plan has no steps to approve."
    if block is not None and block != pending[0].number:
        return f"Steps are approved in order: approve {spoken(pending[0].steps)} first."
    wanted = [each for each in pending if each.number <= (last if last is not None else pending[0].number)]
    fresh = [each for each in wanted if not each.by(actor)]
    if not fresh:
        missing = wanted[0].needed - len(wanted[0].approvals)
        return f"You have already approved {spoken(wanted[0].steps)}; {people(missing)} must approve it too."
    return fresh


def newly_approved(blocks: Sequence[Block]) -> list[Block]:
    """The blocks not approved yet that may be now: in order, up to the first that lacks somebody."""
    found: list[Block] = []
    for block in blocks:
        if block.approved:
            continue
        if not block.enough:
            break
        found.append(block)
    return found


def hazards(run: Run, level: str) -> list[Mapping[str, Any]]:
    """The plan's hazards of a level."""
    listed = cast(Sequence[Mapping[str, Any]], (run.plan or {}).get("hazards", ()))
    return [hazard for hazard in listed if hazard["level"] == level]


def spoken(steps: Sequence[StepRow]) -> str:
    """ "step 3", "steps 3–5" or "steps 3–5 and 8", as the card numbers them."""
    spans: list[list[int]] = []
    for number in sorted(step.number for step in steps):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    *most, last = [f"{span[0]}–{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans]
    listed = f"{', '.join(most)} and {last}" if most else last
    return f"step {listed}" if len(steps) == 1 else f"steps {listed}"


def people(count: int) -> str:
    return "one more person" if count == 1 else f"{count} more people"


def clock(at: datetime, now: datetime) -> str:
    """A time with its zone; with its day unless that is today's. Both in UTC."""
    return at.strftime("%H:%M UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M UTC")


def _already(block: Block, now: datetime) -> str:
    if not block.approvals and all(step.state == "done" for step in block.steps):
        return f"{spoken(block.steps).capitalize()} {'is' if len(block.steps) == 1 else 'are'} done already."
    told = [f"{person(each.actor)} at {clock(each.at, now)}" for each in block.approvals]
    by = f" by {' and '.join(told)}" if told else ""
    verb = "was" if len(block.steps) == 1 else "were"
    return f"{spoken(block.steps).capitalize()} {verb} already approved{by}."
