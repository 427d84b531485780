"""The one error of this stand-in: what becomes an HTTP answer of its own."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """Answered as ``{"error": text}`` with ``status`` (facts/tinybird.md §1)."""

    def __init__(
        self, status: int, text: str, *, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def no_datasource(name: str) -> ApiError:
    return ApiError(404, f'Data Source "{name}" does not exist')


def no_pipe(name: str) -> ApiError:
    return ApiError(404, f'Pipe "{name}" not found')
