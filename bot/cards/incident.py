"""The card of an incident: a pure function of what is stored. It is read on a phone: the verdict first, short lines."""

from collections.abc import Iterator
from dataclasses import replace

from bot.cards.blocks import Block, Card, context, header, section, sections
from bot.cards.families import named
from bot.cards.incident_buttons import buttons
from bot.cards.words import Names, clock, code, count, cut, mentioned, person, prose, ruled, span, unmarked
from ledger.incident_views import FLAPS, IncidentView
from ledger.incidents import Event, Incident, Kind

MOST_FOLDED = 15
MOST_READERS = 4

KINDS: dict[Kind, str] = {
    "failed": "Copy failed",
    "late": "Copy is late",
    "missing": "Copy does not run",
    "queued": "Copy waits in the queue",
    "long": "Copy runs long",
    "few": "Copy wrote too little",
    "stale": "Data is stale",
    "quarantine": "Rows go to quarantine",
    "watch": "Nobody watches",
}


def card(view: IncidentView, names: Names, offers: tuple[str, ...] = ()) -> Card:
    """The message that an incident's thread hangs on. ``offers`` are those of its detail that can be carried out."""
    row = view.incident
    if row.under is not None:
        text = f"{_title(view)}. It is shown on the card of incident {row.under} now."
        return Card(text, (section(f"{_icon(view)} {text}"), _footer(view)))
    blocks: list[Block] = [
        header(f"{_icon(view)} {_title(view)}"),
        section(f"{_verdict(view, names)}\n{state(view, names)}"),
        *sections(list(_facts(view))),
        *sections(list(_beside(view))),
        *buttons(view, offers),
        _footer(view),
    ]
    return Card(sentence(view, names), tuple(blocks))


def sentence(view: IncidentView, names: Names) -> str:
    """All of it for a notification: what, where, since when, and whether it is over."""
    row = view.incident
    if row.state == "closed":
        return cut(f"Incident {row.id} is over{_lasted(row)}: {_verdict(view, names)}", 1500)
    held = row.assigned or row.acked_by
    who = f" {person(held, names)} has it." if held else ""
    return cut(f"Incident {row.id}: {_verdict(view, names)}{_and_more(view)}{who}", 1500)


def state(view: IncidentView, names: Names) -> str:
    """Where it stands, in one line for each thing that people have done about it."""
    row, now = view.incident, view.now
    lines = list[str]()
    if row.state == "closed":
        ended = row.ended or row.closed_at
        at = f" at {clock(ended, now)}" if ended else ""
        lines.append(f"*Over*{at}{_lasted(row)}; it began at {clock(row.since, now)}")
    else:
        held = row.assigned or row.acked_by
        who = f"*{person(held, names)}* has it" if held else "*Nobody has it yet*"
        lines.append(f"{who} · open since {clock(row.since, now)}")
    if view.snoozed and row.snoozed_until:
        lines.append(f"💤 Put off until {clock(row.snoozed_until, now)}{_by(view, 'snoozed', names)}")
    if view.silence:
        until = f"until {clock(view.silence.until, now)}" if view.silence.until else "until it is lifted"
        why = f" (“{cut(prose(view.silence.reason), 300)}”)" if view.silence.reason else ""
        lines.append(f"🔕 Silenced by {person(view.silence.actor, names)} {until}{why}")
    if (flaps := view.flaps()) >= FLAPS:
        lines.append(f"🔁 It came and went {flaps} times within a day; each time is only counted here")
    elif row.times > 1:
        lines.append(f"🔁 It has been there {row.times} times")
    return "\n".join(lines)


def people(view: IncidentView) -> list[str]:
    """The actors that its card names."""
    row = view.incident
    given = [row.assigned, row.acked_by, view.silence.actor if view.silence else None, *(e.actor for e in view.events)]
    said = [actor for e in view.events for actor in mentioned(e.said)]
    return [actor for actor in (*given, *said, *mentioned(row.told.said)) if actor]


def ended(view: IncidentView) -> str:
    """What its end was."""
    if view.incident.kind == "watch":
        return "The watch is back"
    if _intended(view):
        return "Meant to be so"
    return "Recovered" if view.incident.ended else "Over"


def _intended(view: IncidentView) -> bool:
    return next((e.what for e in reversed(view.events) if e.what in ("closed", "intended")), "closed") == "intended"


def lasted(row: Incident) -> str:
    """``43 min``; empty where its end is not known."""
    ended = row.ended or row.closed_at
    return span((ended - row.since).total_seconds()) if ended and ended >= row.since else ""


def _lasted(row: Incident) -> str:
    how_long = lasted(row)
    return f" after {how_long}" if how_long else ""


def _title(view: IncidentView) -> str:
    row = view.incident
    if row.told.storm and view.folded:
        many, still = len(view.folded) + 1, len(view.standing)
        if row.state == "closed":
            return f"Over: {many} copies were in trouble"
        return f"{many} copies are in trouble" if still == many else f"{still} of {many} copies are still in trouble"
    of = view.spoken_of
    what = ended(view) if row.state == "closed" else KINDS[of.kind]
    more = len(view.folded) if of is row else len(view.standing) - 1
    return f"{what}: {prose(of.name)}{f' and {more} more' if more else ''}"


def _icon(view: IncidentView) -> str:
    row = view.incident
    if row.state == "closed":
        return "✅"
    if view.silence:
        return "🔕"
    if view.snoozed:
        return "💤"
    return "🟡" if row.assigned or row.acked_by else "🔴"


def _verdict(view: IncidentView, names: Names) -> str:
    """What happened; of what is over, how it ended."""
    row, of = view.incident, view.spoken_of
    ends = [e.said for e in view.events if e.what == "closed" and e.said]
    said = row.told.said
    if of is not row:
        follows = "Of what began with it" if row.told.storm else "What followed from it"
        said = f"{row.told.healed} {follows} is still so: {of.told.said}"
    elif row.state == "closed" and ends:
        said = ends[-1] + over_too(view)
    return cut(ruled(unmarked(said), names), 700)


def over_too(view: IncidentView) -> str:
    """What ended with it, of a card that lists more; what people said that they meant says it itself."""
    many = 0 if _intended(view) else len(view.folded)
    was = "one that was listed with it is" if many == 1 else f"{many:,} that were listed with it are"
    return f" The {was} over too." if many else ""


def _and_more(view: IncidentView) -> str:
    more = len(view.folded) if view.spoken_of is view.incident else len(view.standing) - 1
    if not more:
        return ""
    many = "One more is" if more == 1 else f"{more} more are"
    return f" {many} listed with it."


def _by(view: IncidentView, what: str, names: Names) -> str:
    done = [e.actor for e in view.events if e.what == what and e.actor]
    return f" by {person(done[-1], names)}" if done else ""


def _facts(view: IncidentView) -> Iterator[str]:
    """A line each, and short ones. Of what is over only what it was: the rest is no news any more."""
    row, told = view.incident, view.spoken_of.told
    if row.state == "closed":
        yield f"*It was* – {cut(prose(unmarked(told.said)), 700)}"
        return
    if told.cause:
        yield f"*Cause* – {told.cause}"
    if row.told.storm:  # the rest is of one of many
        return
    if told.target:
        yield f"*Writes to* – {code(told.target)}{f' ({prose(told.mode)})' if told.mode else ''}"
    if told.schedule:
        yield f"*Schedule* – {code(told.schedule)}"
    if told.last_good:
        yield f"*Last good run* – {clock(told.last_good, view.now)}"
    rows = {"before": told.rows_before, "now": told.rows_now}
    if known := [f"{count(many)} {when}" for when, many in rows.items() if many is not None]:
        yield f"*Rows* – {', '.join(known)}"
    if told.endpoints:
        yield f"*Endpoints that read it* – {len(told.endpoints):,}: {named(told.endpoints, MOST_READERS)}"
    if told.copies:
        yield f"*Copies that read it* – {len(told.copies):,}: {named(told.copies, MOST_READERS)}"
    if told.why_not:
        yield f"*No run by button* – {cut(prose(told.why_not), 400)}"


def _beside(view: IncidentView) -> Iterator[str]:
    """What is listed with it: those still so come first."""
    if not view.folded:
        return
    healed = view.spoken_of is not view.incident
    listed = [*view.folded, *([replace(view.incident, state="closed")] if healed else [])]
    over = sum(f.state == "closed" for f in listed)
    what = "Listed here" if healed else "Listed with it"
    yield f"*{what}* – {count(len(listed))}{f', {over:,} of them over' if over else ''}"
    ordered = sorted(listed, key=lambda f: (f.state == "closed", f.id))
    for row in ordered[:MOST_FOLDED]:
        icon = "✅" if row.state == "closed" else "🔴"
        other = "" if row.kind == view.spoken_of.kind else f" {KINDS[row.kind].removeprefix('Copy ')}"
        yield f"{icon} {code(row.name)}{other}"
    if len(ordered) > MOST_FOLDED:
        yield f"_and {len(ordered) - MOST_FOLDED:,} more_"


def _footer(view: IncidentView) -> Block:
    row = view.incident
    asked = [prose(e.said) for e in view.events if e.what == "run" and e.said]
    runs = f" · {', '.join(asked[-3:])} below" if asked else ""
    return context(f"Incident {row.id} in *{prose(row.environment)}* · found at {clock(row.opened_at, view.now)}{runs}")


def said_of(event: Event, view: IncidentView, names: Names) -> str:
    """One line of the thread for what somebody did: ``ana took it at 10:05 UTC``."""
    told = f" {prose(event.said)}" if event.said else ""
    who = person(event.actor, names) if event.actor else "The watch"
    return f"{who} {_DONE.get(event.what, event.what)}{told} · {clock(event.at, view.now)}"


_DONE = {
    "acked": "took it",
    "assigned": "took it over",
    "snoozed": "put it off",
    "silenced": "silenced the pipe",
    "lifted": "lifted the silence",
}
