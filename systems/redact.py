"""What a system said, made fit for people: no secret, one line, not long."""

import re
from collections.abc import Iterable

_MARK = "***"
_PATTERNS = (
    re.compile(r"(?i)(token|password|secret|api[_-]?key)(=|\"?\s*:\s*\"?)[^\s&\"',}]+"),
    re.compile(r"(?i)(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]+"),
)
_JWT = re.compile(r"\b(?:p\.)?ey[A-Za-z0-9_-]{8,}[A-Za-z0-9._-]*")
_CREDENTIALS_IN_URL = re.compile(r"(\w+://)[^\s/@]+@")


def redact(text: str, secrets: Iterable[str] = (), *, limit: int = 300) -> str:
    """``text`` on one line of at most ``limit`` characters, without ``secrets`` and what looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, _MARK)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1\2{_MARK}", text)
    text = _CREDENTIALS_IN_URL.sub(rf"\1{_MARK}@", _JWT.sub(_MARK, text))
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
