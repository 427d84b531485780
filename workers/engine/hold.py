"""Inside a hold: the stops must still stand, and it must end in time (facts/procedures.md §2.2, §2.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from ledger.ticks import Due, Notice, Outcome, TickStep
from workers.engine import registry
from workers.engine.scene import Scene


@dataclass(frozen=True)
class Hold:
    """The hold that the next step lies in, once something is stopped. Times are the calendar's, in seconds."""

    number: int
    budget_s: int
    lasted_s: float
    steps: Sequence[TickStep]

    @property
    def left_s(self) -> float:
        """Until half of its budget is used."""
        return self.budget_s / 2 - self.lasted_s

    def last(self, row: TickStep) -> bool:
        return row.number == self.steps[-1].number


def standing(scene: Scene, row: TickStep) -> Hold | None:
    """The hold that ``row`` lies in, if an effect of it has begun."""
    if row.phase != "plan" or row.hold is None:
        return None
    steps = [step for step in scene.taken.steps if step.hold == row.hold]
    begun = min((step.started_at for step in steps if step.acts and step.started_at), default=None)
    if begun is None:
        return None
    budget = next((int(h["budget_s"]) for h in scene.taken.row.holds if h["hold"] == row.hold), 0)
    lasted: timedelta = scene.taken.row.now - begun
    return Hold(row.hold, budget, lasted.total_seconds(), steps)


def too_long(scene: Scene, hold: Hold) -> str | None:
    """The sentence to go back with: half the budget is used, and nothing was touched yet."""
    if hold.left_s > 0 or scene.touched:
        return None
    return (
        f"The hold has lasted {hold.lasted_s:.0f} s, half of the {hold.budget_s} s that it may last; "
        "no table was touched yet, so everything is put back"
    )


def in_time(scene: Scene, hold: Hold, outcome: Outcome) -> Outcome:
    """The outcome, with the next look no later than the hold's deadline; past it people are called, once."""
    if hold.left_s > 0:
        due = outcome.due
        sooner = not outcome.onward and (due is None or (not due.machine and due.seconds > hold.left_s))
        return replace(outcome, due=Due(hold.left_s)) if sooner else outcome
    if not scene.touched:
        return outcome
    target = scene.taken.row.target or "the table"
    text = (
        f"Run {scene.taken.run}: the hold on {target} has lasted {hold.lasted_s:.0f} s, half of the {hold.budget_s} s "
        f"that it may last. {target} is being rebuilt, so the run goes on; where a Sequin sink is held, every sink of "
        "its slot stops once that time is over."
    )
    return replace(outcome, notices=(*outcome.notices, notice(scene, f"hold/{hold.number}", text)))


def notice(scene: Scene, about: str, text: str) -> Notice:
    """A call for people in the alerts channel."""
    channel = scene.environment.channels.alerts
    return Notice(f"run/{scene.taken.run}/{about}", channel, {"text": text, "run": scene.taken.run})


def undone(scene: Scene, row: TickStep, hold: Hold) -> str | None:
    """What was stopped in this hold and runs again, though no step of the plan started it. Raises what looking does."""
    inside = {step.number for step in hold.steps}
    for entry in scene.listed:
        mine = entry.origin not in inside or explains(row, entry)
        if not mine and registry.revive(entry).undone(scene.at(entry)):
            return entry.title
    return None


def explains(row: TickStep, entry: TickStep) -> bool:
    """Whether an effect of ``row`` may itself have put back what ``entry`` would."""
    if entry.origin == row.number:
        return True
    return row.acts > 0 and (not entry.writes or not set(entry.writes).isdisjoint(row.writes))
