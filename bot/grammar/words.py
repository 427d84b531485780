"""Types, literals, sources and index expressions: lexically whole and harmless. What they mean, planning says."""

import re

from bot.grammar.names import missing, name
from bot.grammar.refusal import Refused, meant, shown
from bot.grammar.tokens import Cursor
from runbooks.request import NewField

_TYPE_HEAD = re.compile(r"""[A-Za-z_][A-Za-z0-9_]*(\([A-Za-z0-9_ ,.:='"()/+-]*\))?(\[\])*""", re.ASCII)
# Postgres's types of several words: what may follow the first.
_MORE_TYPE = re.compile(
    r"(precision|varying(\([0-9 ]+\))?|with|without|time|zone|\([0-9 ,]+\)|(\[\])+)", re.ASCII | re.IGNORECASE
)
_SEVERAL_WORDS = (
    "double",
    "character",
    "char",
    "bit",
    "timestamp",
    "time",
    "numeric",
    "decimal",
    "varchar",
    "national",
)
_NUMBER = re.compile(r"[+-]?\d{1,38}(\.\d{1,38})?([eE][+-]?\d{1,3})?", re.ASCII)
_CONSTANTS = ("null", "true", "false", "[]")
_JSON_PATH = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*(\[:\])?)+", re.ASCII)
_FORBIDDEN = (";", "`", "--", "/*", "*/", "{", "}", "\\", "#")
_INDEX_TYPES = ("minmax", "set", "bloom_filter", "ngrambf_v1", "tokenbf_v1", "text", "inverted", "full_text")

LONGEST_WORD = 400  # characters of one type, literal or expression


def type_name(cursor: Cursor, what: str) -> str:
    """A type of ClickHouse or Postgres: one word with its parameters, or Postgres's several words."""
    if cursor.done or cursor.peek() == ",":
        raise Refused(missing(cursor, what))
    first = _bare(cursor.peek())
    if len(first) > LONGEST_WORD or not _TYPE_HEAD.fullmatch(first):
        raise Refused(f"{shown(first)} is not a type; write one such as `text`, `Int64` or `Nullable(DateTime64(3))`")
    cursor.take()
    words = [first]
    if re.split(r"\W", first.lower())[0] in _SEVERAL_WORDS:
        while _MORE_TYPE.fullmatch(cursor.peek()):
            words.append(cursor.take().text)
    return " ".join(words)


def _bare(word: str) -> str:
    """Without the quotes that people put around what has brackets in it."""
    quoted = len(word) > 2 and word[0] in "'\"" and word[-1] == word[0]
    return word[1:-1] if quoted else word


def literal(cursor: Cursor, what: str) -> str:
    """A constant as both Postgres and ClickHouse read it: '…' (quotes doubled), a number, NULL, true, false or []."""
    if cursor.done or cursor.peek() == ",":
        raise Refused(missing(cursor, what))
    word = cursor.peek()
    quoted = len(word) >= 2 and word[0] in "'\"" and word[-1] == word[0]
    if quoted:
        cursor.take()
        return _quoted(word)
    if not _NUMBER.fullmatch(word) and word.lower() not in _CONSTANTS:
        hint = (
            f"write text in quotes: '{word}'"
            if word.isalnum() and word.isascii()
            else "it is a number, text in quotes, NULL, true or false"
        )
        raise Refused(f"{shown(word)} is not {what}; {hint}")
    cursor.take()
    return word


def quoted(cursor: Cursor, what: str) -> str:
    """A sentence of a person's own, in quotes."""
    word = cursor.peek()
    if len(word) < 2 or word[0] not in "'\"" or word[-1] != word[0]:
        raise Refused(f'{shown(word)} is not {what}; write it in quotes: "why"')
    said = " ".join(word[1:-1].replace(word[0] * 2, word[0]).split())
    if len(said) > LONGEST_WORD:
        raise Refused(f"The text {shown(word)} has {len(said)} characters, and {what} has at most {LONGEST_WORD}")
    cursor.take()
    return said


def source(cursor: Cursor, what: str) -> str:
    """A JSON path of the event (``$.record.x``) or an SQL expression, up to a comma or the end."""
    if cursor.done or cursor.peek() == ",":
        raise Refused(missing(cursor, what))
    if cursor.peek().startswith("$"):
        if not _JSON_PATH.fullmatch(cursor.peek()):
            raise Refused(f"{shown(cursor.peek())} is not a JSON path; write one such as `$.record.nickname`")
        return cursor.take().text
    start = cursor.take()
    end = start
    while not cursor.done and cursor.peek() != ",":
        end = cursor.take()
    return _expression(cursor.line[start.start : end.end])


def index(cursor: Cursor, what: str) -> tuple[str, str]:
    """``<expression> <type>``: the type is the last word that begins like one of ClickHouse's index types."""
    if cursor.done:
        raise Refused(missing(cursor, what))
    rest = cursor.tokens[cursor.at :]
    cut = next(
        (i for i in range(len(rest) - 1, 0, -1) if re.split(r"\W", rest[i].text)[0].lower() in _INDEX_TYPES), None
    )
    if cut is None:
        raise Refused(
            f"{shown(rest[-1].text)} is not an index type; there are " + ", ".join(f"`{t}`" for t in _INDEX_TYPES[:5])
        )
    cursor.at = len(cursor.tokens)
    return _expression(cursor.line[rest[0].start : rest[cut - 1].end]), _expression(
        cursor.line[rest[cut].start : rest[-1].end]
    )


def new_field(cursor: Cursor, what: str) -> NewField:
    """``<name> [<type>] [default <literal>] [from <source>]``"""
    field = name(cursor, what)
    kind = None
    if not cursor.done and cursor.peek().lower() not in (",", "default", "from"):
        kind = type_name(cursor, "the type")
    default, origin = None, None
    while cursor.peek().lower() in ("default", "from"):
        word = cursor.take().text.lower()
        if (default if word == "default" else origin) is not None:
            raise Refused(f"`{word}` is there twice")
        if word == "default":
            default = literal(cursor, "a literal for the default")
        else:
            origin = source(cursor, "where the value comes from")
    if not cursor.done and cursor.peek() != ",":
        near = meant(cursor.peek(), ("default", "from")) or "; `default`, `from` or the end goes there"
        raise Refused(f"I do not understand {shown(cursor.peek())} after {shown(cursor.before())}" + near)
    return NewField(name=field, type=kind, default=default, source=origin)


def new_fields(cursor: Cursor, what: str) -> tuple[NewField, ...]:
    found = [new_field(cursor, what)]
    while cursor.peek() == ",":
        cursor.take()
        found.append(new_field(cursor, what))
        if found[-1].name in {f.name for f in found[:-1]}:
            raise Refused(f"`{found[-1].name}` is there twice")
    return tuple(found)


def _quoted(word: str) -> str:
    inner = word[1:-1].replace(word[0] * 2, word[0])
    if len(inner) > LONGEST_WORD:
        raise Refused(f"The text {shown(word)} has {len(inner)} characters, and a default has at most {LONGEST_WORD}")
    if "\\" in inner:
        raise Refused(f"{shown(word)} has a backslash, which Postgres and ClickHouse read differently; leave it out")
    if "{{" in inner or "{%" in inner or "}}" in inner:
        raise Refused(f"{shown(word)} holds what a Tinybird template would execute; leave the double braces out")
    return "'" + inner.replace("'", "''") + "'"


def _expression(text: str) -> str:
    wrong = next((f for f in _FORBIDDEN if f in text), None)
    if wrong:
        raise Refused(f"The expression {shown(text)} may not hold {shown(wrong)}")
    if len(text) > LONGEST_WORD:
        raise Refused(f"The expression {shown(text)} has {len(text)} characters, and at most {LONGEST_WORD} are taken")
    if text.count("(") != text.count(")") or text.count("[") != text.count("]"):
        raise Refused(f"The brackets in {shown(text)} do not match")
    return text
