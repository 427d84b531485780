"""Default values as people type them, checked against a type and written for both sides."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from runbooks.types.clickhouse import Type, parse
from runbooks.types.postgres import integer_span

_QUOTED = re.compile(r"'((?:[^']|'')*)'", re.DOTALL)
_INTEGER = re.compile(r"[+-]?\d{1,40}")
_FLOAT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?")
_NUMERIC = re.compile(r"numeric\((\d+)(?:,(\d+))?\)")
_VARCHAR = re.compile(r"character(?: varying)?\((\d+)\)")
_EMPTY_ARRAYS = ("[]", "'{}'", "{}", "'[]'")
_EPOCH = {"Date": "toDate(0)", "Date32": "toDate32(0)", "DateTime": "toDateTime(0)"}


class BadDefault(ValueError):
    """The literal is no literal, or the type cannot hold it; ``str`` is half a sentence that says why."""


@dataclass(frozen=True)
class Default:
    """One constant for both sides, as SQL. ``postgres`` is None where Postgres keeps NULL."""

    clickhouse: str | None
    postgres: str | None


def resolve(kind: Type, typed: str | None, pg_type: str | None = None) -> Default:
    """The default of a new column of type ``kind``: ``typed`` checked, or the one that the type implies.

    ``pg_type`` is the column's type in Postgres, where it gets one. Raises ``BadDefault``.
    """
    if typed is None:
        return Default(implied(kind), _implied_in_postgres(kind, pg_type))
    text = typed.strip()
    if text.upper() == "NULL":
        if not kind.nullable:
            raise BadDefault(f"{kind} cannot hold NULL, and Nullable({kind}) can")
        return Default(None, None)
    if (pg_type or "").startswith("numeric") and kind.core.is_text and _FLOAT.fullmatch(text):
        exact = _at_scale(text, pg_type or "")
        return Default(quoted(exact), exact)
    found = _constant(kind.core, kind, text)
    return Default(found.clickhouse, _for_postgres(pg_type, found.postgres))


def implied(kind: Type) -> str | None:
    """What stands where a row has no value: nothing for Nullable, else the type's empty value."""
    if kind.nullable:
        return None
    core = kind.core
    if core.name == "DateTime64":
        return f"toDateTime64(0, {core.arguments[0]})"
    if core.name in _EPOCH:
        return _EPOCH[core.name]
    if core.is_text:
        return "''"
    if core.name == "Array":
        return "[]"
    if core.is_integer or core.is_float or core.name.startswith("Decimal"):
        return "0"
    return {"Bool": "false", "UUID": "toUUID('00000000-0000-0000-0000-000000000000')"}.get(core.name)


def _implied_in_postgres(kind: Type, pg_type: str | None) -> str | None:
    """The same constant on both sides, or a proof by value could not tell NULL from it; text compares NULL as ''."""
    if pg_type is None or kind.nullable or kind.core.is_text:
        return None
    if pg_type == "boolean":
        return "false"
    if pg_type.endswith("[]"):
        return "'{}'"
    if kind.is_time:
        return "'1970-01-01 00:00:00+00'"
    return "0" if kind.is_integer or kind.is_float or pg_type.startswith("numeric") else None


def _at_scale(text: str, pg_type: str) -> str:
    """A number as Postgres writes it: numeric(10,2) makes 0.00 of 0, and Sequin sends just that."""
    value, size = Decimal(text), _NUMERIC.fullmatch(pg_type)
    if size is None:
        return f"{value:f}"
    digits, scale = int(size[1]), int(size[2] or 0)
    if value.is_zero():
        return f"{Decimal(0):.{scale}f}"
    if value.adjusted() >= digits - scale or -int(value.normalize().as_tuple().exponent) > scale:
        raise BadDefault(f"{text} does not fit into {pg_type}")
    return f"{value:.{scale}f}"


def _for_postgres(pg_type: str | None, literal: str | None) -> str | None:
    """The literal in the words of the Postgres type; None where that type cannot hold an empty text."""
    if pg_type == "boolean":
        if literal not in ("0", "1", "true", "false"):
            raise BadDefault(f"{literal} is neither true nor false, and the column is boolean in Postgres")
        return {"1": "true", "0": "false"}.get(literal, literal)
    _check_room(pg_type, literal)
    if literal in ("true", "false"):
        return "1" if literal == "true" else "0"
    if pg_type not in ("uuid", "json", "jsonb") or literal is None:
        return literal
    if literal == "''":
        return None
    value = literal[1:-1].replace("''", "'")
    try:
        UUID(value) if pg_type == "uuid" else json.loads(value)
    except ValueError as exc:
        raise BadDefault(f"{literal} is no {pg_type}, which the column is in Postgres") from exc
    return literal


def _check_room(pg_type: str | None, literal: str | None) -> None:
    """Postgres refuses a default that its type has no room for; ClickHouse's type may have had it."""
    if pg_type is None or literal is None:
        return
    span, size = integer_span(pg_type), _VARCHAR.fullmatch(pg_type)
    if span and _INTEGER.fullmatch(literal) and not span[0] <= int(literal) <= span[1]:
        raise BadDefault(f"{literal} does not fit into {pg_type}, which holds {span[0]} to {span[1]}")
    if size and len(literal[1:-1].replace("''", "'")) > int(size[1]):
        raise BadDefault(f"{literal} is longer than {pg_type} allows")


def type_of(text: str) -> str | None:
    """The Postgres type that a literal alone suggests; None where it suggests none."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return "boolean"
    if _INTEGER.fullmatch(text):
        return "integer" if abs(int(text)) < 2**31 else "bigint"
    if _FLOAT.fullmatch(text):
        return "double precision"
    if text in ("[]", "'{}'"):
        return "text[]"
    return "text" if _QUOTED.fullmatch(text) else None


def quoted(value: str) -> str:
    """A string literal that reads the same in ClickHouse and in Tinybird's own parser of schemas."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _constant(core: Type, kind: Type, text: str) -> Default:
    if core.is_integer or core.name == "Bool":
        return _whole(core, kind, text)
    if core.is_float or core.name.startswith("Decimal"):
        if not _FLOAT.fullmatch(text):
            raise BadDefault(f"{text} is not a number, which {kind} needs")
        return Default(text, text)
    if core.name == "Array":
        if text not in _EMPTY_ARRAYS:
            raise BadDefault(f"only the empty array [] can be the default of {kind}")
        return Default("[]", "'{}'")
    value = _string(text)
    if core.name in ("Enum8", "Enum16"):
        return _one_of(core, value)
    if core.is_time:
        return _moment(core, kind, value)
    if core.is_text:
        return Default(quoted(value), "'" + value.replace("'", "''") + "'")
    raise BadDefault(f"no default can be given for {kind} here")


def _whole(core: Type, kind: Type, text: str) -> Default:
    truth = {"true": 1, "false": 0}.get(text.lower())
    if core.name == "Bool":
        if truth is None and text not in ("0", "1"):
            raise BadDefault(f"{text} is neither true nor false, which {kind} needs")
        yes = truth == 1 or text == "1"
        return Default(str(yes).lower(), str(yes).lower())
    if truth is not None:
        return Default(str(truth), text.lower())
    if not _INTEGER.fullmatch(text):
        raise BadDefault(f"{text} is not a whole number, which {kind} needs")
    least, most = core.span()
    if not least <= int(text) <= most:
        raise BadDefault(f"{text} does not fit into {kind}, which holds {least} to {most}")
    return Default(str(int(text)), str(int(text)))


def _one_of(core: Type, value: str) -> Default:
    names = [found[1].replace("''", "'") for part in core.arguments if (found := _QUOTED.match(part))]
    if value not in names:
        raise BadDefault(f"'{value}' is not among the values of {core}")
    return Default(quoted(value), "'" + value.replace("'", "''") + "'")


def _string(text: str) -> str:
    found = _QUOTED.fullmatch(text)
    if not found:
        raise BadDefault(f"{text} is not a literal; text is written in single quotes, like '{text.strip(chr(39))}'")
    value = found.group(1).replace("''", "'")
    if not value.isprintable():
        raise BadDefault("it holds control characters")
    return value


def _moment(core: Type, kind: Type, value: str) -> Default:
    try:
        datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as exc:
        raise BadDefault(f"'{value}' is not a date and time like 2026-01-31 12:00:00, which {kind} needs") from exc
    scale = f", {core.arguments[0]}" if core.name == "DateTime64" else ""
    return Default(f"to{core.name}('{value}'{scale})", f"'{value}'")


def constant(expression: str | None) -> bool:
    """Whether a DEFAULT of a datafile is the same for every row: no column is named in it."""
    if expression is None:
        return True
    text = expression.strip()
    plain = bool(_QUOTED.fullmatch(text) or _FLOAT.fullmatch(text)) or text.lower() in ("true", "false", "null", "[]")
    return plain or bool(re.fullmatch(r"to\w+\((?:'[^']*'|\d+)(?:,\s*\d+)?\)", text))


def holds(kind: str, default: str) -> bool:
    """Whether the DEFAULT of a datafile is one that its type takes: ``DateTime64(3) DEFAULT ''`` is not."""
    parsed = parse(kind)
    text = _QUOTED.fullmatch(default.strip())
    if text is None:
        return True
    if parsed.is_time:
        return bool(re.match(r"\d{4}-\d\d-\d\d", text.group(1)))
    return not (parsed.is_integer or parsed.is_float) or bool(_FLOAT.fullmatch(text.group(1)))
