"""Postgres types, and what they become in ClickHouse (facts/estate.md §8)."""

import re

from runbooks.types.clickhouse import Type

_ALIASES = {
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "bool": "boolean",
    "float8": "double precision",
    "float4": "real",
    "float": "double precision",
    "double": "double precision",
    "decimal": "numeric",
    "varchar": "character varying",
    "char": "character",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "json": "json",
}
_TO_CLICKHOUSE = {
    "text": "String",
    "character varying": "String",
    "character": "String",
    "citext": "String",
    "uuid": "String",
    "name": "String",
    "json": "String",
    "jsonb": "String",
    "numeric": "String",  # Sequin sends numeric as a JSON string (facts/estate.md §8)
    "boolean": "UInt8",
    "smallint": "Int16",
    "integer": "Int32",
    "bigint": "Int64",
    "real": "Float32",
    "double precision": "Float64",
    "timestamp with time zone": "DateTime64(3)",
    "timestamp without time zone": "DateTime64(3)",
    "date": "DateTime64(3)",
}
_FROM_CLICKHOUSE = {
    "String": "text",
    "FixedString": "text",
    "UUID": "uuid",
    "Bool": "boolean",
    "Int8": "smallint",
    "UInt8": "smallint",
    "Int16": "smallint",
    "UInt16": "integer",
    "Int32": "integer",
    "UInt32": "bigint",
    "Int64": "bigint",
    "UInt64": "bigint",
    "Float32": "real",
    "Float64": "double precision",
    "Date": "date",
    "Date32": "date",
    "DateTime": "timestamp with time zone",
    "DateTime64": "timestamp with time zone",
}
_INTEGER_SPANS = {"smallint": 16, "integer": 32, "bigint": 64}
_NEVER_NULL = ("String", "UInt8", "Array")  # the estate gives these a default, and makes the others Nullable

WORDS = frozenset([*_ALIASES, *_TO_CLICKHOUSE])

# Types that Postgres has, and that no field of theirs is added with here.
_OF_BYTES = ("bytea", "bit", "xml", "oid", "tsvector", "hstore", "ltree")
_OF_PLACES = ("inet", "cidr", "macaddr", "point", "box", "circle")
NOT_ADDED = frozenset([*_OF_BYTES, *_OF_PLACES, "money", "interval", "time", "timetz"])

_SHAPE = re.compile(r"([a-z][a-z0-9 ]*?)\s*(\(\s*\d+\s*(?:,\s*\d+\s*)?\))?(\s+with(?:out)? time zone)?\s*(\[\])?")


def normal(text: str) -> str | None:
    """The type as Postgres' ``format_type`` writes it, or None when it is no type that is known here."""
    found = _SHAPE.fullmatch(" ".join(text.lower().split()))
    if not found:
        return None
    name, size, zone, array = found.groups()
    name = f"{name}{zone}" if zone else _ALIASES.get(name, name)
    if name not in _TO_CLICKHOUSE:
        return None
    return name + (size or "").replace(" ", "") + (array or "")


def to_clickhouse(pg_type: str, default: bool) -> Type:
    """The type for a column added to a table that has rows: Nullable, unless it has a default or needs none.

    A type not known here (an enum, a domain) travels as text, and so does a list of such.
    """
    if pg_type.endswith("[]") and normal(pg_type):
        return Type("Array", (str(to_clickhouse(pg_type[:-2], default=True)),))
    core = _TO_CLICKHOUSE.get(re.sub(r"\(.*\)", "", pg_type), "String")
    name = core.partition("(")[0]
    whole = Type(name, ("3",)) if name == "DateTime64" else Type(name)
    return whole if default or name in _NEVER_NULL else Type("Nullable", (str(whole),))


def from_clickhouse(kind: Type) -> str | None:
    """The Postgres type for a new column of this ClickHouse type; None where none fits."""
    core = kind.core
    if core.name == "Array":
        inner = _FROM_CLICKHOUSE.get(core.arguments[0].partition("(")[0])
        return f"{inner}[]" if inner else None
    if core.name.startswith("Decimal"):
        return f"numeric({','.join(core.arguments)})" if len(core.arguments) == 2 else "numeric"
    return _FROM_CLICKHOUSE.get(core.name)


def integer_span(pg_type: str) -> tuple[int, int] | None:
    """The least and the greatest value of an integer type; None for others."""
    bits = _INTEGER_SPANS.get(pg_type)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if bits else None
