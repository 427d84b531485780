"""Names and numbers as people type them: checked to the letter, refused with what is wrong and where."""

import re
import unicodedata

from bot.grammar.clean import named
from bot.grammar.refusal import Refused, shown
from bot.grammar.tokens import Cursor
from runbooks.request import NAME

_NAME = re.compile(NAME, re.ASCII)
_NUMBER = re.compile(r"#?(\d{1,15})", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9_*?./-]{1,128}", re.ASCII)
_DURATION = re.compile(r"(\d{1,4})(m|h|d)", re.ASCII)
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
LONGEST_S = 30 * 86400


def name(cursor: Cursor, what: str) -> str:
    """One name. ``what`` is said when it is missing: "the field's name"."""
    if cursor.done or cursor.peek() == ",":
        raise Refused(missing(cursor, what))
    word = cursor.peek()
    if not _NAME.fullmatch(word):
        raise Refused(_wrong_name(word, what))
    return cursor.take().text


def names(cursor: Cursor, what: str) -> tuple[str, ...]:
    """Names between commas, each once."""
    found = [name(cursor, what)]
    while cursor.peek() == ",":
        cursor.take()
        found.append(name(cursor, what))
        if found[-1] in found[:-1]:
            raise Refused(f"`{found[-1]}` is there twice")
    return tuple(found)


def number(cursor: Cursor, what: str) -> int:
    if cursor.done:
        raise Refused(missing(cursor, what))
    found = _NUMBER.fullmatch(cursor.peek())
    if not found or int(found[1]) == 0:
        raise Refused(f"{shown(cursor.peek())} is not {what}; it is a number such as `7`")
    cursor.take()
    return int(found[1])


def pattern(cursor: Cursor, what: str) -> str:
    if not _PATTERN.fullmatch(cursor.peek()):
        raise Refused(f"{shown(cursor.peek())} is not {what}; it has letters, digits, `_`, `*`, `?`, `.`, `/` and `-`")
    return cursor.take().text


def duration(cursor: Cursor, what: str) -> int:
    """Seconds."""
    if cursor.done:
        raise Refused(missing(cursor, what))
    found = _DURATION.fullmatch(cursor.peek().lower())
    if not found:
        raise Refused(f"{shown(cursor.peek())} is not {what}; write `30m`, `4h` or `2d`")
    seconds = int(found[1]) * _SECONDS[found[2]]
    if not 0 < seconds <= LONGEST_S:
        raise Refused(f"{shown(cursor.peek())} is not {what} that is taken; it is between `1m` and `30d`")
    cursor.take()
    return seconds


def missing(cursor: Cursor, what: str) -> str:
    after = f" after {shown(cursor.before())}" if cursor.at else ""
    return f"{what[0].upper()}{what[1:]} is missing{after}"


def _wrong_name(word: str, what: str) -> str:
    odd = next((c for c in word if not c.isascii()), None)
    if odd and unicodedata.category(odd).startswith("L"):
        return f"{shown(word)} cannot be {what}: its letter {named(odd)} is not one of a–z; it may only look like one"
    if len(word) > 128:
        return f"{shown(word)} cannot be {what}: it has {len(word)} characters, and a name has at most 128"
    if word[0].isdigit():
        return f"{shown(word)} cannot be {what}: a name begins with a letter or `_`"
    bare = word.strip("\"'`")
    meant = f"; did you mean `{bare}`?" if _NAME.fullmatch(bare) else ""
    return f"{shown(word)} cannot be {what}: a name has only a–z, A–Z, 0–9 and `_`{meant}"
