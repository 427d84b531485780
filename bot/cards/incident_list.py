"""Incidents in a list, and what is answered about one of them to whoever asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.cards.blocks import Block, Card, section, sections
from bot.cards.families import named
from bot.cards.incident import KINDS
from bot.cards.words import Names, clock, count, cut, escape, person, prose, span
from config.log import redact
from ledger.incident_views import Listed
from ledger.incidents import Incident
from ledger.silences import Silence

MOST = 15
MOST_READERS = 20
MOST_OF_A_REASON = 80  # the incident's card has more of it
LONGEST_ERROR = 2500


def listing(
    listed: Sequence[Listed], silent: Sequence[Silence], names: Names, now: datetime, links: Mapping[str, str]
) -> Card:
    """The answer to ``incidents``."""
    many = {0: "No incident is open.", 1: "One incident is open."}.get(
        len(listed), f"{len(listed)} incidents are open."
    )
    more = [f"_and {len(listed) - MOST} more_"] if len(listed) > MOST else []
    lines = [*(line(each, names, now, links.get(str(each.incident.id), "")) for each in listed[:MOST]), *more]
    quiet = [
        f"🔕 {prose(s.name)} is silenced in {prose(s.environment)} by {person(s.actor, names)}{_until(s, now)}"
        for s in silent[:MOST]
    ]
    return Card(many, (section(f"*{many}*"), *sections(lines), *sections(quiet)))


def line(listed: Listed, names: Names, now: datetime, link: str = "") -> str:
    """``Incident 7 · copy failed: members_sorted · for 43 min · ana has it``"""
    row, of = listed.incident, listed.spoken_of
    number = f"<{link}|Incident {row.id}>" if link else f"*Incident {row.id}*"
    beside = f" and {count(listed.folded)} more" if listed.folded else ""
    held = row.assigned or row.acked_by
    icon = "💤" if row.snoozed_until and row.snoozed_until > now else "🟡" if held else "🔴"
    who = f"{person(held, names)} has it" if held else "nobody has it"
    age = span((now - row.since).total_seconds())
    return (
        f"{icon} {number} · {KINDS[of.kind]}: {prose(of.name)}{beside} in {prose(row.environment)} · for {age} · {who}"
    )


def _until(silence: Silence, now: datetime) -> str:
    at = f" until {clock(silence.until, now)}" if silence.until else ""
    return at + (f" (“{cut(prose(silence.reason), MOST_OF_A_REASON)}”)" if silence.reason else "")


def blocks(listed: Sequence[Listed], names: Names, now: datetime) -> list[Block]:
    """For the Home tab and the list of runs: nothing where nothing is wrong."""
    return sections([line(each, names, now) for each in listed[:MOST]])


def error(row: Incident) -> Card:
    """The platform's own words, for one person's eyes, without what looks like a secret."""
    told = row.told
    if not told.raw:
        return Card(f"Incident {row.id} has no error text: Tinybird gave none.")
    text = f"What Tinybird said of {prose(row.name)}, incident {row.id}:"
    job = f"\njob {prose(told.job)}" if told.job else ""
    return Card(text, (section(text + job), section(_quoted(told.raw))))


def _quoted(raw: str) -> str:
    """Cut after it was escaped, so that its fence is closed whatever it is made of."""
    return "```" + cut(escape(redact(raw)), LONGEST_ERROR).replace("```", "\u02cb\u02cb\u02cb") + "```"


def owner(row: Incident, owned_by: str, now: datetime) -> Card:
    """Who looks after it, and who reads what it writes."""
    told = row.told
    who = (
        f"{prose(row.name)} is looked after by {prose(owned_by)}."
        if owned_by
        else (f"No owner of {prose(row.name)} is named: write one in tbops.toml, under watch.pipes.")
    )
    lines = [who]
    if told.endpoints:
        lines.append(f"*Endpoints that read {prose(told.target)}*: {named(told.endpoints, MOST_READERS)}")
    if told.copies:
        lines.append(f"*Copies that read it*: {named(told.copies, MOST_READERS)}")
    lines.append(f"Its last good run was at {clock(told.last_good, now)}." if told.last_good else "")
    return Card(who, tuple(sections([each for each in lines if each])))
