"""A long step's one reply: bar, amount, rate, time left."""

from bot.cards.blocks import Card, section
from bot.cards.status import joined, sentence
from bot.cards.steps import ICONS
from bot.cards.words import count, cut, prose, span
from ledger.values import RunView, StepRow

_CELLS = 20
_NEEDED_S = 3.0  # a rate from less time than this is noise


def progress(view: RunView, number: int) -> Card:
    step = next(s for s in view.steps if s.number == number)
    said = joined(f"Step {number} of run {view.run.id}: {sentence(cut(step.title, 300))}", _state(view, step))
    bar = _bar(step)
    lines = [
        f"{ICONS[step.state]} *{number}. {cut(prose(step.title), 300)}*",
        *([bar] if bar else []),
        _state(view, step),
    ]
    return Card(cut(said, 1500), (section("\n".join(line for line in lines if line)),))


def _amounts(step: StepRow) -> tuple[int, int | None, str]:
    found = step.progress or {}
    total = found.get("total")
    return int(found.get("done") or 0), int(total) if total else None, str(found.get("unit") or "rows")


def _bar(step: StepRow) -> str:
    done, total, _ = _amounts(step)
    if step.state != "acting" or not total:
        return ""
    share = min(1.0, done / total)
    full = round(share * _CELLS)
    return f"`{'█' * full}{'░' * (_CELLS - full)}` {share * 100:.0f} %"


def _state(view: RunView, step: StepRow) -> str:
    done, total, unit = _amounts(step)
    if step.state == "acting":
        return _moving(view, step, done, total, prose(unit))
    took = ""
    if step.started_at and step.finished_at:
        lasted = span((step.finished_at - step.started_at).total_seconds())
        took = f" {'in' if step.state == 'done' else 'after'} {lasted}"
    amount = f" {count(done, prose(unit))}." if done and not step.said else ""  # the last amount seen is older
    return joined(f"{_word(view, step)}{took}.{amount}", sentence(cut(step.said, 600)))


def _word(view: RunView, step: StepRow) -> str:
    if step.state == "failed" and not step.said and view.run.ending == "aborted":
        return "Broken off by the abort"
    return {"done": "Done", "failed": "Failed", "skipped": "Not needed"}.get(step.state, "Not going on")


def _moving(view: RunView, step: StepRow, done: int, total: int | None, unit: str) -> str:
    parts = [f"{done:,} of {count(total, unit)}"] if total else [count(done, unit)] if done else []
    lasted = (view.now - step.started_at).total_seconds() if step.started_at else 0.0
    if done and lasted >= _NEEDED_S:
        rate = done / lasted
        parts.append(f"{rate:,.0f} {unit}/s" if rate >= 1 else f"{rate * 60:,.0f} {unit}/min")
        if total and total - done >= rate:
            parts.append(f"about {span((total - done) / rate)} left")
    why = str((step.progress or {}).get("why") or "")
    if "_" not in why.partition(" ")[0]:  # a pipe's name keeps its letters
        why = why[:1].upper() + why[1:]
    begun = "Begun." if view.run.state in ("running", "restoring") else f"The run is {view.run.state}."
    return joined(" · ".join(parts) + "." if parts else begun, sentence(cut(why, 300)))
