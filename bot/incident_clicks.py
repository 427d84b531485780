"""What people do about incidents, by button or typed. The ledger checks who may, and how it stands (DESIGN §6)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from bot.asking import UNCHANGED, Place, groups, no_environment, request
from bot.cards.incident_buttons import TOMORROW, Pressed, read_value
from bot.context import Context
from bot.incident_offers import request_of
from bot.outcome import NOT_MINE, Outcome, Ring, Sender, rule, tell
from ledger import incident_decisions, incident_views, incidents, silencing
from ledger.connection import Conn, calendar
from ledger.deciding import Verdict
from ledger.incident_decisions import Deed
from ledger.incidents import Incident
from ledger.policy import Actor
from ledger.values import InboxRow

MORNING = 9  # o'clock UTC


def handle(ctx: Context, conn: Conn, row: InboxRow, sender: Sender) -> Outcome:
    """A button of an incident's card."""
    pressed = read_value(str(row.payload.get("value") or ""))
    found = incidents.get(conn, pressed.incident) if pressed else None
    if pressed is None or found is None:
        return tell(NOT_MINE, said="not a button of ours")
    match pressed.deed:
        case "error" | "owner":
            return Outcome(pressed.deed, answer={"kind": f"incident-{pressed.deed}", "incident": found.id})
        case "silence" | "lift":
            return _silenced(ctx, conn, sender, pressed.deed, found)
        case "offer":
            return _offer(ctx, conn, row, sender, found, pressed)
        case "snooze":
            until = _until(pressed.argument, calendar(conn))
            if until is None:
                return tell(NOT_MINE, said="not a button of ours")
            return _decided(ctx, conn, sender, "snooze", found, times=pressed.times, until=until)
        case deed:
            return _decided(ctx, conn, sender, deed, found, times=pressed.times, holder=pressed.argument)


def typed(
    ctx: Context, conn: Conn, sender: Sender, deed: Deed, number: int, *, until: int | str | None = None
) -> Outcome:
    """``ack`` and ``snooze``: said to whoever typed it, for the card is elsewhere. ``until``: in so many seconds, or
    ``tomorrow``."""
    found = incidents.get(conn, number)
    if found is None:
        return tell(f"There is no incident {number}; `incidents` lists the open ones. {UNCHANGED}", said="no incident")
    at = _until(str(until), calendar(conn)) if until is not None else None
    return _decided(ctx, conn, sender, deed, found, until=at, answered=True)


def _silenced(ctx: Context, conn: Conn, sender: Sender, deed: Literal["silence", "lift"], of: Incident) -> Outcome:
    """By its card: of the subject of this very incident, whatever card lists it."""
    environment = ctx.settings.environments.get(of.environment)
    if environment is None:
        return no_environment(ctx, of.environment)
    actor = _actor(ctx, sender, of.environment)
    does = silencing.silence if deed == "silence" else silencing.lift
    verdict = does(conn, environment.rules, actor, of.environment, of.subject, of.name)
    rings: tuple[Ring, ...] = tuple(("publish", m) for m in silencing.behind(conn, of.environment, of.subject))
    return outcome_of(verdict, f"{deed} of {of.name}", rings, told=False)


def _decided(
    ctx: Context, conn: Conn, sender: Sender, deed: Deed, found: Incident, *,
    times: int | None = None, until: datetime | None = None, holder: str | None = None, answered: bool = False,
) -> Outcome:  # fmt: skip
    environment = ctx.settings.environments.get(found.environment)
    if environment is None:
        return no_environment(ctx, found.environment)
    verdict = incident_decisions.decide(
        conn, environment.rules, _actor(ctx, sender, found.environment), deed, found.id,
        times=times, until=until, holder=holder,
    )  # fmt: skip
    card = incident_decisions.card_of(conn, found.id)
    rings: tuple[Ring, ...] = (("publish", card.id),) if card else ()
    return outcome_of(verdict, f"{deed} of incident {found.id}", rings, told=answered)


def outcome_of(verdict: Verdict, said: str, rings: tuple[Ring, ...], *, told: bool) -> Outcome:
    """A refusal is answered to the person; what was done shows on the card, unless it was ``told`` from elsewhere."""
    if not verdict.accepted:
        refused = rule(f"{verdict.said} {UNCHANGED}", said=f"refused: {said}")
        return Outcome(refused.said, rings, refused.answer)
    return Outcome(said, rings, {"kind": "rule", "text": verdict.said} if told else None)


def _offer(ctx: Context, conn: Conn, row: InboxRow, sender: Sender, found: Incident, pressed: Pressed) -> Outcome:
    """A run of the pipe, in the incident's thread; refused where the card has become another meanwhile."""
    asked = request_of(found, pressed.argument)
    if asked is None or found.state != "open" or found.times != pressed.times:
        return tell(f"Incident {found.id} no longer offers that; look at its newest card. {UNCHANGED}", said="stale")
    shown = found.under or found.id
    incident_decisions.hold(conn, shown)  # of two who press at once the second sees the first one's run
    if (run := incident_views.unfinished_run(conn, shown)) is not None:
        return tell(f"Run {run} is about this already; it is in the thread. No second run was made.", said="under way")
    card = incident_decisions.card_of(conn, found.id)
    place = Place(card.channel, card.ts) if card and card.ts else None
    outcome = request(ctx, conn, row, sender, asked, place)
    run = next((number for what, number in outcome.rings if what == "plan"), None)
    if run is None:
        return outcome
    incident_decisions.asked(conn, shown, run, sender.id)
    return replace(outcome, rings=(*outcome.rings, *((("publish", card.id),) if card else ())))


def _until(argument: str, now: datetime) -> datetime | None:
    """When a snooze ends: in so many seconds, or the next morning at nine."""
    if argument != TOMORROW:
        return now + timedelta(seconds=int(argument)) if argument.isdigit() else None
    morning = now.astimezone(UTC).replace(hour=MORNING, minute=0, second=0, microsecond=0)
    return morning + timedelta(days=1)


def _actor(ctx: Context, sender: Sender, environment: str) -> Actor:
    return ctx.directory.actor(sender.team, sender.user, groups(ctx.settings.environments[environment].rules))
