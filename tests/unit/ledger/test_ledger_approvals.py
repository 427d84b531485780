"""Which approvals count, and which blocks a click means."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.settings import Rules
from ledger.approvals import Block, blocks_of, chosen, newly_approved
from ledger.values import Decision, Gate, Run, StepRow, StepState

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BEN, CHEN = "slack:T1:UBEN", "slack:T1:UCHEN"


def row(kind: type[Any], **given: object) -> Any:
    return kind(**{field.name: given.get(field.name) for field in fields(kind)})


RUN: Run = row(Run, id=7, hash="h1", proposed_at=NOW - timedelta(hours=1))


def step(number: int, block: int, state: StepState = "gated", gate: Gate = "approve") -> StepRow:
    return row(StepRow, phase="plan", number=number, block=block, state=state, gate=gate)


def approval(actor: str = BEN, *, block: int = 1, hash: str = "h1", at: datetime = NOW, life_s: float = 60) -> Decision:
    return row(
        Decision, action="approve", actor=actor, block=block, hash=hash, at=at, until=at + timedelta(seconds=life_s)
    )


def counted(*decisions: Decision) -> list[str]:
    [block] = blocks_of(RUN, [step(1, 1)], decisions, Rules(), NOW)
    return [each.actor for each in block.approvals]


def test_a_person_counts_once_however_often_they_approved() -> None:
    assert counted(approval(), approval(), approval(CHEN)) == [BEN, CHEN]


@pytest.mark.parametrize(
    "idle",
    [
        approval(block=2),
        approval(hash="h0"),
        approval(at=NOW - timedelta(hours=2), life_s=86400),  # of the plan before this one
        approval(at=NOW - timedelta(minutes=2), life_s=119),
        row(Decision, action="reject", actor=BEN, block=1, hash="h1", at=NOW),
    ],
)
def test_what_does_not_count(idle: Decision) -> None:
    assert counted(idle) == []


def blocks(*approved_by: Sequence[str], needed: Sequence[int]) -> list[Block]:
    return [
        Block(number, (step(number, number),), need, tuple(approval(actor, block=number) for actor in actors))
        for number, (actors, need) in enumerate(zip(approved_by, needed, strict=True), 1)
    ]


def test_blocks_become_approved_in_order_up_to_the_first_that_lacks_somebody() -> None:
    assert [b.number for b in newly_approved(blocks([BEN], [BEN], [BEN], needed=[1, 2, 1]))] == [1]
    assert [b.number for b in newly_approved(blocks([BEN], [BEN, CHEN], [BEN], needed=[1, 2, 1]))] == [1, 2, 3]
    assert newly_approved(blocks([], [BEN], needed=[1, 1])) == []


def test_what_a_click_means() -> None:
    plan = blocks([], [], [], needed=[1, 1, 1])

    def numbers(block: int | None = None, up_to: int | None = None) -> list[int] | str:
        found = chosen(plan, BEN, block, up_to, NOW)
        return found if isinstance(found, str) else [each.number for each in found]

    assert numbers() == [1]
    assert numbers(block=1) == [1]
    assert numbers(up_to=3) == [1, 2, 3]
    assert numbers(block=3) == "Steps are approved in order: approve step 1 first."
    assert numbers(block=9) == "This plan has no such step; look at the newest card."
    assert chosen([], BEN, None, None, NOW) == "This plan has no steps to approve."


def test_one_who_approved_already_hears_how_many_others_are_needed() -> None:
    said = chosen(blocks([BEN], needed=[3]), BEN, 1, None, NOW)
    assert said == "You have already approved step 1; 2 more people must approve it too."
