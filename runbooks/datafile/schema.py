"""The columns of a datafile's ``SCHEMA`` block and of the API's ``schema`` (facts/tinybird.md §2, §11)."""

import re
from collections.abc import Iterable, Iterator

from runbooks.facts.model import Column, Index

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.]+")
_CLAUSE = re.compile(r"\s+(DEFAULT|MATERIALIZED|CODEC|ALIAS|TTL|NOT\s+NULL)\b|\s*(`json:)", re.IGNORECASE)
_INDEX = re.compile(
    r"(?:INDEX\s+)?(\S+)\s+(.+?)\s+TYPE\s+(\w+(?:\s*\(.*?\))?)(?:\s+GRANULARITY\s+(\d+))?", re.IGNORECASE
)
_AFTER_PATH = "after the path"
_OPEN, _CLOSE = "([{", ")]}"


def read_columns(text: str) -> tuple[Column, ...]:
    """The columns of a schema. Raises ``ValueError`` that says which column is not understood."""
    parts = split_top(_without_comments(text), ",")
    return tuple(_column(part) for part in parts if not part.upper().startswith("INDEX "))


def read_index(line: str) -> Index:
    """One line of an ``INDEXES`` block: ``name expression TYPE type GRANULARITY n``."""
    found = _INDEX.fullmatch(line.strip().rstrip(",").strip())
    if not found:
        raise ValueError(f"the index {line.strip()!r} is not written as: name expression TYPE type GRANULARITY n")
    name, expression, kind, granularity = found.groups()
    return Index(name, expression, kind, granularity or "1")


def column_sql(column: Column) -> str:
    """One column as ``tb fmt`` writes it and as the API takes it."""
    parts = [f"`{column.name}`", column.type]
    if column.jsonpath:
        parts.append(f"`json:{column.jsonpath}`")
    implied = column.type.startswith("Nullable(") and (column.default or "").upper() == "NULL"
    if column.default is not None and not implied:
        parts.append(f"DEFAULT {column.default}")
    if column.materialized is not None:
        parts.append(f"MATERIALIZED {column.materialized}")
    if column.codec:
        parts.append(f"CODEC({column.codec})")
    return " ".join(part for part in parts if part)


def schema_sql(columns: Iterable[Column]) -> str:
    """The whole schema in one line, comma-joined: what ``POST /v0/datasources`` and ``alter`` take."""
    return ",".join(column_sql(c) for c in columns)


def split_top(text: str, separator: str) -> Iterator[str]:
    """The parts of ``text`` between separators that lie outside quotes and brackets, stripped; empty ones left out."""
    start = 0
    for at in _outside(text):
        if text[at] == separator:
            if part := text[start:at].strip():
                yield part
            start = at + 1
    if part := text[start:].strip():
        yield part


def _outside(text: str) -> Iterator[int]:
    """The positions of ``text`` that lie in no quotes and no brackets."""
    depth, quote, at = 0, "", 0
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'\"`":
            quote = char
            if depth == 0:
                yield at
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif depth == 0:
            yield at
        at += 1


def _column(text: str) -> Column:
    name, rest = _name(text)
    clauses = dict(_clauses(rest))
    for unsupported in ("ALIAS", "TTL", "NOT NULL"):
        if unsupported in clauses:
            raise ValueError(f"{unsupported} is not supported in a schema: column {name!r}")
    if stray := clauses.get(_AFTER_PATH):
        raise ValueError(f"{stray!r} after the JSON path of column {name!r} is not understood")
    codec = clauses.get("CODEC")
    return Column(
        name=name,
        type=clauses[""],
        jsonpath=clauses.get("`JSON:"),
        default=clauses.get("DEFAULT"),
        codec=codec[1:-1].strip() if codec else None,
        materialized=clauses.get("MATERIALIZED"),
    )


def _name(text: str) -> tuple[str, str]:
    if text.startswith("`"):
        name, found, rest = text[1:].partition("`")
        if not found or not name:
            raise ValueError(f"the column {text[:40]!r} has no closing back-tick")
        return name, rest
    found = _PLAIN_NAME.match(text)
    if not found or text[found.end() : found.end() + 1].strip():
        raise ValueError(f"{text[:40]!r} does not begin with a column's name")
    return found.group(), text[found.end() :]


def _clauses(rest: str) -> Iterator[tuple[str, str]]:
    """``("", type)`` first, then each clause by its keyword. A JSON path ends at its back-tick."""
    outside = set(_outside(rest))
    keyword, start = "", 0
    for found in _CLAUSE.finditer(rest):
        if found.start(1 if found.group(1) else 2) not in outside or found.start() < start:
            continue
        yield keyword, rest[start : found.start()].strip()
        keyword = re.sub(r"\s+", " ", (found.group(1) or found.group(2)).upper())
        start = found.end()
        if found.group(2):
            end = rest.find("`", start)
            if end < 0:
                raise ValueError(f"the JSON path {rest[start:].strip()!r} has no closing back-tick")
            yield keyword, rest[start:end]
            keyword, start = _AFTER_PATH, end + 1
    yield keyword, rest[start:].strip()


def _without_comments(text: str) -> str:
    return "\n".join(line.split("--", 1)[0] if _comment_starts(line) else line for line in text.splitlines())


def _comment_starts(line: str) -> bool:
    at = line.find("--")
    return at >= 0 and line[:at].count("'") % 2 == 0 and line[:at].count("`") % 2 == 0
