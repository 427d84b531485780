"""Looking, and having one effect: the same for the steps of a plan and for those that put things back.

An effect whose answer never came is not simply repeated: look; found, it is adopted; not found, its settle time
is waited for; looked at once more, it is begun again under the same key (DESIGN §5, Effects).
"""

from dataclasses import dataclass, replace

from ledger import ticks
from ledger.refusals import Fenced
from ledger.ticks import Beginning, Intent, NewRestore, Taken, TickStep
from runbooks.step import Done, Seen, Step, Todo
from systems.errors import NotPermitted
from workers.engine.scene import Scene
from workers.engine.trouble import Trouble, trouble_of

FUTILE = 5  # effects in a row that were answered and of which nothing is to be seen


@dataclass(frozen=True)
class Settling:
    """Too early to say: look again in ``seconds`` by the machine's clock."""

    seconds: float
    why: str


@dataclass(frozen=True)
class Sight:
    """What a step was found to be. ``answer`` is for the intent: its id and what became of it. ``failures`` are in
    a row, this tick's included; ``acted``: an effect was begun in this tick; ``taken``: the run with what that
    effect listed to be put back."""

    seen: Seen | Settling | Trouble
    failures: int
    answer: tuple[int, str] | None = None
    acted: bool = False
    taken: Taken | None = None


def look(scene: Scene, row: TickStep, step: Step) -> Sight:
    """Look once, and say what that means for an effect whose answer is not known."""
    try:
        seen = step.look(scene.at(row))
    except Exception as error:  # noqa: BLE001 - whatever a step's code raises must not stop other runs
        return _troubled(scene, row, error)
    match seen:
        case Done() if row.intent is not None and row.intent_answer in (None, "lost"):
            return Sight(seen, 0, (row.intent, "adopted"))
        case Todo():
            return _todo(row, step, seen)
        case _:
            return Sight(seen, 0)


def _todo(row: TickStep, step: Step, seen: Todo) -> Sight:
    age = row.intent_age_s or 0.0
    if row.intent is not None and row.intent_answer is None:
        why = "its answer was lost and nothing of it is to be seen yet; looking again"
        return Sight(Settling(step.settle_s, why), row.failures, (row.intent, "lost"))
    if row.intent_answer == "lost" and age < step.settle_s:
        return Sight(Settling(step.settle_s - age, str((row.progress or {}).get("why", ""))), row.failures)
    if row.intent_answer == "ok" and _unchanged(row, seen):
        if age < step.settle_s:
            return Sight(Settling(step.settle_s - age, "done; waiting for it to show"), row.failures)
        if row.failures + 1 >= FUTILE:
            said = f"was asked for {row.failures + 1} times and answered, but nothing of it is to be seen"
            return Sight(Trouble(said, definite=True, unknown=False), row.failures + 1)
        return Sight(seen, row.failures + 1)
    return Sight(seen, row.failures)


def _unchanged(row: TickStep, seen: Todo) -> bool:
    """The same is still to be done as before the last effect. A step of many effects says which in memo or why."""
    same_memo = seen.memo is None or dict(seen.memo) == dict(row.memo)
    return same_memo and seen.why == str((row.progress or {}).get("todo", ""))


def have(scene: Scene, row: TickStep, step: Step, todo: Sight, *, pausable: bool) -> Sight:
    """Have the effect that ``todo`` asks for, then look again. Raises ``MayNotBegin`` when it may not begin."""
    assert isinstance(todo.seen, Todo)
    memo = row.memo if todo.seen.memo is None else todo.seen.memo
    try:
        restore = _remembered(scene, row, step)
    except Exception as error:  # noqa: BLE001 - as above
        return _troubled(scene, row, error)
    wish = Beginning(
        step=row,
        memo=memo,
        progress={**(row.progress or {}), "why": todo.seen.why, "todo": todo.seen.why},
        rules=scene.environment.rules,
        locks=scene.resources(step.locks()),
        restore=restore,
        pausable=pausable,
    )
    with scene.context.pool.connection() as conn:
        intent = ticks.intend(conn, scene.taken, wish)
        taken = ticks.with_steps(conn, scene.taken.row) if restore else None
    begun = replace(row, memo=memo, progress=wish.progress, state="acting", intent=intent.id, intent_answer=None)
    return replace(_act(scene, begun, step, intent, todo), acted=True, taken=taken)


def _act(scene: Scene, begun: TickStep, step: Step, intent: Intent, todo: Sight) -> Sight:
    try:
        with scene.lease.effect(intent.key):
            step.act(scene.at(begun))
    except NotPermitted as unsent:
        if not scene.lease.alive:
            raise Fenced(scene.taken.run) from unsent
        return _troubled(scene, begun, unsent, acted=True)
    except Exception as error:  # noqa: BLE001 - as above
        return _troubled(scene, begun, error, acted=True)
    return _after(scene, begun, step, intent.id, todo)


def _after(scene: Scene, begun: TickStep, step: Step, intent: int, todo: Sight) -> Sight:
    """Only the next look decides whether it took."""
    answered = replace(begun, intent_answer="ok", intent_age_s=0.0, answered=begun.answered + 1)
    again = look(scene, answered, step)
    if isinstance(again.seen, Trouble):
        return replace(again, answer=(intent, "ok"))
    futile = todo.failures > begun.failures and isinstance(again.seen, Todo | Settling)
    return replace(again, failures=todo.failures if futile else 0, answer=(intent, "ok"))


def _remembered(scene: Scene, row: TickStep, step: Step) -> NewRestore | None:
    """What puts things back, before the first effect of a plan step."""
    if row.phase != "plan" or any(entry.origin == row.number for entry in scene.taken.restores):
        return None
    inverse = step.remember(scene.at(row))
    if inverse is None:
        return None
    return NewRestore(
        op=inverse.op,
        params=inverse.params(),
        title=inverse.title(),
        reads=inverse.reads(),
        writes=inverse.writes(),
        long=inverse.long,
    )


def _troubled(scene: Scene, row: TickStep, error: Exception, *, acted: bool = False) -> Sight:
    if isinstance(error, NotPermitted) and not acted and not scene.lease.alive:
        raise Fenced(scene.taken.run) from error
    trouble = trouble_of(error, row.failures)
    answer = None
    if acted and row.intent is not None and not trouble.unknown:
        answer = (row.intent, f"refused: {trouble.said}"[:500])
    return Sight(trouble, row.failures + 1, answer)
