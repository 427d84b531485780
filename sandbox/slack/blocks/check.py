"""Collecting what is wrong with a piece of Block Kit, in Slack's own words and with its JSON pointers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """``pointer`` is relative to what was checked; ``code`` as blocks.validate names it."""

    code: str
    message: str
    pointer: str
    field: str = ""
    constraint: Json | None = None

    def body(self) -> Json:
        body: Json = {"code": self.code, "message": self.message, "pointer": self.pointer}
        if self.field:
            body["field"] = self.field
        if self.constraint:
            body["constraint"] = self.constraint
        return body

    def line(self, prefix: str) -> str:
        return f"{self.message} [json-pointer:{prefix}{self.pointer}]"


@dataclass
class Check:
    """A checking in progress on one surface; rules add what they find and go on."""

    surface: str = "message"
    problems: list[Problem] = field(default_factory=list)
    characters: int = 0

    def failed(self, at: str, message: str, kind: str = "", **constraint: Any) -> None:
        known = {"type": kind, **constraint} if kind else None
        self.problems.append(Problem("failed_constraint", message, at, constraint=known))

    def missing(self, at: str, name: str) -> None:
        self.problems.append(Problem("missing_field", f"missing required field: {name}", at, name))

    def is_object(self, at: str, value: Any) -> bool:
        if not isinstance(value, dict):
            self.failed(at, "must be an object", "type", expected="object")
            return False
        return True

    def string(self, at: str, body: Json, name: str, most: int, *, least: int = 1, needed: bool = False) -> None:
        """A plain string property between ``least`` and ``most`` characters."""
        value = body.get(name)
        if value is None:
            if needed:
                self.missing(at, name)
            return
        if not isinstance(value, str):
            self.failed(f"{at}/{name}", "must be a string", "type", expected="string")
            return
        self.length(f"{at}/{name}", value, most, least)

    def length(self, at: str, value: str, most: int, least: int = 1) -> None:
        if len(value) > most:
            self.failed(at, f"must be less than {most + 1} characters", "max_length", expected=most, got=len(value))
        if len(value) < least:
            self.failed(at, f"must be more than {least - 1} characters", "min_length", expected=least, got=len(value))

    def text(self, at: str, body: Json, name: str, most: int, *, plain: bool = False, needed: bool = False) -> None:
        """A text object property: ``plain_text``, or ``mrkdwn`` too unless ``plain``."""
        value = body.get(name)
        if value is None:
            if needed:
                self.missing(at, name)
            return
        self.text_object(f"{at}/{name}", value, most, plain=plain)

    def text_object(self, at: str, value: Any, most: int, *, plain: bool = False) -> None:
        if not self.is_object(at, value):
            return
        kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
        self.one_of(at, value, "type", kinds, needed=True)
        self.string(at, value, "text", most, needed=True)
        self.characters += len(value["text"]) if isinstance(value.get("text"), str) else 0

    def one_of(self, at: str, body: Json, name: str, allowed: Sequence[str], *, needed: bool = False) -> None:
        value = body.get(name)
        if value is None:
            if needed:
                self.missing(at, name)
        elif value not in allowed:
            listed = ", ".join(allowed)
            self.failed(f"{at}/{name}", f"must be one of: {listed}", "enum", expected=list(allowed), got=value)

    def items(self, at: str, body: Json, name: str, most: int, *, least: int = 1, needed: bool = True) -> list[Any]:
        """A list property of ``least`` to ``most`` items; [] when it is not there or no list."""
        value = body.get(name)
        if value is None:
            if needed:
                self.missing(at, name)
            return []
        if not isinstance(value, list):
            self.failed(f"{at}/{name}", "must be an array", "type", expected="array")
            return []
        got = len(value)
        if got > most:
            self.failed(f"{at}/{name}", f"no more than {most} items allowed", "max_items", expected=most, got=got)
        if got < least:
            self.failed(f"{at}/{name}", f"no fewer than {least} items allowed", "min_items", expected=least, got=got)
        return value

    def unique(self, at: str, name: str, found: list[tuple[str, Any]]) -> None:
        """``found`` are (pointer, value) pairs; a value that comes twice is a problem where it comes again."""
        seen: set[Any] = set()
        for pointer, value in found:
            if isinstance(value, str) and value in seen:
                self.failed(pointer or at, f"`{name}` already exists: {value}", "unique", got=value)
            elif isinstance(value, str):
                seen.add(value)
