"""ClickHouse SQL as tokens: enough to find tables, the format, and what must not be run; strings are never touched."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sandbox.tinybird.errors import ApiError

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^'\\]|\\.|'')*')
      | (?P<quoted>`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
      | (?P<word>[A-Za-z_]\w*)
      | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_AFTER_TABLE = {
    "ON",
    "USING",
    "WHERE",
    "PREWHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "UNION",
    "SETTINGS",
    "FORMAT",
    "SELECT",
}
_TABLE_FUNCTIONS = {"generaterandom", "null", "numbers", "numbers_mt", "values", "zeros", "zeros_mt", "view", "merge"}
_SYSTEM_TABLES = {"functions", "numbers", "numbers_mt", "one"}


@dataclass(frozen=True)
class Token:
    kind: str
    text: str

    @property
    def name(self) -> str:
        """The identifier that this token stands for, without its quotes."""
        return self.text[1:-1] if self.kind == "quoted" else self.text

    def says(self, *words: str) -> bool:
        return self.kind in ("word", "mark") and self.text.upper() in words


@dataclass(frozen=True)
class TableName:
    """A table as the SQL names it; ``called`` when it is a table function."""

    database: str
    name: str
    called: bool


def tokens(sql: str) -> list[Token]:
    return [Token(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(sql)]


def _words(sql: str) -> list[Token]:
    return [token for token in tokens(sql) if token.kind != "space"]


def tables(sql: str) -> list[TableName]:
    """Every name in table position: behind FROM, JOIN and IN, and behind a comma of a FROM list."""
    words = [*_words(sql), Token("mark", ";")]
    found: dict[TableName, None] = {}
    listing: list[bool] = [False]  # for each open parenthesis: are we inside a FROM list?
    expected = False
    at = 0
    while at < len(words):
        token = words[at]
        if token.says("("):
            listing.append(False)
            expected = False
        elif token.says(")"):
            listing = listing[:-1] or [False]
        elif token.says("FROM", "JOIN"):
            listing[-1] = expected = True
        elif token.says("IN") or (token.says(",") and listing[-1]):
            expected = True
        elif token.says(*_AFTER_TABLE):
            listing[-1] = expected = False
        elif expected and token.kind in ("word", "quoted"):
            at, name = _table_at(words, at)
            found[name] = None
            expected = False
        at += 1
    return list(found)


def _table_at(words: list[Token], at: int) -> tuple[int, TableName]:
    if words[at + 1].says(".") and words[at + 2].kind in ("word", "quoted"):
        return at + 2, TableName(words[at].name, words[at + 2].name, words[at + 3].says("("))
    return at, TableName("", words[at].name, words[at + 1].says("("))


def format_of(sql: str) -> str | None:
    """The format that ends the SQL (``… FORMAT JSON``), if it names one."""
    words = [token for token in _words(sql) if not token.says(";")]
    if len(words) >= 2 and words[-2].says("FORMAT") and words[-1].kind == "word":
        return words[-1].text
    return None


def without_format(sql: str) -> str:
    """The SQL with its FORMAT clause and a last semicolon taken away."""
    parts = tokens(sql.rstrip().rstrip(";"))
    meaningful = [i for i, token in enumerate(parts) if token.kind != "space"]
    if len(meaningful) >= 2 and parts[meaningful[-2]].says("FORMAT"):
        parts = parts[: meaningful[-2]]
    return "".join(token.text for token in parts).rstrip()


def must_be_select(sql: str) -> None:
    """Refuse all but a SELECT on the workspace's own tables (facts/tinybird.md §6)."""
    words = [token for token in _words(sql) if not token.says("(")]
    if not words:
        raise ApiError(400, "The query is empty")
    to_a_file = any(a.says("INTO") and b.says("OUTFILE") for a, b in pairwise(words))
    if not words[0].says("SELECT", "WITH", "EXPLAIN", "DESCRIBE", "DESC") or to_a_file:
        raise ApiError(400, "DB::Exception: Only SELECT queries are supported", headers={"X-DB-Exception-Code": "62"})
    if any(a.says(";") for a in words[:-1]):
        raise ApiError(400, "DB::Exception: Multi-statements are not allowed", headers={"X-DB-Exception-Code": "62"})
    for table in tables(sql):
        if table.called and table.name.lower() not in _TABLE_FUNCTIONS:
            raise ApiError(403, f"The query uses a table function that is not allowed: '{table.name}'")
        if table.database == "system" and table.name not in _SYSTEM_TABLES:
            raise ApiError(403, f"The query uses a table that is not allowed: 'system.{table.name}'")
        if table.database in ("information_schema", "INFORMATION_SCHEMA", "default", "seed"):
            raise ApiError(403, f"The query uses a database that is not allowed: '{table.database}'")


def at_time(sql: str, now: datetime) -> str:
    """The SQL with ``now()`` and kin replaced by literals of the platform's time (DESIGN §8)."""
    return "".join(_with_time(tokens(sql), now))


def _with_time(parts: list[Token], now: datetime) -> Iterator[str]:
    at = 0
    previous = Token("mark", ";")
    while at < len(parts):
        token = parts[at]
        literal = _TIMES.get(token.text.lower()) if token.kind == "word" and not previous.says(".", "AS") else None
        end, arguments = _call_behind(parts, at + 1) if literal else (at, None)
        if literal and arguments is not None:
            yield literal(now, arguments)
            previous, at = token, end + 1
            continue
        if literal and token.text.upper() in ("CURRENT_TIMESTAMP", "CURRENT_DATE"):
            yield literal(now, "")
        else:
            yield token.text
        if token.kind != "space":
            previous = token
        at += 1


def _call_behind(parts: list[Token], at: int) -> tuple[int, str | None]:
    """Where a call's parenthesis closes and what is in it; None if no call follows."""
    while at < len(parts) and parts[at].kind == "space":
        at += 1
    if at >= len(parts) or not parts[at].says("("):
        return at, None
    start = at + 1
    while at < len(parts) and not parts[at].says(")"):
        at += 1
    return at, "".join(token.text for token in parts[start:at]).strip()


def _seconds(now: datetime, zone: str) -> str:
    return f"toDateTime({int(now.timestamp())}{', ' + zone if zone else ''})"


def _fraction(now: datetime, arguments: str) -> str:
    scale, _, zone = arguments.partition(",")
    return f"toDateTime64('{now:%Y-%m-%d %H:%M:%S.%f}', {scale.strip() or '3'}, {zone.strip() or repr('UTC')})"


def _day(shift: int) -> Callable[[datetime, str], str]:
    return lambda now, _: f"toDate({int(now.timestamp()) // 86_400 + shift})"


_TIMES: dict[str, Callable[[datetime, str], str]] = {
    **dict.fromkeys(("now", "current_timestamp", "currenttimestamp", "localtimestamp", "nowinblock"), _seconds),
    **dict.fromkeys(("utctimestamp", "utc_timestamp"), lambda now, _: _seconds(now, "'UTC'")),
    **dict.fromkeys(("now64", "nowinblock64"), _fraction),
    **dict.fromkeys(("today", "current_date", "curdate", "currentdate"), _day(0)),
    "yesterday": _day(-1),
}
