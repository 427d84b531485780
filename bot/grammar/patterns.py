"""A form's pattern, read once: ``migrate <datasources> add field <field>``, ``copy <pipe> run|pause|resume``.

A pattern is words (``a|b``: any of them), ``<slots>`` and one level of ``[optional parts]``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.grammar import names, words
from bot.grammar.refusal import Refused, meant, shown
from bot.grammar.tokens import Cursor


@dataclass(frozen=True)
class Slot:
    """``usage`` is what help shows for it; ``what`` names it in a refusal; ``read`` takes its words."""

    usage: str
    what: str
    read: Callable[[Cursor, str], Any]


_FIELD = "<name> [<type>] [default <literal>] [from <json path | sql expression>]"

SLOTS = {
    "datasources": Slot("<datasource>[,<datasource>…]", "the datasource's name", names.names),
    "datasource": Slot("<datasource>", "the datasource's name", names.name),
    "field": Slot(_FIELD, "the field's name", words.new_field),
    "fields": Slot("<name> <type> [default …][, <name> <type> …]", "the field's name", words.new_fields),
    "name": Slot("<name>", "the field's name", names.name),
    "names": Slot("<name>[, <name>…]", "the field's name", names.names),
    "columns": Slot("<column>[, <column>…]", "the column's name", names.names),
    "new": Slot("<name>", "the new name", names.name),
    "type": Slot("<type>", "the type", words.type_name),
    "literal": Slot("<literal>", "a literal for the default", words.literal),
    "index": Slot("<expression> <type>", "the expression", words.index),
    "table": Slot("<table>", "the table's name", names.name),
    "resource": Slot("<resource>", "the resource's name", names.name),
    "pipe": Slot("<pipe>", "the pipe's name", names.name),
    "pattern": Slot("<pattern>", "a pattern", names.pattern),
    "run": Slot("<run>", "a run's number", names.number),
    "step": Slot("<step>", "a step's number", names.number),
    "incident": Slot("<incident>", "an incident's number", names.number),
    "duration": Slot("<duration>", "a duration", names.duration),
    "why": Slot('"why"', "the reason", words.quoted),
}


@dataclass(frozen=True)
class Words:
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    slot: str


@dataclass(frozen=True)
class Optional:
    elements: tuple[Words | Part, ...]


Element = Words | Part | Optional


@dataclass(frozen=True)
class Stopped(Exception):
    """A form did not fit: at which word, and either what was wrong there or which words would have gone on."""

    at: int
    sentence: str = ""
    expected: tuple[str, ...] = ()


def compiled(pattern: str) -> tuple[Element, ...]:
    elements: list[Element] = []
    for part in re.findall(r"\[[^\]]*\]|\S+", pattern):
        if part.startswith("["):
            elements.append(Optional(tuple(_simple(p) for p in part[1:-1].split())))
        else:
            elements.append(_simple(part))
    return tuple(elements)


def _simple(part: str) -> Words | Part:
    return Part(part[1:-1]) if part.startswith("<") else Words(tuple(part.split("|")))


def usage(pattern: str) -> str:
    """The pattern as help shows it."""
    return re.sub(r"<(\w+)>", lambda found: SLOTS[found[1]].usage, pattern)


def matched(elements: tuple[Element, ...], cursor: Cursor) -> dict[str, Any]:
    """What the slots caught, by name, and the chosen words under ``word0``, ``word1``, … Raises Stopped."""
    caught: dict[str, Any] = {}
    skipped: list[str] = []
    for element in elements:
        if isinstance(element, Optional):
            before = cursor.at
            could = _try_part(element, cursor, caught, skipped)
            skipped = [*skipped, *could] if cursor.at == before else []  # what stands before a part goes no longer
        else:
            _take(element, cursor, caught, skipped)
            skipped = []
    if not cursor.done:
        raise Stopped(cursor.at, expected=tuple(skipped))
    return caught


def _try_part(element: Optional, cursor: Cursor, caught: dict[str, Any], skipped: list[str]) -> list[str]:
    """Takes the optional part if it begins here; else says which words would have begun it."""
    first = element.elements[0]
    if cursor.done:
        return []
    if isinstance(first, Words) and cursor.peek().lower() not in first.choices:
        return list(first.choices)
    for inner in element.elements:
        _take(inner, cursor, caught, skipped)
    return []


def _take(element: Words | Part, cursor: Cursor, caught: dict[str, Any], skipped: list[str]) -> None:
    at = cursor.at
    if isinstance(element, Words):
        if cursor.peek().lower() not in element.choices:
            raise Stopped(at, expected=(*skipped, *element.choices))
        caught[f"word{sum(k.startswith('word') for k in caught)}"] = cursor.take().text.lower()
        return
    slot = SLOTS[element.slot]
    try:
        caught[element.slot] = slot.read(cursor, slot.what)
    except Refused as exc:
        raise Stopped(cursor.at, sentence=str(exc), expected=tuple(skipped)) from exc


def explained(stops: list[Stopped], cursor: Cursor) -> str:
    """One sentence for the forms that came furthest."""
    furthest = max(s.at for s in stops)
    last = [s for s in stops if s.at == furthest]
    expected = tuple(dict.fromkeys(word for s in last for word in s.expected))
    word = cursor.tokens[furthest].text if furthest < len(cursor.tokens) else ""
    after = f" after {shown(cursor.tokens[furthest - 1].text)}" if 0 < furthest <= len(cursor.tokens) else ""
    said = next((s.sentence for s in last if s.sentence), "")
    if said and not (word and meant(word, expected)):
        return said
    choice = " or ".join(f"`{e}`" for e in expected)
    if not word:
        return f"The line ends too early: {choice} is missing{after}"
    if not expected:
        return f"I do not understand {shown(word)}{after}; the line should end there"
    return f"I do not understand {shown(word)}{after}" + (meant(word, expected) or f"; {choice} goes there")
