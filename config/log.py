"""Logging: structlog, one line an event, secrets taken out before anything is written."""

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Literal, cast

import structlog

_PATTERNS = re.compile(
    r"xox[abposr]-[\w-]+|xapp-[\w-]+|(?<=Bearer )[\w.~+/=-]+|(?<=token=)[^&\s\"']+|p\.ey[\w.-]+|(?<=://)[^:/@\s]+:[^@/\s]+(?=@)"
)
_known: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """From now on none of these values is ever written to a log."""
    _known.update(value for value in secrets if len(value) >= 4)


def redact(text: str) -> str:
    """Take known secrets, and whatever looks like a token or a password in a URL, out of a text."""
    for value in _known:
        text = text.replace(value, "***")
    return _PATTERNS.sub("***", text)


def _redacting(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return cast(MutableMapping[str, Any], _clean(event))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in cast(dict[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in cast(list[Any], value)]
    if isinstance(value, int | float | bool | None):
        return value
    return redact(str(value))


class _Redact(logging.Filter):
    """The same for libraries that log on their own (slack_sdk prints request bodies at debug)."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        return True


def configure(form: Literal["json", "text"] = "json", level: int = logging.INFO) -> None:
    """Set up structlog and the standard library's logging for this process; logs go to standard error."""
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redacting,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Redact())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(room=name))
