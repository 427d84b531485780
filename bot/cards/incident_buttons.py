"""What can be pressed on an incident's card. A button is only a request: the ledger decides when it is pressed.

A value is ``i1|<incident>|<how often it has been open>|<deed>|<what more the deed needs>``.
"""

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from bot.cards.blocks import Block, actions, button, confirm, menu, overflow
from bot.cards.words import slack_user
from ledger.incident_decisions import INTENDABLE
from ledger.incident_views import IncidentView
from ledger.incidents import Incident

VERSION = "i1"
OWN = "tb:incident:"  # how the action ids of all of them begin

Deed = Literal["take", "snooze", "silence", "lift", "intend", "error", "owner", "offer"]

TOMORROW = "tomorrow"  # the next 09:00 UTC
SNOOZES = (("For 1 hour", "3600"), ("For 4 hours", "14400"), ("Until tomorrow, 09:00 UTC", TOMORROW))

_ARGUMENT = re.compile(r"[A-Za-z0-9_-]{0,32}", re.ASCII)


@dataclass(frozen=True)
class Pressed:
    """A button's value, read back. ``argument``: of ``take`` the user who had it, of ``snooze`` how long, of ``offer``
    which of ``Detail.offers``."""

    incident: int
    times: int
    deed: Deed
    argument: str = ""


def value(of: Incident, deed: Deed, argument: str = "") -> str:
    return f"{VERSION}|{of.id}|{of.times}|{deed}|{argument}"


def read_value(text: str) -> Pressed | None:
    """The value as it was made, or None for anything forged, cut or of another version."""
    parts = text.split("|")
    if len(parts) != 5 or parts[0] != VERSION or parts[3] not in get_args(Deed) or not _ARGUMENT.fullmatch(parts[4]):
        return None
    if not all(p.isascii() and p.isdigit() and len(p) < 16 for p in parts[1:3]):
        return None
    return Pressed(int(parts[1]), int(parts[2]), cast(Deed, parts[3]), parts[4])


def buttons(view: IncidentView, offers: tuple[str, ...]) -> list[Block]:
    """The rows of its card: what people do about it, then what may safely be done to the pipe. ``offers`` are those of
    ``Detail.offers`` that can be carried out. What is over can still be heard of again."""
    if view.incident.under is not None:
        return []
    if view.incident.state == "closed":
        return [actions([_lift(view)])] if view.silence else []
    rows = [actions(_answering(view))]
    return [*rows, actions([_offer(view.spoken_of, o) for o in offers])] if offers else rows


def _answering(view: IncidentView) -> list[Block]:
    row, of = view.incident, view.spoken_of
    of_a_pipe = row.kind != "watch" and not row.told.storm
    made = [_take(view), menu("Put off…", f"{OWN}snooze", [(t, value(row, "snooze", a)) for t, a in SNOOZES])]
    if view.silence:
        made.append(_lift(view))
    if of.told.raw:
        made.append(button("Show error", f"{OWN}error", value(of, "error")))
    if all(each.kind in INTENDABLE for each in view.standing):
        made.append(_intend(view))
    more = [("Who owns this", value(of, "owner"))]
    if not view.silence and of is row:
        more.append(("Silence this pipe", value(row, "silence")))
    return [*made, overflow(f"{OWN}more", more)] if of_a_pipe else made


def _take(view: IncidentView) -> Block:
    held = view.incident.assigned or view.incident.acked_by
    if held is None:
        return button("Take it", f"{OWN}take", value(view.incident, "take"), style="primary")
    holder = slack_user(held) or ""
    return button("Take it over", f"{OWN}take", value(view.incident, "take", holder))


def _lift(view: IncidentView) -> Block:
    return button("Lift the silence", f"{OWN}lift", value(view.incident, "lift"))


def _intend(view: IncidentView) -> Block:
    many = len(view.standing)
    title = "Is it meant to be so?" if many == 1 else f"Are all {many} meant to be so?"
    text = "This incident is closed, and not opened again until it has been otherwise."
    dialog = confirm(title, text, "It is intended")
    return button("This is intended", f"{OWN}intend", value(view.incident, "intend"), confirm=dialog)


_OFFERS = {
    "run": "Run again",
    "run-in-order": "Run this and what depends on it",
    "clear-and-run": "Clear the last run's rows, then run",
    "pause": "Pause schedule",
}


_ASKED = {  # before what is not simply done again
    "clear-and-run": "The rows that its last run wrote are counted, shown and deleted before it runs again.",
    "pause": "No run begins by itself until somebody resumes it: /tb copy {name} resume.",
}


def _offer(of: Incident, offer: str) -> Block:
    label, asked = _OFFERS[offer], _ASKED.get(offer)
    dialog = (
        confirm(f"{label}?", asked.format(name=of.name), "Go on", danger=offer == "clear-and-run") if asked else None
    )
    return button(label, f"{OWN}offer:{offer}", value(of, "offer", offer), confirm=dialog)
