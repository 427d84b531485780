"""What an incident's thread says: that it is over or back, what people did, that it is still so."""

from bot.cards.blocks import Card, context, section
from bot.cards.incident import KINDS, lasted, over_too, said_of
from bot.cards.words import Names, cut, prose, ruled, span, unmarked
from ledger.incident_views import IncidentView
from ledger.incidents import Event


def event(view: IncidentView, of: Event, names: Names) -> Card:
    """One event that people must see, as it was when it came."""
    about = view.spoken_of
    name, said = prose(about.name), cut(ruled(unmarked(of.said), names), 1500)
    match of.what:
        case "closed":
            text = f"{_ended(view, of)}{_took(view, of)}: {said}{over_too(view) if _newest_end(view, of) else ''}"
            return Card(text, (section(f"✅ {text}"),))
        case "reopened":
            return Card(f"🔴 It is back: {said}")
        case "woken":
            return Card(f"⏰ {name}: {said}")
        case "calm":
            return Card(f"✅ {name} is calm. {said}")
        case _:
            where = prose(view.incident.environment)
            text = f"Incident {view.incident.id} in {where} is still open: {KINDS[about.kind]}, {name}. {said}"
            return Card(text, (section(f"🔔 {text}"),))


def deeds(view: IncidentView, done: list[Event], names: Names) -> Card:
    """What people did while it was open, in one small reply that grows."""
    lines = [said_of(e, view, names) for e in done]
    return Card(lines[-1] + ".", (context(cut("\n".join(lines), 2900)),)) if lines else Card("Nothing was done.")


def _ended(view: IncidentView, of: Event) -> str:
    """In one word. Of an end before the newest one nobody knows any more how it came."""
    ended = view.incident.ended or not _newest_end(view, of)
    return "Recovered" if ended and view.incident.kind != "watch" else "Over"


def _newest_end(view: IncidentView, of: Event) -> bool:
    return view.incident.state == "closed" and of.id == max(e.id for e in view.events if e.what == "closed")


def _took(view: IncidentView, of: Event) -> str:
    """How long that time lasted: of the newest end as the platform's logs have it, of older ones by the history."""
    if _newest_end(view, of):
        how_long = lasted(view.incident)
    else:
        begun = [e.at for e in view.events if e.what in ("opened", "reopened") and e.id < of.id]
        how_long = span((of.at - begun[-1]).total_seconds()) if begun else ""
    return f" after {how_long}" if how_long else ""
