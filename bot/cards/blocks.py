"""Block Kit in small: the six blocks that every surface of Slack shows (facts/slack.md §3.3), as plain dicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.cards.words import cut

Block = dict[str, Any]


@dataclass(frozen=True)
class Card:
    """A message: ``text`` is one full sentence, which is all that a phone's notification or a screen reader gets."""

    text: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Upload:
    """A file. ``described`` is what a picture shows, for who does not see it."""

    name: str
    title: str
    content: str | bytes
    described: str = ""


@dataclass(frozen=True)
class Files:
    """A message of files, in a thread or in the channel; ``text`` is one full sentence, or nothing."""

    files: tuple[Upload, ...]
    text: str = ""


def header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": cut(text, 150), "emoji": True}}


def section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, 3000)}}


def fields(texts: Sequence[str]) -> Block:
    """At most ten short facts in two columns."""
    return {"type": "section", "fields": [{"type": "mrkdwn", "text": cut(t, 2000)} for t in texts[:10]]}


def context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, 3000)}]}


def divider() -> Block:
    return {"type": "divider"}


def actions(buttons: Sequence[Block]) -> Block:
    return {"type": "actions", "elements": list(buttons)}


def button(label: str, action_id: str, value: str, *, style: str | None = None, confirm: Block | None = None) -> Block:
    made: Block = {"type": "button", "text": plain(cut(label, 75)), "action_id": action_id, "value": value}
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = confirm
    return made


def menu(placeholder: str, action_id: str, options: Sequence[tuple[str, str]]) -> Block:
    """A choice that acts when it is made; ``options`` are (label, value), at most 100."""
    shown = plain(cut(placeholder, 150))
    return {"type": "static_select", "action_id": action_id, "placeholder": shown, "options": _options(options)}


def overflow(action_id: str, options: Sequence[tuple[str, str]]) -> Block:
    """What is seldom wanted, behind three dots; at most 5."""
    return {"type": "overflow", "action_id": action_id, "options": _options(options)}


def _options(options: Sequence[tuple[str, str]]) -> list[Block]:
    return [{"text": plain(cut(label, 75)), "value": value} for label, value in options]


def confirm(title: str, text: str, yes: str, *, danger: bool = False) -> Block:
    """The dialog before a button's deed. Slack's limits: 100, 300 and 30 characters."""
    made: Block = {
        "title": plain(cut(title, 100)),
        "text": plain(cut(text, 300)),
        "confirm": plain(cut(yes, 30)),
        "deny": plain("Not now"),
    }
    if danger:
        made["style"] = "danger"
    return made


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}


def sections(lines: Sequence[str], size: int = 2800) -> list[Block]:
    """Lines in as few sections as hold them."""
    made: list[Block] = []
    pending = ""
    for line in lines:
        line = cut(line, size)
        if pending and len(pending) + len(line) + 1 > size:
            made.append(section(pending))
            pending = ""
        pending = f"{pending}\n{line}" if pending else line
    return [*made, section(pending)] if pending else made
