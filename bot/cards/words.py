"""How things are said: foreign text made harmless, amounts with units, times with a zone, people by name."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

Names = Mapping[str, str]  # actor -> the name people know; an actor that is missing is shown by its id

_SLACK_ACTOR = re.compile(r"slack:[A-Z0-9]+:([UW][A-Z0-9]{2,})")
_MENTION = re.compile(r"<@([UW][A-Z0-9]{2,})>")
_ESCAPED_MENTION = re.compile(r"&lt;@([UW][A-Z0-9]{2,})&gt;")
_ESCAPED_ROOM = re.compile(r"&lt;#([CG][A-Z0-9]{2,})&gt;")
_ESCAPED_GROUP = re.compile(r"&lt;!subteam\^(S[A-Z0-9]{2,})&gt;")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def escape(text: str) -> str:
    """Foreign text for mrkdwn: no link, no ping, no entity can come of it (Slack's three characters)."""
    visible = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return visible.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def prose(text: str) -> str:
    """A sentence of ours or a system's on one line."""
    return escape(" ".join(text.split()))


_MARKS = str.maketrans({"`": "\u02cb", "*": "\u2217", "~": "\u02dc"})


def unmarked(text: str) -> str:
    """What repeats the words of a system: nothing in it makes the rest bold, struck out or code."""
    return text.translate(_MARKS)


def mentioned(text: str) -> list[str]:
    """Who a sentence of the ledger names, as actors; the team does not matter to a name."""
    return [f"slack:T:{user}" for user in _MENTION.findall(text)]


def ruled(text: str, names: Names) -> str:
    """A sentence of the ledger, which names people as ``<@U…>`` and may quote what people typed: they become
    their names, so that nobody is pinged; all else is escaped."""
    known = {slack_user(actor): name for actor, name in names.items()}
    return _ESCAPED_MENTION.sub(lambda m: escape(known.get(m[1]) or f"@{m[1]}"), prose(text))


def ruled_alone(text: str, names: Names) -> str:
    """The same for one person's eyes, where the name of a group (``<!subteam^S…>``) pings nobody, nor that of a
    channel."""
    return _ESCAPED_ROOM.sub(r"<#\1>", _ESCAPED_GROUP.sub(r"<!subteam^\1>", ruled(text, names)))


def code(text: str) -> str:
    """Foreign text in back-ticks that it cannot close."""
    return "`" + (prose(text).replace("`", "\u02cb") or " ") + "`"


def fenced(text: str) -> str:
    return "```" + escape(text).replace("```", "\u02cb\u02cb\u02cb") + "```"


def cut(text: str, length: int) -> str:
    """At most ``length`` characters; never ends inside an entity."""
    if len(text) <= length:
        return text
    return re.sub(r"&[a-z]*$", "", text[: length - 1]) + "…"


def count(number: int, unit: str = "") -> str:
    """1,234 rows. A plural ``unit`` loses its s for one."""
    word = unit[:-1] if number == 1 and unit.endswith("s") else unit
    return f"{number:,} {word}".rstrip()


def span(seconds: float) -> str:
    """A length of time as people say it, with its unit."""
    s = max(0.0, seconds)
    if s < 1 and s > 0:
        return "under 1 s"
    if s < 2 * _MINUTE:
        return f"{s:.0f} s"
    if s < 2 * _HOUR:
        return f"{s / _MINUTE:.0f} min"
    if s < 2 * _DAY:
        return f"{s / _HOUR:.1f} h"
    return f"{s / _DAY:.1f} days"


def clock(at: datetime, now: datetime | None = None) -> str:
    """10:02 UTC, with the day unless it is the day of ``now``."""
    utc = at.astimezone(UTC)
    if now is not None and now.astimezone(UTC).date() == utc.date():
        return f"{utc:%H:%M} UTC"
    return f"{utc:%Y-%m-%d %H:%M} UTC"


def person(actor: str, names: Names) -> str:
    """Who did it, without pinging whoever has a known name."""
    if known := names.get(actor):
        return escape(known)
    if found := _SLACK_ACTOR.fullmatch(actor):
        return f"<@{found[1]}>"
    return escape(actor.removeprefix("cli:")) + " (command line)" if actor.startswith("cli:") else escape(actor)


def slack_user(actor: str) -> str | None:
    """The id behind a Slack actor, None for others."""
    found = _SLACK_ACTOR.fullmatch(actor)
    return found[1] if found else None


def some(things: Sequence[str], most: int) -> str:
    """``a, b, c and 14 more``"""
    if len(things) <= most:
        return ", ".join(things)
    return ", ".join(things[:most]) + f" and {len(things) - most} more"


def steps_named(numbers: Sequence[int]) -> str:
    """``step 3`` or ``steps 3–12``"""
    return f"step {numbers[0]}" if len(numbers) == 1 else f"steps {numbers[0]}–{numbers[-1]}"
