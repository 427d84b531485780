"""ClickHouse types as values: as much of them as rules need."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbooks.datafile.schema import split_top

INTEGERS = {f"{sign}Int{bits}": (sign, bits) for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)}
FLOATS = ("Float32", "Float64")
TIMES = ("Date", "Date32", "DateTime", "DateTime64")
TEXTS = ("String", "FixedString", "UUID", "Enum8", "Enum16", "IPv4", "IPv6")
WRAPPERS = ("Nullable", "LowCardinality")
_COMPOSED = (
    "Array",
    "Map",
    "Tuple",
    "Decimal",
    "Decimal32",
    "Decimal64",
    "Decimal128",
    "Decimal256",
    "SimpleAggregateFunction",
)
_OTHERS = ("AggregateFunction", "JSON", "Nested", "Point", "Nothing")
NAMES = frozenset([*INTEGERS, *FLOATS, *TIMES, *TEXTS, *WRAPPERS, *_COMPOSED, *_OTHERS, "Bool"])

_SHAPE = re.compile(r"([A-Za-z][A-Za-z0-9]*)\s*(?:\((.*)\))?", re.DOTALL)
_TAKES_TYPES = frozenset([*WRAPPERS, "Array", "Map"])


class UnknownType(ValueError):
    """``word`` is the name that ClickHouse does not have."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(frozen=True)
class Type:
    """``DateTime64(3)`` is ``Type("DateTime64", ("3",))``; arguments that are types are kept as text too."""

    name: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.arguments)})" if self.arguments else self.name

    @property
    def nullable(self) -> bool:
        return self.name == "Nullable" or (self.name == "LowCardinality" and parse(self.arguments[0]).nullable)

    @property
    def core(self) -> Type:
        """Without ``Nullable`` and ``LowCardinality``."""
        return parse(self.arguments[0]).core if self.name in WRAPPERS else self

    @property
    def is_text(self) -> bool:
        return self.core.name in ("String", "FixedString")

    @property
    def is_array(self) -> bool:
        return self.core.name == "Array"

    @property
    def is_integer(self) -> bool:
        return self.core.name in INTEGERS

    @property
    def is_time(self) -> bool:
        return self.core.name in TIMES

    @property
    def is_float(self) -> bool:
        return self.core.name in FLOATS

    def span(self) -> tuple[int, int]:
        """The least and the greatest value of an integer type."""
        sign, bits = INTEGERS[self.core.name]
        return (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def parse(text: str) -> Type:
    """Raises ``UnknownType`` for a name that ClickHouse does not have, ``ValueError`` for a shape it cannot be."""
    found = _SHAPE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not written like a type")
    name, inside = found.groups()
    if name not in NAMES:
        raise UnknownType(name)
    arguments = tuple(split_top(inside, ",")) if inside is not None else ()
    if name in _TAKES_TYPES:
        if len(arguments) != (2 if name == "Map" else 1):
            raise ValueError(f"{name} needs {'two types' if name == 'Map' else 'one type'} in brackets")
        arguments = tuple(str(parse(argument)) for argument in arguments)
    first = next(iter(arguments), "")
    if name == "Nullable" and parse(first).name in (*WRAPPERS, "Array", "Map", "Tuple"):
        raise ValueError(f"{text.strip()} does not exist: {first} cannot be inside Nullable")
    if name in ("DateTime64", "FixedString") and not first.isdigit():
        raise ValueError(f"{name} needs a number in brackets, such as {name}({3 if name == 'DateTime64' else 16})")
    return Type(name, arguments)
