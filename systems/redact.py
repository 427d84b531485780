"""What a system said, made fit for people: no secret, one line, not long."""

import re
from collections.abc import Iterable

_MARK = "***"
_PATTERNS = (
    re.compile(
        r"(?i)(token|passw(?:or)?d|secret|(?:api|access)[_-]?key)([\"']?\s*[=:]\s*)"
        r"(?:\"[^\"]*\"|'[^']*'|[\"']?[^\s&\"',}]+)"
    ),
    re.compile(r"(?i)(identified by)(\s+)(?:\"[^\"]*\"|'[^']*')"),
    re.compile(r"(?i)(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]+"),
)
_KEYS = re.compile(r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|xox[a-z]-[\w-]{8,}|gh[a-z]_\w{20,})")  # of AWS, Slack, GitHub
_JWT = re.compile(r"\b(?:p\.)?ey[A-Za-z0-9_-]{8,}[A-Za-z0-9._-]*")
_CREDENTIALS_IN_URL = re.compile(r"(\w+://)[^\s/@]+@")


def redact(text: str, secrets: Iterable[str] = (), *, limit: int = 300) -> str:
    """``text`` on one line of at most ``limit`` characters, without ``secrets`` and what looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, _MARK)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1\2{_MARK}", text)
    text = _CREDENTIALS_IN_URL.sub(rf"\1{_MARK}@", _KEYS.sub(_MARK, _JWT.sub(_MARK, text)))
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def both_ends(text: str, limit: int) -> str:
    """A long error by its beginning, which has its number, and its end, which has its name: SQL is between them."""
    if len(text) <= limit:
        return text
    end = limit // 3
    return f"{text[: limit - end - 3]} … {text[-end:]}"
