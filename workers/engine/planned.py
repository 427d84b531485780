"""One tick of a run that goes forward."""

from dataclasses import replace
from typing import assert_never

from ledger.refusals import Asked, Elsewhere, Fenced, Frozen, MayNotBegin, NotApproved, Shut
from ledger.ticks import Due, Outcome, StepMark, TickStep
from runbooks.step import Astray, Done, Failed, Step, Todo, Wait
from systems.errors import SystemsError
from workers.engine import drift, effect, hold, outcomes, registry
from workers.engine.effect import Settling, Sight
from workers.engine.hold import Hold
from workers.engine.scene import Scene
from workers.engine.trouble import PATIENCE, Trouble, trouble_of
from workers.planning import plan_again

_FROZEN_S = 15.0  # unfreezing rings by itself; this is for a ring that was lost
_SHUT_S = 60.0
_ELSEWHERE_S = 5.0
_PEOPLE_S = 45.0  # how often what people may do elsewhere is looked for

ABORTED = "It was aborted"
PAUSED = "It was paused between steps"
PAUSES_LATER = "A pause was asked for: it begins when the hold has ended, as nothing may stay stopped meanwhile"


def go_on(scene: Scene) -> Outcome:
    """Advance the run by one look and at most one effect."""
    row = next((step for step in scene.taken.steps if step.state not in ("done", "skipped")), None)
    if row is None:
        return _end(scene, ())
    inside = hold.standing(scene, row)
    stopped = _stopped(scene, row, inside)
    if stopped is not None:
        return stopped
    if row.state not in ("ready", "acting"):
        return _waits(scene, row)
    outcome = _advance(scene, row, inside)
    if inside is None:
        return outcome
    if scene.taken.row.wanted == "pause" and scene.taken.row.reason != PAUSES_LATER and not outcome.events:
        outcome = replace(outcome, reason=PAUSES_LATER, shows=True)
    return hold.in_time(scene, inside, outcome)


def _waits(scene: Scene, row: TickStep) -> Outcome:
    """People are waited for, and their decision makes the run due. What they may do elsewhere is looked for meanwhile:
    done, it needs no approval any more, as nothing is begun here. It stands alone in its block, or at its end."""
    if not _by_people(scene, row):
        return Outcome()
    step = registry.revive(row)
    sight = effect.look(scene, row, step)
    finished = _finish(scene, row, sight.seen, sight, None) if isinstance(sight.seen, Done) else Outcome()
    if not any(mark.event == "finish" for mark in finished.steps):
        return Outcome(due=Due(_PEOPLE_S))
    return replace(finished, steps=(*finished.steps, *_gates(scene)), due=Due(_PEOPLE_S))


def _by_people(scene: Scene, row: TickStep) -> bool:
    if row.state != "gated" or row.op not in registry.known():  # the next step may be of a newer version's
        return False
    last = not any(step.block == row.block and step.number > row.number for step in scene.taken.steps)
    return last and registry.revive(row).by_people


def _gates(scene: Scene) -> list[StepMark]:
    """The next block is what people are asked for now; an approval would have said so."""
    waiting = [step for step in scene.taken.steps if step.state == "waiting"]
    following = min((step.block for step in waiting), default=None)
    return [StepMark(step.phase, step.number, event="gate") for step in waiting if step.block == following]


def stand_still(scene: Scene) -> Outcome:
    """A tick of a run that is paused or held: only an abort or a hold's deadline makes it due."""
    row = next((step for step in scene.taken.steps if step.state not in ("done", "skipped")), None)
    if row is None:
        return Outcome()
    inside = hold.standing(scene, row)
    stopped = _stopped(scene, row, inside)
    if stopped is not None and "pause" not in stopped.events:
        return stopped
    return hold.in_time(scene, inside, Outcome()) if inside else Outcome()


def _stopped(scene: Scene, row: TickStep, inside: Hold | None) -> Outcome | None:
    """What people or a deadline want instead of the next step."""
    wanted = scene.taken.row.wanted
    if wanted == "abort":
        return outcomes.back(scene, "aborted", ABORTED)
    if inside is not None:
        late = hold.too_long(scene, inside)
        return outcomes.back(scene, "failed", late) if late else None
    if wanted == "pause" and not row.acts:
        return Outcome(events=("pause",), reason=PAUSED)
    return None


def _advance(scene: Scene, row: TickStep, inside: Hold | None) -> Outcome:
    step = registry.revive(row)
    try:
        undone = hold.undone(scene, row, inside) if inside else None
    except Exception as error:  # noqa: BLE001 - whatever a step's code raises must not stop other runs
        return _trouble(scene, row, _failing(error, row))
    if undone:
        why = f"A stop was undone, and not by this run: “{undone}” was to be done when the hold ends, and is so already"
        return outcomes.held(why, by=None)
    sight = effect.look(scene, row, step)
    if isinstance(sight.seen, Todo):
        begun = _begin(scene, row, step, sight, inside)
        if isinstance(begun, Outcome):
            return begun
        sight = begun
    if sight.taken is not None:
        scene = replace(scene, taken=sight.taken)
    return _came_to(scene, row, sight, inside)


def _begin(scene: Scene, row: TickStep, step: Step, todo: Sight, inside: Hold | None) -> Sight | Outcome:
    """Have the step's effect, if the world is still the plan's and nothing forbids it."""
    if not row.acts:
        try:
            found = drift.drifted(scene, row)
        except SystemsError as error:
            return _trouble(scene, row, _failing(error, row))
        if found:
            return _drifted(scene, found)
    try:
        return effect.have(scene, row, step, todo, pausable=inside is None and not row.acts)
    except Fenced:
        raise
    except MayNotBegin as refused:
        return _refused(scene, row, refused)


def _failing(error: Exception, row: TickStep) -> Sight:
    return Sight(trouble_of(error, row.failures), row.failures + 1)


def _drifted(scene: Scene, found: drift.Drift) -> Outcome:
    by = {"key": found.key, "expected": found.expected, "found": found.found}
    reason = f"{found.key} is not as the plan knows it"
    if scene.begun:
        return outcomes.held(reason, by=by)
    made = plan_again(scene.context, scene.taken, scene.base)
    if isinstance(made, str):
        return outcomes.back(scene, "expired", f"{reason}, and it cannot be planned again: {made}")
    if made["world"].get(found.key) != found.found:
        return outcomes.held(f"{reason}, and it keeps changing", by=by)
    return Outcome(plan=made, due=Due(0))


def _refused(scene: Scene, row: TickStep, refused: MayNotBegin) -> Outcome:
    match refused:
        case Asked():
            return Outcome(due=Due(0))
        case Frozen():
            return outcomes.said(row, str(refused), _FROZEN_S)
        case Shut():
            return outcomes.said(row, str(refused), _SHUT_S)
        case Elsewhere():
            return outcomes.said(row, str(refused), _ELSEWHERE_S)
        case NotApproved(lapsed=True):
            return outcomes.back(scene, "expired", str(refused))
        case _:
            return outcomes.held(str(refused), by=None)


def _came_to(scene: Scene, row: TickStep, sight: Sight, inside: Hold | None) -> Outcome:
    match sight.seen:
        case Done() as done:
            return _finish(scene, row, done, sight, inside)
        case Wait() as wait:
            return outcomes.waiting(replace(row, state="acting") if sight.acted else row, wait, sight)
        case Todo():
            return outcomes.to_do_still(row, sight)
        case Settling() as settle:
            return outcomes.settling(row, settle, sight)
        case Astray(reason=reason, memo=memo):
            return outcomes.held(reason, [StepMark(row.phase, row.number, memo=memo)], sight.answer, by=None)
        case Failed(reason=reason):
            return _failed(scene, row, reason, sight)
        case Trouble():
            return _trouble(scene, row, sight)
        case _:
            assert_never(sight.seen)


def _failed(scene: Scene, row: TickStep, said: str, sight: Sight) -> Outcome:
    failed = StepMark(row.phase, row.number, event="fail", said=said, failures=sight.failures)
    reason = f"Step {row.number} ({row.title}) failed: {said}"
    return outcomes.back(scene, "failed", reason, marks=[failed], answer=sight.answer)


def _trouble(scene: Scene, row: TickStep, sight: Sight) -> Outcome:
    trouble = sight.seen
    assert isinstance(trouble, Trouble)
    if trouble.definite:
        return _failed(scene, row, trouble.said, sight)
    if sight.failures < PATIENCE:
        return outcomes.again(row, trouble, sight)
    reason = f"Step {row.number} ({row.title}) does not get on: {trouble.said}, {sight.failures} times in a row"
    mark = StepMark(row.phase, row.number, failures=sight.failures)
    outcome = outcomes.held(reason, [mark], sight.answer, by=None)
    return replace(outcome, notices=(hold.notice(scene, f"trouble/{row.number}", f"Run {scene.taken.run}: {reason}."),))


def _finish(scene: Scene, row: TickStep, done: Done, sight: Sight, inside: Hold | None) -> Outcome:
    """The step is done: its writes become the run's world, what it put back is struck off, locks are given back."""
    acted = replace(row, acts=row.acts + 1) if sight.acted else row
    try:
        world = drift.read_again(scene, row)
        struck = _struck(scene, acted, inside)
    except Exception as error:  # noqa: BLE001 - as above; the step is found done again by the next look
        return _trouble(scene, row, replace(_failing(error, row), answer=sight.answer))
    mark = StepMark(row.phase, row.number, event="finish", said=done.said, failures=0 if row.failures else None)
    outcome = _next(scene, row, (mark, *struck))
    return replace(
        outcome,
        answer=sight.answer,
        world=world,
        found=scene.found_with(done.found) if done.found else None,
        release=_given_back(scene, row, inside),
    )


def _struck(scene: Scene, row: TickStep, inside: Hold | None) -> list[StepMark]:
    """The entries that no longer need putting back. What somebody else undid inside a hold stays listed: the next
    look of the hold finds it and goes no further."""
    marks: list[StepMark] = []
    for entry in scene.listed:
        explained = inside is None or entry.hold != row.hold or inside.last(row) or hold.explains(row, entry)
        if explained:
            seen = registry.revive(entry).look(scene.at(entry))
            if isinstance(seen, Done):
                marks.append(StepMark("restore", entry.number, event="strike", said=seen.said))
    return marks


def _next(scene: Scene, row: TickStep, marks: tuple[StepMark, ...]) -> Outcome:
    following = next((s for s in scene.taken.steps if s.number > row.number and s.state != "skipped"), None)
    if following is None:
        return _end(scene, marks)
    return Outcome(marks, onward=True, due=Due(_PEOPLE_S) if _by_people(scene, following) else None)


def _end(scene: Scene, marks: tuple[StepMark, ...]) -> Outcome:
    """Every step is done. A run that left something stopped does not succeed."""
    struck = {mark.number for mark in marks if mark.phase == "restore"}
    still = [entry.title for entry in scene.listed if entry.number not in struck]
    if still:
        reason = f"Every step is done, but this was still to be put back: {'; '.join(still)}"
        return outcomes.back(scene, "failed", reason, marks=marks)
    return Outcome(marks, events=("succeed",), reason="")


def _given_back(scene: Scene, row: TickStep, inside: Hold | None) -> tuple[str, ...]:
    """A hold keeps its locks until its last step."""
    if row.hold is not None and not (inside and inside.last(row)):
        return ()
    rows = inside.steps if inside else [row]
    return scene.resources({name for each in rows for name in registry.revive(each).locks()})
