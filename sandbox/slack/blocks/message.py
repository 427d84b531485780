"""The blocks of a message as a whole: how many, how much text together, ids that come once."""

import secrets
from collections.abc import Iterator
from typing import Any

from sandbox.slack.blocks import limits
from sandbox.slack.blocks.check import Check, Json
from sandbox.slack.blocks.layout import check_block
from sandbox.slack.errors import SlackRefusal


def inspect_blocks(check: Check, at: str, blocks: Any, most: int = limits.MESSAGE_BLOCKS) -> None:
    """All rules of a list of blocks; ``at`` is the pointer to the list."""
    if not isinstance(blocks, list):
        check.failed(at, "must be an array", "type", expected="array")
        return
    if len(blocks) > most:
        check.failed(at, f"no more than {most} items allowed", "max_items", expected=most, got=len(blocks))
    for i, block in enumerate(blocks):
        check_block(check, f"{at}/{i}", block)
    known = [(f"{at}/{i}", block) for i, block in enumerate(blocks) if isinstance(block, dict)]
    check.unique(at, "block_id", [(f"{where}/block_id", block.get("block_id")) for where, block in known])
    tables = [where for where, block in known if block.get("type") == "table"]
    for where in tables[1:]:
        check.failed(where, "only one table is allowed per message", "max_tables", expected=1, got=len(tables))
    written = sum(len(b["text"]) for _, b in known if b.get("type") == "markdown" and isinstance(b.get("text"), str))
    if written > limits.MARKDOWN:
        check.failed(at, f"markdown blocks must be less than {limits.MARKDOWN + 1} characters together", "max_length")


def inspect_message(check: Check, at: str, message: Any) -> None:
    """A whole message as blocks.validate takes it."""
    if check.is_object(at, message):
        inspect_blocks(check, f"{at}/blocks", message.get("blocks") or [])


def check_message_blocks(blocks: list[Any]) -> None:
    """Refuse as chat.postMessage does; the refusal carries one line a problem."""
    check = Check("message")
    inspect_blocks(check, "", blocks)
    if check.problems:
        lines = [problem.line("/blocks") for problem in check.problems]
        raise SlackRefusal("invalid_blocks", lines, errors=lines)
    if check.characters > limits.MESSAGE_CHARACTERS:
        raise SlackRefusal("msg_blocks_too_long")


def elements_of(block: Json) -> Iterator[Json]:
    """Every element of a block that a person can press or fill."""
    for one in (block.get("accessory"), block.get("element")):
        if isinstance(one, dict):
            yield one
    if block.get("type") in ("actions", "context_actions"):
        yield from (one for one in block.get("elements", []) if isinstance(one, dict))


def with_ids(blocks: list[Json]) -> list[Json]:
    """The same blocks with the ids that Slack makes up for blocks and elements without one."""
    known = [{**block, "block_id": block.get("block_id") or secrets.token_hex(3)[:5]} for block in blocks]
    for block in known:
        for element in elements_of(block):
            if element.get("type") != "image":
                element.setdefault("action_id", secrets.token_hex(3)[:5])
    return known
