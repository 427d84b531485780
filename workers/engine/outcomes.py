"""What a tick stores: the outcomes that both phases share."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ledger.ticks import Due, Outcome, StepMark, TickStep
from runbooks.step import Progress, Wait
from workers.engine.effect import Settling, Sight
from workers.engine.scene import Scene
from workers.engine.trouble import Trouble, back_off

Ending = Literal["failed", "aborted", "expired"]

END: Mapping[str, str] = {"failed": "fail", "aborted": "abort", "expired": "expire"}


def waiting(row: TickStep, wait: Wait, sight: Sight) -> Outcome:
    """Look again later; what it waits for is shown."""
    begins = "act" if row.state == "ready" else None
    progress = shown(wait.why, wait.progress)
    mark = StepMark(row.phase, row.number, event=begins, memo=wait.memo, progress=progress, failures=0)
    return Outcome((mark,), sight.answer, due=Due(wait.after), shows=progress != row.progress)


def settling(row: TickStep, settle: Settling, sight: Sight) -> Outcome:
    """Too early to say. What an effect of this very tick stored beside its intent stays."""
    progress = None if sight.acted else {**(row.progress or {}), "why": settle.why}
    mark = StepMark(row.phase, row.number, progress=progress, failures=sight.failures)
    shows = progress is not None and progress != row.progress
    return Outcome((mark,), sight.answer, due=Due(settle.seconds, machine=True), shows=shows)


def to_do_still(row: TickStep, sight: Sight) -> Outcome:
    """One effect of several was had: go on at once."""
    mark = StepMark(row.phase, row.number, failures=sight.failures)
    return Outcome((mark,), sight.answer, due=Due(0), shows=True)


def again(row: TickStep, trouble: Trouble, sight: Sight) -> Outcome:
    """A system did not answer: look again, later each time, and say so."""
    seconds = back_off(sight.failures)
    progress = {**(row.progress or {}), "why": f"{trouble.said}; looking again in {seconds:.0f} s"}
    mark = StepMark(row.phase, row.number, progress=progress, failures=sight.failures)
    return Outcome((mark,), sight.answer, due=Due(seconds), shows=True)


def said(row: TickStep, why: str, seconds: float) -> Outcome:
    """Nothing is wrong, but it may not begin yet."""
    progress = {**(row.progress or {}), "why": why}
    return Outcome(
        (StepMark(row.phase, row.number, progress=progress),), due=Due(seconds), shows=progress != row.progress
    )


def back(
    scene: Scene, ending: Ending, reason: str, *, marks: Sequence[StepMark] = (), answer: tuple[int, str] | None = None
) -> Outcome:
    """The run goes no further: what it stopped is put back; with nothing to put back it is over."""
    struck = {mark.number for mark in marks if mark.phase == "restore"}
    listed = [entry for entry in scene.listed if entry.number not in struck]
    events = ("restore",) if listed else ("restore", END[ending])
    return Outcome(tuple(marks), answer, events, reason=reason, ending=ending, due=Due(0))


def held(
    reason: str, marks: Sequence[StepMark] = (), answer: tuple[int, str] | None = None, *, by: Mapping[str, Any] | None
) -> Outcome:
    """People decide. ``by`` is ``{"key", "expected", "found"}`` for drift, else None."""
    return Outcome(tuple(marks), answer, ("hold",), reason=reason, held=by or {})


def shown(why: str, progress: Progress | None) -> dict[str, Any]:
    """Progress as rows keep it and cards show it."""
    counted = {"done": progress.done, "total": progress.total, "unit": progress.unit} if progress else {}
    return {**counted, "why": why}
