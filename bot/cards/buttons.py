"""Which buttons a run's card carries, by state. A button is only a request: the ledger decides when it is pressed."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.cards.blocks import Block, actions, button, confirm
from bot.cards.shape import NOBODY, Lacking, PlanBlock, current, open_blocks, plan_of
from bot.cards.words import cut, span
from ledger.values import Run, RunView
from runbooks.plan import Hazard, HoldLimit, Plan
from runbooks.request import MADE_BY

VERSION = "v1"
PROPOSES = "tb:propose"


@dataclass(frozen=True)
class Pressed:
    """A button's value, read back. ``step`` is 0 where the deed is on the whole run."""

    run: int
    step: int
    hash: str


def value(run: int, step: int, hash: str) -> str:
    return f"{VERSION}|{run}|{step}|{hash}"


def read_value(text: str) -> Pressed | None:
    """The value as it was made, or None for anything forged, cut or of another version."""
    parts = text.split("|")
    if (
        len(parts) != 4
        or parts[0] != VERSION
        or not all(p.isascii() and p.isdigit() and len(p) < 16 for p in parts[1:3])
    ):
        return None
    if len(parts[3]) > 64 or not all(c in "0123456789abcdef" for c in parts[3]):
        return None
    return Pressed(int(parts[1]), int(parts[2]), parts[3])


def buttons(view: RunView, lacking: Lacking = NOBODY, repository: str = "") -> list[Block]:
    """The card's row of buttons, at most four; none while it is planned or put back. ``repository`` is where what it
    made can be offered; empty where tbops.toml names none."""
    plan = plan_of(view)
    row: list[Block] = []
    match view.run.state:
        case "proposed" | "running" if plan is not None:
            row = [*_approving(view, plan, lacking), *_steering(view)]
        case "paused":
            row = [_plain(view, "Resume", "resume", style="primary"), _abort(view)]
        case "held":
            row = _held(view)
        case "refused" if untyped_field(view.run):
            row = [_plain(view, "Choose a type", "choose-type", style="primary")]
        case "failed" | "aborted" | "expired" if view.followed is None:
            row = _over(view)
        case "succeeded" if repository and offered(view):
            row = [_plain(view, "Open a pull request", "propose")]
        case _:
            pass
    return [actions(row)] if row else []


def offered(view: RunView) -> tuple[str, ...]:
    """The files of its plan that the project's repository can be offered."""
    plan = view.run.plan or {}
    return tuple(plan.get("datafiles", ())) if plan.get("request", {}).get("kind") in {*MADE_BY, "finish"} else ()


def untyped_field(run: Run) -> str | None:
    """The field whose missing type is why planning refused."""
    return run.untyped if run.state == "refused" else None


def _approving(view: RunView, plan: Plan, lacking: Lacking) -> list[Block]:
    blocks = open_blocks(view)
    if plan.blocked or not blocks:
        return []
    made = [_approve(view, plan, blocks[0], lacking)]
    if len(blocks) > 1:
        made.append(_approve_up_to(view, plan, blocks))
    return made


def _approve(view: RunView, plan: Plan, block: PlanBlock, lacking: Lacking) -> Block:
    dialog = _dialog(view, plan, [block], f"Approve {block.named}?")
    label = f"Approve {block.named}{_needed(view, block, lacking)}"
    return button(label, f"tb:approve:{block.first}", _value(view, block.first), style="primary", confirm=dialog)


def _needed(view: RunView, block: PlanBlock, lacking: Lacking) -> str:
    missing = lacking.get(block.number, 1)
    begun = any(d.action == "approve" and d.block == block.number and d.hash == view.run.hash for d in view.decisions)
    if begun:
        return f" ({missing} more needed)"
    return f" ({missing} people needed)" if missing > 1 else ""


def _approve_up_to(view: RunView, plan: Plan, blocks: Sequence[PlanBlock]) -> Block:
    last = blocks[-1]
    dialog = _dialog(view, plan, blocks, f"Approve all {len(blocks)} parts at once?")
    label = f"Approve up to step {last.steps[-1].number}"
    return button(label, f"tb:approve-up-to:{last.first}", _value(view, last.first), confirm=dialog)


def _dialog(view: RunView, plan: Plan, blocks: Sequence[PlanBlock], title: str) -> Block | None:
    """Asks again where there is something to acknowledge: warnings, a hold, destruction."""
    said = [*_warnings(plan.hazards, view.run.acknowledged), *_costs(blocks, plan.holds)]
    if not said:
        return None
    return confirm(title, cut("\n".join(said), 300), "Approve", danger=any(b.strong for b in blocks))


def _warnings(hazards: Sequence[Hazard], acknowledged: Sequence[str]) -> list[str]:
    return [
        f"⚠ {h.slug} ({h.resource}): {h.message}"
        for h in hazards
        if h.level == "warning" and h.slug not in acknowledged
    ]


def _costs(blocks: Sequence[PlanBlock], holds: Sequence[HoldLimit]) -> list[str]:
    inside = {s.hold for b in blocks for s in b.steps}
    said = [f"Ingestion is held, for at most {span(h.budget_s)}; nothing is lost." for h in holds if h.hold in inside]
    hard = [next((s for s in b.steps if s.touches), b.steps[0]) for b in blocks if b.strong]
    return said + [f"Not easily undone: step {s.number}, {s.title}." for s in hard]


def _steering(view: RunView) -> list[Block]:
    if view.run.state == "proposed":
        dialog = confirm("Reject this plan?", "Nothing has been changed and nothing will be.", "Reject")
        return [button("Reject", "tb:reject", _value(view, 0), style="danger", confirm=dialog)]
    match view.run.wanted:
        case "run":
            return [_plain(view, "Pause", "pause"), _abort(view)]
        case "pause":  # asked for, and not yet begun: it may be taken back, and must not be in the way of an abort
            return [_plain(view, "Resume", "resume"), _abort(view)]
        case _:
            return []


def _held(view: RunView) -> list[Block]:
    step = current(view)
    number = step.number if step else 0
    if not (view.run.held or {}).get("key"):
        again = button("Try again", "tb:retry", _value(view, number), style="primary")
        return [again, _restore(view, number)]
    what = "What was found becomes what the run counts on, and the next step is carried out."
    go_on = confirm("Accept and continue?", what, "Accept and continue")
    accept = button("Accept and continue", "tb:accept", _value(view, number), confirm=go_on)
    return [accept, _restore(view, number)]


def _over(view: RunView) -> list[Block]:
    """What is left is planned as a run of its own, or all of it anew: nothing begins before that is approved."""
    if any(entry.state == "left" for entry in view.restore):
        return [_plain(view, "Finish what is left", "retry", style="primary")]
    return [_plain(view, "Plan it again", "retry")] if view.run.started_at is not None else []


def _restore(view: RunView, number: int) -> Block:
    text = "What the run stopped is started again, as far as that is safe."
    dialog = confirm("Stop and restore?", text, "Stop and restore", danger=True)
    return button("Stop and restore", "tb:restore", _value(view, number), style="danger", confirm=dialog)


def _abort(view: RunView) -> Block:
    text = "The step being done is finished, then what the run stopped is started again, as far as that is safe."
    return _plain(view, "Abort", "abort", style="danger", dialog=confirm("Abort this run?", text, "Abort", danger=True))


def _plain(view: RunView, label: str, deed: str, *, style: str | None = None, dialog: Block | None = None) -> Block:
    return button(label, f"tb:{deed}", _value(view, 0), style=style, confirm=dialog)


def _value(view: RunView, step: int) -> str:
    return value(view.run.id, step, view.run.hash or "")
