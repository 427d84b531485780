"""Modals: opened by the bot process with a view that needs no facts, filled by a job."""

import json
from collections.abc import Sequence
from typing import Any

from bot.cards.blocks import Block, plain, section
from bot.cards.words import cut, escape

OPENS = "tb:choose-type"  # action ids that open a modal
CHOOSE = "tb:type"


def loading(number: int) -> Block:
    """``external_id`` lets the job find the view again by the request's number."""
    return {**_modal("Choose a type", [section("One moment …")]), "external_id": external_id(number)}


def external_id(number: int) -> str:
    return f"tb-request-{number}"


def choose_type(run: int, field: str, types: Sequence[str]) -> Block:
    options = [{"text": plain(cut(t, 75)), "value": cut(t, 150)} for t in types[:100]]
    select: dict[str, Any] = {
        "type": "static_select",
        "action_id": CHOOSE,
        "placeholder": plain("Type"),
        "options": options,
    }
    block: Block = {
        "type": "input",
        "block_id": CHOOSE,
        "label": plain(cut(f"Type of {field}", 2000)),
        "element": select,
    }
    made = _modal("Choose a type", [block])
    return {**made, "submit": plain("Ask for this"), "private_metadata": json.dumps({"run": run, "field": field})}


def said(text: str) -> Block:
    return _modal("Not done", [section(escape(text))])


def _modal(title: str, blocks: list[Block]) -> Block:
    return {"type": "modal", "callback_id": CHOOSE, "title": plain(title), "close": plain("Close"), "blocks": blocks}
