"""Buttons. A button is only a request: the ledger checks identity, policy, plan and state (DESIGN §6)."""

from typing import get_args

from bot import forms, incident_clicks, retries
from bot.asking import groups, request
from bot.cards import incident_buttons, modals
from bot.cards.buttons import PROPOSES, Pressed, read_value
from bot.cards.copies import RESCHEDULES
from bot.context import Context
from bot.outcome import NOT_MINE, Outcome, Ring, Sender, rule, tell
from ledger import decisions, messages, questions, runs
from ledger.connection import Conn
from ledger.decisions import Decided, Verdict
from ledger.errors import NoSuchRun
from ledger.values import InboxRow, RunView
from runbooks.request import Propose, Request, Timetable

_DEEDS: dict[str, Decided] = {d: d for d in get_args(Decided)}


def handle(ctx: Context, conn: Conn, row: InboxRow, sender: Sender) -> Outcome:
    if str(row.payload.get("action_id")).startswith(incident_buttons.OWN):
        return incident_clicks.handle(ctx, conn, row, sender)
    pressed = read_value(str(row.payload.get("value") or ""))
    if pressed and row.payload.get("action_id") == modals.OPENS:
        return forms.fill(ctx, conn, row, pressed.run)
    if pressed and row.payload.get("action_id") == PROPOSES:
        return request(ctx, conn, row, sender, Request(text=f"propose {pressed.run}", job=Propose(run=pressed.run)))
    if pressed and row.payload.get("action_id") == RESCHEDULES:
        return _reschedule(ctx, conn, row, sender, pressed.run)
    deed, step, up_to = _deed(str(row.payload.get("action_id") or ""))
    if pressed is None or deed is None or (step is not None and step != pressed.step):
        return tell(NOT_MINE, said="not a button of ours")
    return _decided(ctx, conn, row, sender, deed, pressed, up_to=up_to, reason="", typed=False)


def _reschedule(ctx: Context, conn: Conn, row: InboxRow, sender: Sender, number: int) -> Outcome:
    """What the answer to that question offers, in its environment."""
    asked = questions.get(conn, number)
    if asked is None or asked.kind != "copies":
        return tell(NOT_MINE, said="not a button of ours")
    name = str(asked.asked["environment"])
    line = f"copies reschedule --env {name}"
    return request(ctx, conn, row, sender, Request(text=line, job=Timetable(), environment=name))


def decide(
    ctx: Context, conn: Conn, row: InboxRow, sender: Sender, deed: Decided, run: int, *,
    step: int | None, up_to: bool, reason: str | None,
) -> Outcome:  # fmt: skip
    """A decision that was typed: it speaks of the plan as it is now, so it carries no hash."""
    pressed = Pressed(run, step or 0, "")
    return _decided(ctx, conn, row, sender, deed, pressed, up_to=up_to, reason=reason or "", typed=True)


def _deed(action_id: str) -> tuple[Decided | None, int | None, bool]:
    """``tb:approve-up-to:7`` → approve, 7, True. None for what is no button of ours."""
    own, _, rest = action_id.partition(":")
    name, _, number = rest.partition(":")
    step = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
    if own != "tb":
        return None, None, False
    if name == "approve-up-to":
        return "approve", step, True
    return _DEEDS.get(name), step, False


def _decided(
    ctx: Context, conn: Conn, row: InboxRow, sender: Sender, deed: Decided, pressed: Pressed, *,
    up_to: bool, reason: str, typed: bool,
) -> Outcome:  # fmt: skip
    try:
        view = runs.get(conn, pressed.run)
    except NoSuchRun:
        return tell(f"There is no run {pressed.run}; `runs` lists the open ones. Nothing was changed.")
    rules = ctx.settings.environment(view.run.environment).rules
    block = _block(view, pressed.step)
    if pressed.step and block is None and deed == "approve":
        return tell(f"Run {pressed.run} has no step {pressed.step}. Nothing was changed.", said="no such step")
    verdict = decisions.decide(
        conn, rules, ctx.directory.actor(sender.team, sender.user, groups(rules)), deed, pressed.run,
        block=None if up_to else block, up_to=block if up_to else None, hash=None if typed else pressed.hash,
        inbox=row.id, reason=reason, acknowledge=() if typed else _warnings(view),
    )  # fmt: skip
    if verdict.goes_on is not None:
        return retries.go_on(conn, row, sender, view, verdict.goes_on, reason)
    return _answered(conn, pressed.run, verdict, deed, typed=typed)


def _answered(conn: Conn, run: int, verdict: Verdict, deed: Decided, *, typed: bool) -> Outcome:
    """The card shows what a click did; a refusal, and what was typed elsewhere, are answered to the person alone."""
    publish: tuple[Ring, ...] = tuple(("publish", m) for m in messages.behind_of(conn, run))
    if not verdict.accepted:
        how = " Approve by the button on the card, which lists them." if verdict.unacknowledged else ""
        refused = rule(verdict.said + how, said=f"refused: {deed} of run {run}")
        return Outcome(refused.said, publish, refused.answer)
    rings: tuple[Ring, ...] = (("tick", run), *publish)
    return Outcome(f"{deed} of run {run}", rings, {"kind": "rule", "text": verdict.said} if typed else None)


def _block(view: RunView, step: int) -> int | None:
    return next((s.block for s in view.steps if s.number == step), None)


def _warnings(view: RunView) -> tuple[str, ...]:
    """The warnings that the card shows and its button's dialog lists: pressing it acknowledges them."""
    hazards = (view.run.plan or {}).get("hazards", ())
    return tuple(sorted({h["slug"] for h in hazards if h["level"] == "warning"}))
