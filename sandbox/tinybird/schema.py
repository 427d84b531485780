"""Columns of a data source: read from and written as Tinybird's schema text, and as ClickHouse's DDL."""

import re
from dataclasses import dataclass

from sandbox.tinybird.errors import ApiError

_NAME = re.compile(r"\s*(?:`(?P<quoted>[^`]+)`|(?P<bare>\w+))\s+", re.ASCII)
_JSONPATH = re.compile(r"`json:(?P<path>\$[^`]*)`")
_CODEC = re.compile(r"\bCODEC\s*(\(.*\))\s*$", re.IGNORECASE | re.DOTALL)
_DEFAULT = re.compile(r"\s(DEFAULT|MATERIALIZED|ALIAS)\s+(.*)$", re.IGNORECASE | re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Column:
    """One column. ``default`` is SQL text; ``jsonpath`` starts with ``$``."""

    name: str
    type: str
    jsonpath: str | None = None
    default: str | None = None
    codec: str | None = None

    @property
    def nullable(self) -> bool:
        return self.type.startswith("Nullable(")

    def text(self) -> str:
        """As the datafile has it: type, path, default, codec, in that order (facts/tinybird.md §10)."""
        out = f"`{self.name}` {self.type}"
        if self.jsonpath:
            out += f" `json:{self.jsonpath}`"
        if self.default is not None:
            out += f" DEFAULT {self.default}"
        return out + (f" CODEC{self.codec}" if self.codec else "")

    def ddl(self) -> str:
        default = f" DEFAULT {self.default}" if self.default is not None else ""
        return f"`{self.name}` {self.type}{default}" + (f" CODEC{self.codec}" if self.codec else "")


def split_top(text: str) -> list[str]:
    """Split at the commas that stand outside of parentheses, brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    at = 0
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'`\"":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def parse_columns(schema: str) -> tuple[Column, ...]:
    """Read ``\\`id\\` String \\`json:$.id\\` DEFAULT ''`` and the like. ApiError 400 says which column is wrong."""
    columns = tuple(_column(part) for part in split_top(schema))
    if not columns:
        raise ApiError(400, "The schema has no columns")
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise ApiError(400, f"Column '{name}' appears more than once in the schema")
    with_path = [column for column in columns if column.jsonpath]
    if with_path and len(with_path) != len(columns):
        missing = next(column.name for column in columns if not column.jsonpath)
        raise ApiError(400, f"All columns need a jsonpath when one has it; column '{missing}' has none")
    return columns


def _column(text: str) -> Column:
    name = _NAME.match(text)
    if name is None:
        raise ApiError(400, f"Invalid column definition: '{text}'")
    rest = text[name.end() :]
    path = _JSONPATH.search(rest)
    rest = _JSONPATH.sub("", rest)
    codec = _CODEC.search(rest)
    rest = _CODEC.sub("", rest)
    default = _DEFAULT.search(rest)
    kind = (rest[: default.start()] if default else rest).strip()
    called = name["quoted"] or name["bare"]
    if not _IDENTIFIER.fullmatch(called):
        raise ApiError(400, f"Invalid column name '{called}'")
    if not kind:
        raise ApiError(400, f"Column '{called}' has no type")
    return Column(
        name=called,
        type=kind,
        jsonpath=path["path"] if path else None,
        default=default[2].strip() if default else None,
        codec=codec[1] if codec else None,
    )


def schema_text(columns: tuple[Column, ...]) -> str:
    """The canonical ``sql_schema``: what the CLI posts, or each forced push would alter (facts/tinybird.md §10)."""
    return ",".join(column.text() for column in columns)
