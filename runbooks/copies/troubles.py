"""A copy's error in plain words, by its class (facts/tinybird.md §4): what happened, and what people can do."""

import re
from dataclasses import dataclass
from typing import Literal

Cause = Literal["memory", "timeout", "quota", "schema", "missing table", "permission", "unknown"]

_LONGEST = 300


@dataclass(frozen=True)
class CopyTrouble:
    """``said`` is a clause, ``raw`` what Tinybird said."""

    cause: Cause
    said: str
    raw: str


_CLASSES: tuple[tuple[Cause, str, str], ...] = (
    ("memory", r"memory.limit|MEMORY_LIMIT_EXCEEDED", "it needed more memory than a copy may have"),
    ("timeout", r"timeout|timed out|TIMEOUT_EXCEEDED", "it took longer than a copy may"),
    ("quota", r"maximum number of|too many (?:copy )?jobs|quota|rate limit", "no copy slot was free"),
    ("permission", r"not authorized|permission|forbidden|ACCESS_DENIED", "it was not allowed to read or to write"),
    (
        "missing table",
        r"UNKNOWN_TABLE|Unknown table|does not exist|doesn't exist|Resource '[^']*' not found",
        "something that it reads or writes is not there",
    ),
    (
        "schema",
        r"columns? not found|UNKNOWN_IDENTIFIER|NO_SUCH_COLUMN|TYPE_MISMATCH|CANNOT_CONVERT|CANNOT_PARSE|schema",
        "its columns do not fit",
    ),
)


def trouble_of(error: str) -> CopyTrouble:
    """What a job's error means."""
    raw = " ".join(error.split())[:_LONGEST]
    for cause, pattern, said in _CLASSES:
        if re.search(pattern, error, re.IGNORECASE):
            return CopyTrouble(cause, said, raw)
    return CopyTrouble("unknown", "it failed", raw)


def in_words(error: str) -> str:
    """One clause with what Tinybird said behind it."""
    found = trouble_of(error)
    return f"{found.said} (Tinybird said: {found.raw})" if found.raw else f"{found.said} without a reason"
