"""The list of steps on a card: one line a step, holds framed, what is far away folded."""

from collections.abc import Sequence

from bot.cards.shape import PlanBlock, blocks_of
from bot.cards.words import cut, prose, span
from ledger.values import StepRow
from runbooks.plan import HoldLimit

ICONS = {
    "waiting": "▫️", "gated": "🔒", "ready": "▶️", "acting": "⏳", "done": "✅", "failed": "❌", "skipped": "➖",
    "listed": "▫️", "struck": "✅", "left": "⚠️",
}  # fmt: skip
MOST_LINES = 24
_BEFORE = 4  # how many finished steps stay unfolded


def step_lines(steps: Sequence[StepRow], holds: Sequence[HoldLimit]) -> list[str]:
    """Lines for the whole plan, at most about ``MOST_LINES`` of them."""
    budgets = {h.hold: h for h in holds}
    lines: list[tuple[int, str]] = []  # (number of the last step it speaks of, text)
    for block in blocks_of(steps):
        if block.held:
            lines.append((block.steps[0].number, _hold_line(block, budgets)))
        lines += [(s.number, _line(s, indent=block.held)) for s in block.steps]
    return _folded(lines, steps)


def _hold_line(block: PlanBlock, budgets: dict[int, HoldLimit]) -> str:
    hold = next(s.hold for s in block.steps if s.hold is not None)
    limit = budgets.get(hold)
    within = f", at most {span(limit.budget_s)}" if limit else ""
    return f"*Hold* – {block.named} are approved as one{within}"


def _line(step: StepRow, *, indent: bool) -> str:
    strong = " · _destructive_" if step.gate == "strong" and step.state in ("waiting", "gated") else ""
    said = f" – {cut(prose(step.said), 160)}" if step.said else ""
    return f"{'    ' if indent else ''}{ICONS[step.state]} {step.number}. {cut(prose(step.title), 160)}{strong}{said}"


def _folded(lines: list[tuple[int, str]], steps: Sequence[StepRow]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return [text for _, text in lines]
    at = next((s.number for s in steps if s.state not in ("done", "skipped")), steps[-1].number)
    start = next((i for i, (number, _) in enumerate(lines) if number >= at - _BEFORE), 0)
    start = max(0, min(start, len(lines) - MOST_LINES + 2))
    kept = lines[start : start + MOST_LINES - 2]
    above = [f"✅ 1–{lines[start - 1][0]} done"] if start else []
    below = len(steps) - kept[-1][0]
    return [*above, *(text for _, text in kept), *([f"_and {below} more_"] if below > 0 else [])]
