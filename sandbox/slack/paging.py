"""Cursor paging as the list methods do it."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from sandbox.slack.errors import SlackRefusal
from sandbox.slack.wire import Arguments

T = TypeVar("T")
DEFAULT_LIMIT = 100
MOST = 1000


def page(items: Sequence[T], arguments: Arguments) -> tuple[list[T], str]:
    """The items of this page and the next cursor ("" at the end)."""
    limit = arguments.number("limit", DEFAULT_LIMIT) or DEFAULT_LIMIT
    if not 1 <= limit <= MOST:
        raise SlackRefusal("invalid_limit")
    start = _position(arguments.text("cursor"))
    end = start + limit
    following = base64.b64encode(f"next:{end}".encode()).decode() if end < len(items) else ""
    return list(items[start:end]), following


def _position(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
    except (binascii.Error, ValueError) as exc:
        raise SlackRefusal("invalid_cursor") from exc
