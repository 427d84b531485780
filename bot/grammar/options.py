"""The options that may stand anywhere in a line: ``--env``, ``--strategy``, ``--at``, ``--note``."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.grammar.refusal import Refused, meant, shown
from bot.grammar.tokens import Token

NAMES = ("env", "strategy", "at", "note")
LONGEST_NOTE = 300
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2}) ?(\S+)", re.ASCII)
_OFFSET = re.compile(r"[+-]\d{2}:?\d{2}", re.ASCII)


@dataclass(frozen=True)
class Options:
    env: str | None = None
    strategy: str | None = None
    at: datetime | None = None
    note: str | None = None

    def given(self) -> tuple[str, ...]:
        return tuple(name for name in NAMES if getattr(self, name) is not None)


def take_options(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], Options]:
    """The words that are no options, and the options. Raises Refused for an unknown, doubled or empty one."""
    rest: list[Token] = []
    found: dict[str, str] = {}
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if not token.text.startswith("--") or token.text == "--":
            rest.append(token)
            continue
        name, equals, value = token.text[2:].partition("=")
        if name not in NAMES:
            raise Refused(f"I know no option {shown('--' + name)}" + (meant(name, NAMES) or f"; there are {_all()}"))
        if name in found:
            raise Refused(f"`--{name}` is there twice")
        if not equals and at < len(tokens) and not tokens[at].comma and not tokens[at].text.startswith("--"):
            value, at = tokens[at].text, at + 1
        if not _unquoted(value):
            raise Refused(f"`--{name}` needs a value behind it")
        found[name] = _unquoted(value)
    return tuple(rest), Options(**{name: _READERS[name](value) for name, value in found.items()})  # type: ignore[arg-type]


def _all() -> str:
    return ", ".join(f"`--{n}`" for n in NAMES)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] in "'\"" and text[-1] == text[0]:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise Refused(f"{shown(text)} is not a name; an environment or strategy has letters, digits, `_` and `-`")
    return text


def _note(text: str) -> str:
    if len(text) > LONGEST_NOTE:
        raise Refused(f"The note has {len(text)} characters, and at most {LONGEST_NOTE} are kept")
    return text


def _time(text: str) -> datetime:
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise Refused(f'{shown(text)} is not a time; write it with its zone: `--at "2026-12-01 22:00 UTC"`')
    zone = _zone(found[6])
    try:
        return datetime(*(int(found[n]) for n in range(1, 6)), tzinfo=zone).astimezone(UTC)  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError) as exc:
        raise Refused(f"{shown(text)} is no time that exists ({exc})") from exc


def _zone(text: str) -> tzinfo:
    if text.upper() in ("UTC", "Z", "GMT"):
        return UTC
    if _OFFSET.fullmatch(text):
        minutes = int(text[1:3]) * 60 + int(text[-2:])
        if minutes >= 24 * 60:
            raise Refused(f"{shown(text)} is no time zone")
        return datetime.strptime(text[:3] + text[-2:], "%z").tzinfo or UTC
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise Refused(f"I know no time zone {shown(text)}; write `UTC`, `+02:00` or `Europe/Berlin`") from exc


_READERS: dict[str, Callable[[str], object]] = {"env": _word, "strategy": _word, "at": _time, "note": _note}
