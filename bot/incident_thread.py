"""Which replies an incident's thread needs, seen from stored state when its card has been sent.

Everybody who follows a thread is pinged by each reply: so there are few, and what people did is one that is edited.
What flaps is only counted on the card, until it is calm; of what is silenced nothing is said, then or later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger import incident_views, messages
from ledger.connection import Conn
from ledger.incident_views import FLAPS, OPENINGS, IncidentView
from ledger.incidents import Event, incident_ref
from ledger.values import Message

DEEDS = ("acked", "assigned", "snoozed", "silenced", "lifted")
LOUD = ("failed", "missing")  # a reminder of these is shown in the channel too


@dataclass(frozen=True)
class Needed:
    ref: str
    body: dict[str, Any]


def incident_of(ref: str) -> int:
    """The incident that ``incident/7`` or ``incident/7/event/12`` speaks of."""
    return int(ref.split("/")[1])


def replies(conn: Conn, card: Message) -> list[int]:
    """Asks for what the thread lacks or says otherwise; the numbers to publish."""
    number = incident_of(card.ref)
    view = incident_views.view(conn, number)
    if view is None:
        return []
    known = {m.ref: m.body for m in incident_views.replies(conn, number)}
    return [
        messages.want(conn, "reply", n.ref, card.channel, thread=card.id, body=n.body)
        for n in _needed(view, int((card.body or {}).get("opening", 0)))
        if known.get(n.ref) != n.body
    ]


def _needed(view: IncidentView, began: int) -> Iterator[Needed]:
    """``began``: the opening that its card was made for. What was before was told on another's card, or to nobody."""
    ref = f"{incident_ref(view.incident.id)}/event"
    opening, silent = 0, False
    done = dict[int, list[int]]()
    for event in view.events:
        if event.what in OPENINGS:
            opening = event.id
        elif event.what in DEEDS and event.id > began:
            done.setdefault(opening, []).append(event.id)
        silent = event.what == "silenced" or (silent and event.what != "lifted")
        if event.id > began and _said(view, event, began) and not silent:
            yield Needed(f"{ref}/{event.id}", {"event": event.id, "broadcast": _loud(view, event)})
    for since, events in done.items():
        yield Needed(f"{ref}/{since}/deeds", {"deeds": events})


def _said(view: IncidentView, event: Event, began: int) -> bool:
    match event.what:
        case "closed":
            return view.flaps(event) < FLAPS
        case "reopened":
            return event.id == next(e.id for e in view.events if e.what == "reopened" and e.id > began)
        case "woken" | "reminded" | "calm":
            return True
        case _:
            return False


def _loud(view: IncidentView, event: Event) -> bool:
    return event.what == "reminded" and view.incident.kind in LOUD
