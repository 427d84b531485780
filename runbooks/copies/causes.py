"""Why a copy failed, in plain words."""

import re
from dataclasses import dataclass

from systems.redact import both_ends, redact
from systems.tinybird_causes import Cause, cause_of

RAW_CHARACTERS = 600
_SHORT = 140

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
    raw = both_ends(redact(error, limit=max(len(error), RAW_CHARACTERS)), RAW_CHARACTERS)
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
