"""What came of it: the proof, what was put back, what was left as it is and why."""

from bot.cards.blocks import Block, section, sections
from bot.cards.words import cut, prose, some
from ledger.values import RunView, StepRow

MOST = 12


def outcome(view: RunView) -> list[Block]:
    """Blocks below the status: nothing while all goes as planned."""
    made: list[Block] = []
    if view.run.state == "succeeded":
        made += _proof(view)
    if view.run.state in ("restoring", "failed", "aborted", "expired"):
        made += _restored(view)
    return made


def _proof(view: RunView) -> list[Block]:
    proven = [str(t) for t in view.run.found.get("proven", ())]
    said = [f"• {cut(prose(s.said), 400)}" for s in view.steps if s.said and ".prove" in f".{s.op}"]
    head = f"*Proven*: {prose(some(list(dict.fromkeys(proven)), 6))}" if proven else ""
    lines = [line for line in (head, *said[:MOST]) if line]
    return sections(lines)


def _restored(view: RunView) -> list[Block]:
    if not view.restore:
        return []
    back = [r for r in view.restore if r.state in ("done", "struck")]
    left = [r for r in view.restore if r.state in ("left", "listed", "acting")]
    lines = ["*Put back*", *(f"✅ {cut(prose(r.title), 200)}" for r in back[:MOST])] if back else []
    if len(back) > MOST:
        lines.append(f"_and {len(back) - MOST} more_")
    if left:
        over = view.run.state != "restoring"
        lines += ["*Left as it is*" if over else "*Still to be put back*", *(_open(r) for r in left[:MOST])]
    return sections(lines) or [section("Nothing had been stopped.")]


def _open(row: StepRow) -> str:
    icon = {"left": "⚠️", "acting": "⏳"}.get(row.state, "▫️")
    why = f" – {cut(prose(row.said), 300)}" if row.said else ""
    return f"{icon} {cut(prose(row.title), 200)}{why}"
