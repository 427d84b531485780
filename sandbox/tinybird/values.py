"""JSON paths, and JSON values as what a ClickHouse column takes (facts/tinybird.md §7)."""

import ast
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

MISSING = object()
_WRAPPED = re.compile(r"(Nullable|LowCardinality)\((.*)\)$", re.DOTALL)
_ARRAY = re.compile(r"Array\((.*)\)$", re.DOTALL)
_INTEGER = re.compile(r"(U?)Int(\d+)$")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


class Misfit(Exception):
    """A value does not fit its column; the text goes to the quarantine."""


@lru_cache(4096)
def steps(path: str) -> tuple[str, ...]:
    """``$.record.tags[:]`` as ``("record", "tags", "[:]")``."""
    parts = re.findall(r"\[:\]|\['([^']+)'\]|([^.\[\]$]+)", path)
    names = re.findall(r"\[:\]|\['[^']+'\]|[^.\[\]$]+", path)
    return tuple(quoted or bare or name for (quoted, bare), name in zip(parts, names, strict=True))


def at_path(row: Any, path: str) -> Any:
    """What is at ``path`` in ``row``; MISSING when a step is not there. ``$`` alone is the row as JSON text."""
    if path == "$":
        return json.dumps(row, default=str, ensure_ascii=False)
    return _walk(row, steps(path))


def _walk(value: Any, names: tuple[str, ...]) -> Any:
    for n, name in enumerate(names):
        if name == "[:]":
            if value is None:
                return None
            if not isinstance(value, list):
                return MISSING
            rest = names[n + 1 :]
            return [_walk(item, rest) for item in value] if rest else value
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


@lru_cache(1024)
def converter(kind: str) -> Callable[[Any], Any]:
    """A function that makes a JSON value fit a column of this type, or raises Misfit."""
    wrapped = _WRAPPED.match(kind)
    if wrapped:
        return converter(wrapped[2])
    array = _ARRAY.match(kind)
    if array:
        return _array(array[1])
    integer = _INTEGER.match(kind)
    if integer:
        return _integer(kind, bool(integer[1]), int(integer[2]))
    if kind.startswith(("DateTime", "Date")):
        return _time(kind)
    return {"String": _text, "Float32": _float, "Float64": _float, "Bool": _bool, "UUID": _uuid}.get(kind, _as_is)


def takes_null(kind: str) -> bool:
    return kind.startswith(("Nullable(", "LowCardinality(Nullable("))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list | bool | int | float):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _as_is(value: Any) -> Any:
    return value if isinstance(value, str | int | float | dict | list) else str(value)


def _array(kind: str) -> Callable[[Any], Any]:
    """A NULL in it is the element type's empty value, as ClickHouse reads JSON, unless it is Nullable."""
    item, empty = converter(kind), "" if kind.endswith("String)") or kind == "String" else 0

    def fitted(part: Any) -> Any:
        if part is None:
            return None if takes_null(kind) else [] if _ARRAY.match(kind) else empty
        return item(part)

    def convert(value: Any) -> list[Any]:
        if isinstance(value, str):  # as a CSV file writes it
            try:
                value = ast.literal_eval(value)
            except (SyntaxError, ValueError):
                raise Misfit(f"The value '{_short(value)}' is not an array") from None
        if not isinstance(value, list):
            raise Misfit(f"The value '{_short(value)}' is not an array")
        return [fitted(part) for part in value if part is not MISSING]

    return convert


def _integer(kind: str, unsigned: bool, bits: int) -> Callable[[Any], Any]:
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def convert(value: Any) -> int:
        try:
            number = int(value)
            if isinstance(value, float) and number != value:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise Misfit(f"Type mismatch, unexpected value '{_short(value)}' for type {kind}") from None
        if not low <= number <= high:
            raise Misfit(f"The value '{number}' is outside of the range of {kind}")
        return number

    return convert


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Misfit(f"Type mismatch, unexpected value '{_short(value)}' for type Float") from None


def _bool(value: Any) -> bool:
    if str(value).lower() in ("true", "1"):
        return True
    if str(value).lower() in ("false", "0"):
        return False
    raise Misfit(f"Type mismatch, unexpected value '{_short(value)}' for type Bool")


def _uuid(value: Any) -> str:
    if not _UUID.match(str(value)):
        raise Misfit(f"Type mismatch, unexpected value '{_short(value)}' for type UUID")
    return str(value)


def _time(kind: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        try:
            when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            raise Misfit(f"Type mismatch, unexpected value '{_short(value)}' for type {kind}") from None
        if when.tzinfo is not None:
            when = when.astimezone(UTC)
        # fractions of a second are cut at the column's scale, not rounded (facts/procedures.md §8, 18)
        return when.date().isoformat() if kind in ("Date", "Date32") else _iso(when, kind)

    return convert


def _iso(when: datetime, kind: str) -> str:
    whole = f"{when.year:04d}-{when:%m-%d %H:%M:%S}"
    return f"{whole}.{when.microsecond:06d}" if kind.startswith("DateTime64") else whole


def _short(value: Any) -> str:
    return str(value)[:80]
