"""The thread as it grows, printed the way people in the channel read it."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from tbops.demo.stage import Stage

WIDTH = 108
_MARKED = re.compile(r"(?<![\w*])([*_~])(?=\S)(.+?)(?<=\S)\1(?![\w*])")  # *bold* and _italic_, no cron, no name


def say(who: str, text: str) -> None:
    """One line of the play, wrapped under its speaker."""
    prose_and_code = text.split("`")  # every second part is code, which keeps its stars
    plain = "".join(part if at % 2 else _MARKED.sub(r"\2", part) for at, part in enumerate(prose_and_code))
    lines = textwrap.wrap(plain, WIDTH) or [""]
    print(f"{who:>6} │ {lines[0]}", flush=True)
    for line in lines[1:]:
        print(f"{'':>6} │ {line}", flush=True)


class Thread:
    """Prints what is new in #migrations at each ``read``: new messages, and cards whose sentence changed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seen: dict[str, str] = {}

    def read(self) -> list[dict[str, Any]]:
        """Print the news; returns the channel's messages."""
        messages = self._stage.messages()
        for message in messages:
            text = str(message["text"])
            if self._seen.get(message["ts"]) == text:
                continue
            self._seen[message["ts"]] = text
            say("tbops", text)
        return messages

    def plan(self, card: Mapping[str, Any]) -> None:
        """The card's own words, once: strategy, reasons, what was rejected, readers, steps."""
        for block in _blocks(card):
            for text in _texts(block):
                for line in text.splitlines():
                    say("", line)


def buttons(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """``(action_id, label)`` of each button on a card."""
    found = [element for block in _blocks(card) if block["type"] == "actions" for element in block["elements"]]
    return [(str(button["action_id"]), str(button["text"]["text"])) for button in found]


def _blocks(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    return card["blocks"] if card.get("blocks") else []


def _texts(block: Mapping[str, Any]) -> list[str]:
    match block["type"]:
        case "section" | "header":
            own = [str(block["text"]["text"])] if block.get("text") else []
            fields = [str(field["text"]).replace("\n", ": ", 1) for field in block.get("fields", ())]
            return own + fields
        case "context":
            return [str(element.get("text", "")) for element in block["elements"]]
        case _:
            return []
