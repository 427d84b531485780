"""A plan's steps: on the card what is near, in a line what is far; in the thread all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bot.cards.shape import current, plan_of, waits_for_people
from bot.cards.words import cut, prose, span, steps_named
from ledger.values import RunView, StepRow

ICONS = {
    "waiting": "○", "gated": "🔒", "ready": "○", "acting": "⏳", "done": "✅", "failed": "❌", "skipped": "➖",
    "listed": "○", "struck": "✅", "left": "⚠️",
}  # fmt: skip
MOST_LINES = 24
_SHORT = 2  # so many steps are shorter listed than summed up
_SHORT_PLAN = 8  # whose finished steps stay listed
_BEFORE, _AFTER = 1, 3  # around the step that the run is at
_OVER = ("done", "skipped")


@dataclass(frozen=True)
class Stretch:
    """Steps in a row under one approval that lie in the same hold, or in none. ``within_s`` is the hold's budget."""

    steps: tuple[StepRow, ...]
    within_s: int | None = None

    @property
    def held(self) -> bool:
        return self.steps[0].hold is not None

    @property
    def over(self) -> bool:
        return all(s.state in _OVER for s in self.steps)

    @property
    def never(self) -> bool:
        """The run ended before it came to them."""
        return all(s.state == "skipped" for s in self.steps)

    @property
    def named(self) -> str:
        return steps_named([s.number for s in self.steps])


def stretches(view: RunView) -> list[Stretch]:
    plan = plan_of(view)
    budgets = {h.hold: h.budget_s for h in plan.holds} if plan else {}
    rows = groupby(view.steps, key=lambda s: (s.block, s.hold))
    return [Stretch(tuple(steps), budgets.get(hold) if hold is not None else None) for (_, hold), steps in rows]


def overview(view: RunView) -> list[str]:
    """For the card: step by step where the run is or what is being approved, the rest in a line a stretch."""
    at, asked = current(view), waits_for_people(view)
    found = stretches(view)
    past = [s for s in found if at and s.steps[-1].number < at.number] if len(view.steps) > _SHORT_PLAN else []
    lines = [f"✅ {_numbers(past)}. Done"] if past else []
    for stretch in found[len(past) :]:
        if len(stretch.steps) <= _SHORT:
            lines += [_line(s) for s in stretch.steps]
        elif asked is not None and stretch.steps[0].block == asked.number:
            lines += [_head(stretch), *(_line(s) for s in stretch.steps)]
        elif at in stretch.steps:
            lines += [_head(stretch), *_around(stretch.steps, at)]
        else:
            lines.append(_summed(stretch))
    return _folded(lines, view)


def _numbers(past: Sequence[Stretch]) -> str:
    last = past[-1].steps[-1].number
    return "1" if last == 1 else f"1–{last}"


def every_step(view: RunView) -> list[str]:
    """For the thread: all steps, or what each came to."""
    lines: list[str] = []
    for stretch in stretches(view):
        lines += [_head(stretch)] if stretch.held else []
        lines += [_came_to(s) for s in stretch.steps]
    return lines


def _came_to(step: StepRow) -> str:
    if step.state not in _OVER or not step.said:
        return _line(step)
    return f"{ICONS[step.state]} {step.number}. {cut(prose(step.said), 160)}"


def _head(stretch: Stretch) -> str:
    if not stretch.held:
        return f"*{stretch.named.capitalize()}*, under the same approval"
    within = f", must end within {span(stretch.within_s)}" if stretch.within_s else ""
    return f"*Hold*, {stretch.named}: from the first thing stopped to the last one started{within}"


def _summed(stretch: Stretch) -> str:
    first, last = stretch.steps[0], stretch.steps[-1]
    if stretch.never:
        return f"{ICONS['skipped']} {first.number}–{last.number}. Not begun"
    if stretch.over:
        return f"✅ {first.number}–{last.number}. {'The hold is over' if stretch.held else 'Done'}"
    within = f", must end within {span(stretch.within_s)}" if stretch.within_s else ""
    what = f"*Hold* of {len(stretch.steps)} steps{within}" if stretch.held else f"{len(stretch.steps)} steps"
    return f"{ICONS[first.state]} {first.number}–{last.number}. {what}, from: {_title(first, 80)}"


def _around(steps: Sequence[StepRow], at: StepRow) -> Iterator[str]:
    where = steps.index(at)
    first, end = max(0, where - _BEFORE), min(len(steps), where + 1 + _AFTER)
    if first == 1:
        first = 0
    if first:
        yield f"✅ {steps[0].number}–{steps[first - 1].number}. Done"
    yield from (_line(s) for s in steps[first:end])
    if end < len(steps):
        yield f"… {len(steps) - end} more"


def _line(step: StepRow) -> str:
    said = f" – {cut(prose(step.said), 160)}" if step.said and step.state == "failed" else ""
    icon = ICONS["waiting" if step.state == "gated" and step.gate == "none" else step.state]  # one lock an approval
    return f"{icon} {step.number}. {_title(step, 110)}{said}"


def _title(step: StepRow, length: int) -> str:
    return cut(prose(step.title), length)


def _folded(lines: list[str], view: RunView) -> list[str]:
    """At most ``MOST_LINES`` of a plan of very many stretches, around where the run is."""
    if len(lines) <= MOST_LINES:
        return lines
    at = current(view)
    here = next((i for i, line in enumerate(lines) if at and f" {at.number}. " in line[:12]), 0)
    start = max(0, min(here - _BEFORE, len(lines) - MOST_LINES + 2))
    kept = lines[start : start + MOST_LINES - 2]
    above, below = start, len(lines) - start - len(kept)
    return [
        *([f"_{above} before_"] if above else []), *kept, *([f"_and {below} more_"] if below else [])
    ]  # fmt: skip
