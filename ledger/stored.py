"""Making values fit for Postgres: it takes neither NUL nor half a surrogate pair in text or jsonb."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from psycopg.types.json import Jsonb

_UNFIT = re.compile("[\x00\ud800-\udfff]")


def text(value: str) -> str:
    """The text with what Postgres cannot hold replaced by U+FFFD, so that people see that something was there."""
    return _UNFIT.sub("\ufffd", value)


def json(value: Any) -> Jsonb:
    """The value as a jsonb parameter."""
    return Jsonb(_clean(value))


def json_or_null(value: Any) -> Jsonb | None:
    """The same, with None as SQL's NULL and not as JSON's."""
    return None if value is None else json(value)


def _clean(value: Any) -> Any:
    match value:
        case str():
            return text(value)
        case Mapping():
            items = cast(Mapping[Any, Any], value).items()
            return {text(str(key)): _clean(item) for key, item in items}
        case Sequence():
            return [_clean(item) for item in cast(Sequence[Any], value)]
        case _:
            return value
