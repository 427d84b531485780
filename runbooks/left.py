"""What a run left, as steps: those of its plan and of its restore list by kind, and the copies among them, which are
read again in the plan's order once what they missed is copied."""

from collections.abc import Iterator
from typing import TypeVar

from runbooks import steps
from runbooks.earlier import Past, Rest
from runbooks.facts.model import Facts
from runbooks.step import Step
from runbooks.steps.appending import PauseAppending, RestoreAppending
from runbooks.steps.copies import RestoreCopy, ResumeCopy
from runbooks.steps.delivery import AwaitHeld
from runbooks.steps.gap import CopyGap, CreateGapPipe, RemoveGapPipe, steps_of

_Kind = TypeVar("_Kind", bound=Step)


def copies_started(rest: Rest, facts: Facts) -> Iterator[Step]:
    """The copies that the run left paused; what an appending one missed is copied first. In the plan's order."""
    left = {entry.pipe for entry in loaded(rest.left, RestoreCopy)}
    known = [copy for copy in planned(rest, ResumeCopy) if copy.pipe in left and copy.pipe in facts.pipes]
    still = [copy for copy in known if not runs(copy.pipe, facts)]
    missed = {copy.pipe: tuple(caught_up(copy.pipe, rest)) for copy in still}
    if any(missed.values()):
        yield from (AwaitHeld(topic=pause.table.name) for pause in planned(rest, PauseAppending)[:1])
    for copy in still:
        yield from missed[copy.pipe]
        yield copy


def caught_up(pipe: str, rest: Rest) -> Iterator[Step]:
    """What the run was to copy of what ``pipe`` missed, since it was first paused: the next run's record lacks that."""
    paused = {entry.pipe: entry.paused for entry in loaded(rest.left, RestoreAppending)} | rest.gaps
    for step in planned(rest, CopyGap):
        if step.gap.pipe == pipe and pipe in paused:
            yield from steps_of(step.gap, paused[pipe])


def to_do(unfinished: list[Past], rest: Rest) -> Iterator[Step]:
    """The steps as they were planned. A pipe of the first run's own is gone: this one makes another."""
    for step in (steps.load(past.op, past.params) for past in unfinished):
        if isinstance(step, CopyGap):
            yield from caught_up(step.gap.pipe, rest)
        elif not isinstance(step, CreateGapPipe | RemoveGapPipe):
            yield step


def runs(pipe: str, facts: Facts) -> bool:
    found = facts.pipes.get(pipe)
    return found is not None and found.schedule_status == "running"


def planned(rest: Rest, kind: type[_Kind]) -> tuple[_Kind, ...]:
    return tuple(loaded(rest.steps, kind))


def loaded(past: tuple[Past, ...], kind: type[_Kind]) -> list[_Kind]:
    return [step for step in (steps.load(each.op, each.params) for each in past) if isinstance(step, kind)]
