"""The functions that templates call: typed parameters, ``defined``, ``column``, … (facts/tinybird.md §11)."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.expressions import Raw, Undefined

_INTEGERS = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)]
_FLOATS = ["Float32", "Float64", "Decimal", "Decimal32", "Decimal64", "Decimal128", "Decimal256"]
_TEXTS = ["String", "UUID", "Symbol", "LowCardinality"]
_TIMES = ["DateTime", "DateTime64", "Date", "Date32"]
TYPES = (*_INTEGERS, *_FLOATS, *_TEXTS, *_TIMES, "Boolean", "Bool", "Array", "JSON", "Int", "Float")
_COLUMN = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)


def literal(value: Any) -> str:
    """A value as SQL text."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(literal(item) for item in value) + "]"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def typed(kind: str, value: Any, name: str) -> Any:
    """``value`` as the declared type; ApiError 400 in Tinybird's manner when it is not one."""
    try:
        if kind in _INTEGERS or kind == "Int":
            return int(value)
        if kind in _FLOATS or kind == "Float":
            return float(value)
        if kind in ("Boolean", "Bool"):
            return str(value).lower() in ("1", "true", "t", "yes")
        if kind in _TIMES and not isinstance(value, Raw):
            datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except (TypeError, ValueError):
        raise ApiError(
            400, f"Template Syntax Error: Error validating '{value}' to type {kind} (parameter '{name}')"
        ) from None
    return str(value) if kind not in ("Array", "JSON") else value


def _parameter(kind: str) -> Callable[..., Any]:
    def take(given: Any, default: Any = None, *, required: Any = None, enum: Any = None, **_: Any) -> Any:
        name = given.name if isinstance(given, Undefined) else "value"
        value = default if isinstance(given, Undefined) else given
        if value is None:
            if isinstance(given, Undefined) and required is not False:
                raise ApiError(400, f"Template Syntax Error: The parameter '{name}' is required")
            value = 0 if kind in (*_INTEGERS, *_FLOATS) else ""
        result = typed(kind, value, name) if value != "" else value
        if enum and result not in enum:
            raise ApiError(400, f"Template Syntax Error: '{result}' is not one of {enum} (parameter '{name}')")
        return result

    return take


def _array(given: Any, kind: str = "String", default: Any = None, **_: Any) -> list[Any]:
    value = default if isinstance(given, Undefined) else given
    if value is None:
        if isinstance(given, Undefined):
            raise ApiError(400, f"Template Syntax Error: The parameter '{given.name}' is required")
        value = ""
    items = value if isinstance(value, list) else [part for part in str(value).split(",") if part != ""]
    return [typed(kind, item, "array") for item in items]


def _column(given: Any, default: Any = None) -> Raw:
    value = default if isinstance(given, Undefined) else given
    if not isinstance(value, str) or not _COLUMN.fullmatch(value):
        raise ApiError(400, f"Template Syntax Error: '{value}' is not a valid column name")
    return Raw(f"`{value}`")


def _columns(given: Any, default: Any = None) -> Raw:
    value = default if isinstance(given, Undefined) else given
    return Raw(",".join(_column(name.strip()) for name in str(value).split(",")))


def _json(given: Any, default: Any = None, **_: Any) -> Any:
    value = default if isinstance(given, Undefined) else given
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        raise ApiError(400, f"Template Syntax Error: '{value}' is not JSON") from None


def _error(text: Any) -> None:
    raise ApiError(400, str(text))


def _custom_error(text: Any, code: int = 400) -> None:
    raise ApiError(int(code), text if isinstance(text, str) else json.dumps(text))


def _sql_and(**conditions: Any) -> Raw:
    parts: list[str] = []
    for key, value in conditions.items():
        if isinstance(value, Undefined) or value in (None, ""):
            continue
        name, _, operation = key.partition("__")
        sign = {"in": "IN", "not_in": "NOT IN", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}.get(operation, "=")
        items = value if isinstance(value, list) else [value]
        parts.append(f"`{name}` {sign} " + (f"({','.join(map(literal, items))})" if "IN" in sign else literal(value)))
    return Raw(" AND ".join(parts) or "1")


def _split(given: Any, default: Any = "", separator: str = ",", **_: Any) -> list[str]:
    value = default if isinstance(given, Undefined) else given
    return value if isinstance(value, list) else [part.strip() for part in str(value).split(separator) if part.strip()]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{kind: _parameter(kind) for kind in TYPES if kind not in ("Array", "JSON")},
    "Array": _array,
    "JSON": _json,
    "defined": lambda value=None: value is not None and not isinstance(value, Undefined),
    "column": _column,
    "columns": _columns,
    "table": _column,
    "TABLE": _column,
    "error": _error,
    "custom_error": _custom_error,
    "sql_and": _sql_and,
    "sql_unescape": lambda value, *_: Raw("" if isinstance(value, Undefined) else value),
    "split_to_array": _split,
    "enumerate_with_last": lambda items: [(i == len(items) - 1, item) for i, item in enumerate(items)],
    "len": len,
    "range": lambda *bounds: list(range(*bounds)),
    "max_threads": lambda *_: Raw(""),
    "backend_hint": lambda *_: Raw(""),
    "cache_ttl": lambda *_: Raw(""),
}
