"""The thread as it grows, printed the way people in the channel read it."""

import html
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from tbops.demo.stage import Stage

WIDTH = 108
_CODE = re.compile(r"`([^`]*)`")
_COMMAND = re.compile(r"^(\S* ?Run \d+) \(.*?\): ")  # each headline repeats the command, for phones
_MARKED = re.compile(r"(?<![\w*])([*_~])(?=\S)(.+?)(?<=\S)\1(?![\w*])")  # *bold* and _italic_, no cron, no name


def say(who: str, text: str) -> None:
    """One line of the play, wrapped under its speaker."""
    lines = textwrap.wrap(_plain(text), WIDTH) or [""]
    print(f"{who:>6} │ {lines[0]}", flush=True)
    for line in lines[1:]:
        print(f"{'':>6} │ {line}", flush=True)


def _plain(text: str) -> str:
    """Without Slack's marks. Code keeps its stars, and marks may stand around it: *By `alter`*."""
    codes = _CODE.findall(text)
    marked = _CODE.sub("\0", text)  # nobody can type it
    plain = _MARKED.sub(r"\2", marked)
    for code in codes:
        plain = plain.replace("\0", code, 1)
    return html.unescape(plain)


class Thread:
    """Prints what is new in #migrations at each ``read``: new messages, and cards whose sentence changed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seen: dict[str, str] = {}
        self._said: set[str] = set()

    def read(self) -> list[dict[str, Any]]:
        """Print the news; returns the channel's messages."""
        messages = self._stage.messages()
        for message in messages:
            text = str(message["text"])
            if self._seen.get(message["ts"]) == text:
                continue
            self._seen[message["ts"]] = text
            if text not in self._said:  # the card and the thread's last reply end with the same sentence
                say("tbops", _COMMAND.sub(r"\1: ", text))
            self._said.add(text)
        return messages

    def plan(self, card: Mapping[str, Any]) -> None:
        """The card's own words, once: strategy, reasons, readers, steps."""
        for line in _lines(card):
            say("", line)

    def rejected(self, whole: Mapping[str, Any]) -> None:
        """Why the other strategies were not chosen, from the reply that says the whole plan."""
        lines = _lines(whole)
        start = lines.index("*Not chosen*") if "*Not chosen*" in lines else len(lines)
        say("", "Not chosen, the thread says:")
        for line in lines[start + 1 :]:
            if not line.startswith("•"):
                return
            say("", line)


def buttons(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """``(action_id, label)`` of each button on a card."""
    found = [element for block in _blocks(card) if block["type"] == "actions" for element in block["elements"]]
    return [(str(button["action_id"]), str(button["text"]["text"])) for button in found]


def _lines(card: Mapping[str, Any]) -> list[str]:
    return [line for block in _blocks(card) for text in _texts(block) for line in text.splitlines()]


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
