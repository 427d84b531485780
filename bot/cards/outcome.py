"""What came of it: what was proven, how long ingestion was held, what was put back, kept or left to do."""

from collections.abc import Iterator
from typing import Any

from bot.cards.blocks import Block, section, sections
from bot.cards.buttons import offered
from bot.cards.shape import of_copies, plan_of
from bot.cards.steps import stretches
from bot.cards.words import clock, code, count, cut, prose, some, span
from ledger.values import RunView, StepRow

MOST = 12


def outcome(view: RunView, repository: str = "") -> list[Block]:
    """Blocks below the status: nothing while all goes as planned. ``repository``: where what it made can be offered."""
    made: list[Block] = []
    if of_copies(view):
        return sections(list(_copies(view)))
    if view.run.state == "succeeded":
        made += sections([*_proven(view), *_held(view), *_kept(view), *_offered(view, repository)])
    if view.run.state in ("restoring", "failed", "aborted", "expired"):
        made += _restored(view)
        made += sections([*_held(view), *_kept(view)]) if view.run.state != "restoring" else []
    return made


def _copies(view: RunView) -> Iterator[str]:
    """What each copy came to, as it said it; one that emptied its target stands out."""
    done = [s for s in view.steps if s.said and s.state == "done"]
    for step in done[:MOST]:
        copied: dict[str, Any] = view.run.found.get(f"copied/{step.params.get('pipe')}") or {}
        emptied = copied.get("rows") == 0 and copied.get("before") and copied.get("mode") == "replace"
        yield f"{'⚠️' if emptied else '•'} {cut(prose(step.said), 300)}"
    if len(done) > MOST:
        yield f"_and {len(done) - MOST} more in the thread_"


def _proven(view: RunView) -> Iterator[str]:
    tables = list(dict.fromkeys(str(t) for t in view.run.found.get("proven", ())))
    proof: dict[str, Any] = view.run.found.get("proof") or {}
    if len(tables) != 1 or not proof:
        said = [f"• *Proven*: {cut(prose(s.said), 400)}" for s in view.steps if s.said and _proof(s)]
        yield from dict.fromkeys(said[:MOST])
        return
    columns = [str(c) for c in proof.get("columns", ())]
    what = code(columns[0]) if len(columns) == 1 else count(len(columns), "columns")
    yield f"• *Proven*: all {count(int(proof.get('rows', 0)), 'rows')} of {code(tables[0])} equal Postgres in {what}"
    if unproven := [code(str(c)) for c in proof.get("not_proven", ())]:
        yield f"• *Not compared*: {some(unproven, 6)} (the two sides have no common way to write it)"
    odd = {"ghosts": "in Tinybird only", "quarantined": "in quarantine", "without_version": "without a version"}
    if counted := [f"{count(int(proof[key]), 'rows')} {label}" for key, label in odd.items() if proof.get(key)]:
        yield f"• *Beside them*: {', '.join(counted)}"


def _proof(step: StepRow) -> bool:
    return step.op.startswith(("proof.", "prove."))


def _held(view: RunView) -> Iterator[str]:
    """How long ingestion was held, as measured: from the first thing stopped to the last one started."""
    plan = plan_of(view)
    if plan is None or view.run.started_at is None:
        return
    held = [s for s in stretches(view) if s.held]
    if not held:
        yield "• *Held*: nothing"
    for stretch in held:
        begun = [s.started_at for s in stretch.steps if s.started_at]
        if not begun:
            continue
        end = stretch.steps[-1].finished_at or view.run.finished_at or view.now
        figures = f"about {span(plan.hold.seconds)} was planned"
        figures += f", {span(stretch.within_s)} was the limit" if stretch.within_s else ""
        lasted, since = span((end - min(begun)).total_seconds()), clock(min(begun), view.now)
        yield f"• *Held*: ingestion for {lasted} from {since} ({figures})"


def _kept(view: RunView) -> Iterator[str]:
    kept: dict[str, Any] = view.run.found.get("kept") or {}
    if not kept.get("name"):
        if view.run.state == "succeeded":
            yield "• *Left to do*: nothing"
        return
    of, name, until = (str(kept.get(k) or "") for k in ("of", "name", "retire"))
    yield f"• *Kept*: the old {code(of)} as {code(name)}{f' until {until}' if until else ''}"
    when = " after that day" if until else ""
    yield f"• *Left to do*: drop {code(name)}{when}, by {code(f'/tb retire {view.run.id}')}"


def _offered(view: RunView, repository: str) -> Iterator[str]:
    if repository and (files := offered(view)):
        what = "its datafile" if len(files) == 1 else f"its {len(files)} files"
        how = code(f"/tb propose {view.run.id}")
        yield f"• *For the repository*: {what} can go to {code(repository)} by a pull request, by {how}"


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
    icon = {"left": "⚠️", "acting": "⏳"}.get(row.state, "○")
    why = f" – {cut(prose(row.said), 300)}" if row.said else ""
    return f"{icon} {cut(prose(row.title), 200)}{why}"
