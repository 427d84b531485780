"""Why a copy failed: ClickHouse's and Tinybird's error texts to a class, and to plain words.

ClickHouse writes "Code: 241. DB::Exception: … (MEMORY_LIMIT_EXCEEDED)"; Tinybird puts words of its own around it, or
says no code at all (facts/tinybird.md §4, facts/estate.md §0).
"""

import re
from dataclasses import dataclass
from typing import Literal

from systems.redact import redact

Cause = Literal["memory", "timeout", "quota", "schema", "missing table", "permission", "unknown"]

RAW_CHARACTERS = 600
_SHORT = 140

_CODES: dict[Cause, tuple[int, ...]] = {
    "memory": (173, 241),
    "timeout": (159, 160, 209, 473),
    "quota": (201, 202),
    "permission": (291, 497, 516),
    "missing table": (60, 81, 218),
    "schema": (6, 8, 10, 16, 20, 27, 36, 38, 41, 42, 43, 44, 46, 47, 53, 62, 69, 70, 72, 122, 131, 179, 184, 207, 215,
               349, 386),
}  # fmt: skip
# The last parts of ClickHouse's names for them, and words of Tinybird's own; the first that is found counts
_WORDS: tuple[tuple[Cause, str], ...] = (
    ("quota", r"maximum number of (active )?copy jobs|TOO_MANY_SIMULTANEOUS_QUERIES|QUOTA_EXCEEDED|quota|rate limit"),
    ("memory", r"MEMORY_LIMIT_EXCEEDED|CANNOT_ALLOCATE_MEMORY|memory limit|out of memory"),
    ("timeout", r"TIMEOUT_EXCEEDED|TOO_SLOW|SOCKET_TIMEOUT|timeout exceeded|timed? ?out|time limit|max_execution_time"),
    ("permission", r"ACCESS_DENIED|AUTHENTICATION_FAILED|not enough privileges|permission|forbidden|not allowed"),
    ("schema", r"UNKNOWN_IDENTIFIER|NO_SUCH_COLUMN|THERE_IS_NO_COLUMN|TYPE_MISMATCH|NO_COMMON_TYPE|CANNOT_CONVERT|"
               r"CANNOT_PARSE|CANNOT_INSERT_NULL|NUMBER_OF_COLUMNS|INCOMPATIBLE_COLUMNS|SYNTAX_ERROR|ILLEGAL_TYPE|"
               r"missing columns|columns? not found|no such column|unknown (expression|identifier|column)|"
               r"schema|does not match|cannot parse|cannot convert|syntax error"),
    ("missing table", r"UNKNOWN_TABLE|UNKNOWN_DATABASE|unknown table|does not exist|doesn't exist|not found"),
)  # fmt: skip
_CODE = re.compile(r"\bCode:? ?(\d{1,4})\b", re.IGNORECASE)
_OF_CODE: dict[int, Cause] = {code: cause for cause, codes in _CODES.items() for code in codes}
_PATTERNS: tuple[tuple[Cause, re.Pattern[str]], ...] = tuple(
    (cause, re.compile(words, re.IGNORECASE)) for cause, words in _WORDS
)
_QUOTED = re.compile(r"[`'‘“\"]([A-Za-z_][\w.]{0,120})[`'’”\"]")

_PLAIN: dict[Cause, str] = {
    "memory": "it needs more memory than Tinybird gives it",
    "timeout": "it takes longer than Tinybird lets it",
    "quota": "no copy slot was free: Tinybird's limit of copies at once was reached",
    "schema": "its SQL does not fit the columns that there are",
    "missing table": "something that it reads or writes does not exist",
    "permission": "it may not read or write what it must",
}


@dataclass(frozen=True)
class Why:
    """``words`` go behind a colon, without a full stop; ``raw`` is the platform's own text, secrets taken out."""

    cause: Cause
    words: str
    raw: str


def why(error: str) -> Why:
    """What a failed run's error text means."""
    raw = redact(error, limit=RAW_CHARACTERS)
    cause = cause_of(raw)
    if cause == "unknown":
        said = redact(raw.removeprefix("[Error] "), limit=_SHORT).rstrip(".") if raw else "Tinybird gave no reason"
        return Why(cause, said, raw)
    named = _QUOTED.search(raw) if cause in ("schema", "missing table") else None
    return Why(cause, _PLAIN[cause] + (f" ({named.group(1)})" if named else ""), raw)


def in_words(error: str) -> str:
    """A clause of what it means, with what Tinybird itself said behind it."""
    meant = why(error)
    said = f" (Tinybird said: {meant.raw})" if meant.raw and meant.cause != "unknown" else ""
    return f"{meant.words}{said}"


def cause_of(error: str) -> Cause:
    """The class alone."""
    code = _CODE.search(error)
    if code and int(code.group(1)) in _OF_CODE:
        return _OF_CODE[int(code.group(1))]
    for cause, words in _PATTERNS:
        if words.search(error):
            return cause
    return "unknown"
