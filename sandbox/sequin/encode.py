"""Postgres text values as the JSON values that Sequin writes (facts/systems.md §1.8).

The session that made the text must use ``TimeZone=UTC`` and ``DateStyle=ISO``.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.sequin.pgoutput import Unchanged, Value

UNCHANGED_TOAST = "unchanged_toast"

_ELEMENTS = {  # array type: element type
    1000: 16,
    1005: 21,
    1007: 23,
    1016: 20,
    1021: 700,
    1022: 701,
    1231: 1700,
    199: 114,
    3807: 3802,
    1185: 1184,
    1115: 1114,
    1182: 1082,
    1009: 25,
    1015: 1043,
    1014: 1042,
    2951: 2950,
}


def _number(text: str) -> float | str:
    return text if text in ("NaN", "Infinity", "-Infinity") else float(text)


def _time(text: str) -> str:
    """``2024-10-28 21:37:01.12+00`` as ``2024-10-28T21:37:01.120000Z``; what is no such time stays as it is."""
    if "infinity" in text or text.endswith(" BC"):
        return text
    zone = "Z" if text.endswith("+00") else ""
    whole, _, fraction = text.removesuffix("+00").replace(" ", "T").partition(".")
    return f"{whole}.{fraction:0<6}{zone}"


_SCALARS: dict[int, Callable[[str], Any]] = {
    16: lambda text: text in ("t", "true"),
    20: int,
    21: int,
    23: int,
    26: int,
    700: _number,
    701: _number,
    114: json.loads,
    3802: json.loads,
    1114: _time,
    1184: _time,
}


def to_json(value: Value, type_oid: int) -> Any:
    """numeric, uuid, enum and whatever is not known come out as strings."""
    if value is None:
        return None
    if isinstance(value, Unchanged):
        return UNCHANGED_TOAST
    element = _ELEMENTS.get(type_oid)
    if element is not None:
        return _array(value, element)
    scalar = _SCALARS.get(type_oid)
    return value if scalar is None else scalar(value)


def _array(text: str, element: int) -> list[Any]:
    scalar = _SCALARS.get(element, str)
    stack: list[list[Any]] = [[]]
    for kind, part in _array_parts(text):
        if kind == "open":
            stack.append([])
        elif kind == "close":
            closed = stack.pop()
            stack[-1].append(closed)
        else:
            stack[-1].append(None if kind == "null" else scalar(part))
    return stack[0][0] if stack[0] else []


def _array_parts(text: str) -> Iterator[tuple[str, str]]:
    """The pieces of an array literal: open, close, null, value."""
    at = text.index("{")  # there may be bounds in front: [0:1]={…}
    while at < len(text):
        letter = text[at]
        if letter in "{}":
            yield ("open" if letter == "{" else "close"), ""
            at += 1
        elif letter == ",":
            at += 1
        elif letter == '"':
            at += 1
            part: list[str] = []
            while text[at] != '"':
                at += text[at] == "\\"
                part.append(text[at])
                at += 1
            yield "value", "".join(part)
            at += 1
        else:
            begin = at
            while text[at] not in ",}":
                at += 1
            word = text[begin:at]
            yield ("null" if word == "NULL" else "value"), word
