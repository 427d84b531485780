"""Why a copy failed, by ClickHouse's and Tinybird's error texts.

ClickHouse writes "Code: 241. DB::Exception: … (MEMORY_LIMIT_EXCEEDED)"; Tinybird puts words of its own around it, or
says no code at all (facts/tinybird.md §4, facts/estate.md §0).
"""

import re
from typing import Literal

Cause = Literal["memory", "timeout", "quota", "schema", "missing table", "permission", "unknown"]

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


def cause_of(error: str) -> Cause:
    """``unknown`` where no code and no word of the text says it."""
    code = _CODE.search(error)
    if code and int(code.group(1)) in _OF_CODE:
        return _OF_CODE[int(code.group(1))]
    for cause, words in _PATTERNS:
        if words.search(error):
            return cause
    return "unknown"
