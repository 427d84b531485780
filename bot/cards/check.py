"""Slack's limits on a message, checked before it is sent: one block too long loses the whole message.

Numbers: facts/slack.md §3.2; the card's own, 45 blocks and 12,000 characters, are ours (DESIGN §7).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from bot.cards.blocks import Block, Card

MOST_BLOCKS = 45
MOST_CHARACTERS = 12_000
LONGEST_TEXT = 3_000  # chat.update refuses more than 4,000
_TEXT_LIMITS = {"header": 150, "section": 3000}


def troubles(card: Card) -> list[str]:
    """What Slack would refuse, in words for the log; empty when the card may be sent."""
    found: list[str] = []
    if not card.text.strip():
        found.append("no text")
    if len(card.text) > LONGEST_TEXT:
        found.append(f"text has {len(card.text)} characters")
    if len(card.blocks) > MOST_BLOCKS:
        found.append(f"{len(card.blocks)} blocks")
    size = sum(characters(b) for b in card.blocks)
    if size > MOST_CHARACTERS:
        found.append(f"{size} characters in blocks")
    ids = [b["block_id"] for b in card.blocks if "block_id" in b]
    if len(ids) != len(set(ids)):
        found.append("a block_id is there twice")
    for at, block in enumerate(card.blocks):
        found += [f"block {at}: {trouble}" for trouble in _block(block)]
    return found


def characters(value: Any) -> int:
    """All text in a block, as Slack counts it for msg_blocks_too_long."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(characters(v) for v in value.values())  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return sum(characters(v) for v in value)  # pyright: ignore[reportUnknownVariableType]
    return 0


def _block(block: Block) -> Iterator[str]:
    kind = block["type"]
    if kind in _TEXT_LIMITS and "text" in block:
        yield from _text(block["text"]["text"], _TEXT_LIMITS[kind])
    if kind == "section" and "text" not in block and not block.get("fields"):
        yield "a section with neither text nor fields"
    if "fields" in block:
        if len(block["fields"]) > 10:
            yield "more than 10 fields"
        for field in block["fields"]:
            yield from _text(field["text"], 2000)
    if kind == "context":
        if not 1 <= len(block["elements"]) <= 10:
            yield f"{len(block['elements'])} context elements"
        for element in block["elements"]:
            yield from _text(element["text"], 3000)
    if kind == "actions":
        yield from _actions(block["elements"])


def _actions(elements: Sequence[Block]) -> Iterator[str]:
    if not 1 <= len(elements) <= 25:
        yield f"{len(elements)} buttons"
    ids = [e["action_id"] for e in elements]
    if len(ids) != len(set(ids)):
        yield "an action_id is there twice"
    for made in elements:
        if len(made["action_id"]) > 255:
            yield "an action_id is too long"
        if made["type"] == "button":
            yield from _button(made)
        else:
            yield from _choices(made)


def _button(made: Block) -> Iterator[str]:
    yield from _text(made["text"]["text"], 75)
    if len(made["value"]) > 2000:
        yield "a button's value is too long"
    for part, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        if "confirm" in made:
            yield from _text(made["confirm"][part]["text"], limit)


def _choices(made: Block) -> Iterator[str]:
    most = 5 if made["type"] == "overflow" else 100
    if not 1 <= len(made["options"]) <= most:
        yield f"{len(made['options'])} options"
    if "placeholder" in made:
        yield from _text(made["placeholder"]["text"], 150)
    for option in made["options"]:
        yield from _text(option["text"]["text"], 75)
        yield from _text(option["value"], 150)


def _text(text: str, limit: int) -> Iterator[str]:
    if not text:
        yield "empty text"
    if len(text) > limit:
        yield f"text of {len(text)} characters, at most {limit}"
