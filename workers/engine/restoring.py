"""One tick of a run that goes back: what it stopped is put back, last in first out.

It never gives up for want of an answer and never asks for approval; only the fence binds it. What cannot be put
back safely is left as it is, with the reason, and people are called.
"""

from dataclasses import replace
from typing import assert_never

from ledger.refusals import Elsewhere, Fenced, MayNotBegin
from ledger.ticks import Due, Outcome, StepMark, TickStep
from runbooks.errors import RunbooksError
from runbooks.step import Astray, Done, Failed, Todo, Wait
from workers.engine import effect, hold, outcomes, registry
from workers.engine.effect import Settling, Sight
from workers.engine.scene import Scene
from workers.engine.trouble import PATIENCE, Trouble

_ELSEWHERE_S = 5.0


def put_back(scene: Scene) -> Outcome:
    """Advance the restore list by one look and at most one effect."""
    early = _still_landing(scene)
    if early is not None:
        return early
    if not scene.listed:
        return Outcome(events=(outcomes.END[scene.taken.row.ending or "failed"],))
    row = scene.listed[0]
    try:
        step = registry.revive(row)
    except RunbooksError as unknown:
        return _left(scene, row, str(unknown), None)
    sight = effect.look(scene, row, step)
    if isinstance(sight.seen, Todo):
        try:
            sight = effect.have(scene, row, step, sight, pausable=False)
        except Fenced:
            raise
        except Elsewhere as held:
            return outcomes.said(row, str(held), _ELSEWHERE_S)
        except MayNotBegin as refused:
            raise AssertionError("only the fence and locks bind a restore") from refused
    return _came_to(scene, row, sight)


def _still_landing(scene: Scene) -> Outcome | None:
    """An effect of the plan whose answer was lost may still come: what puts it back must come after it."""
    for row in scene.taken.steps:
        if row.intent is not None and row.intent_answer is None:
            rest = registry.revive(row).settle_s - (row.intent_age_s or 0.0)
            if rest > 0:
                return Outcome(due=Due(rest, machine=True))
            return Outcome(answer=(row.intent, "lost"), due=Due(0))
    return None


def _came_to(scene: Scene, row: TickStep, sight: Sight) -> Outcome:
    match sight.seen:
        case Done() as done:
            event = "finish" if row.state == "acting" or sight.acted else "strike"
            mark = StepMark(row.phase, row.number, event=event, said=done.said, failures=0 if row.failures else None)
            return _onward(scene, row, replace(Outcome(), steps=(mark,), answer=sight.answer))
        case Wait() as wait:
            return outcomes.waiting(replace(row, state="acting") if sight.acted else row, wait, sight)
        case Todo():
            return outcomes.to_do_still(row, sight)
        case Settling() as settle:
            return outcomes.settling(row, settle, sight)
        case Astray(reason=reason) | Failed(reason=reason):
            return _left(scene, row, reason, sight)
        case Trouble() as trouble if trouble.definite:
            return _left(scene, row, trouble.said, sight)
        case Trouble() as trouble:
            outcome = outcomes.again(row, trouble, sight)
            if sight.failures != PATIENCE:
                return outcome
            text = f"Run {scene.taken.run} cannot put back “{row.title}” yet: {trouble.said}. It keeps trying."
            return replace(outcome, notices=(hold.notice(scene, f"trouble/restore/{row.number}", text),))
        case _:
            assert_never(sight.seen)


def _left(scene: Scene, row: TickStep, reason: str, sight: Sight | None) -> Outcome:
    mark = StepMark(row.phase, row.number, event="leave", said=reason)
    text = f"Run {scene.taken.run} left this as it is: “{row.title}”, because {reason}."
    called = hold.notice(scene, f"left/{row.number}", text)
    return _onward(scene, row, Outcome((mark,), sight.answer if sight else None, notices=(called,)))


def _onward(scene: Scene, row: TickStep, outcome: Outcome) -> Outcome:
    """The next entry, or the end."""
    if any(entry.number != row.number for entry in scene.listed):
        return replace(outcome, onward=True)
    return replace(outcome, events=(outcomes.END[scene.taken.row.ending or "failed"],))
