"""Where a connector posts to: one kept connection.

The standard library's client on purpose: the usual one takes half a second of the sandbox's start to import.
"""

import http.client
import time
from urllib.parse import urlsplit

KEPT_S = 30.0  # an idle connection is not used again later than this: the other side may be closing it


class PostError(Exception):
    """No answer: the connection failed, or was cut before one came."""


class Endpoint:
    """Not for two threads at once."""

    def __init__(self, url: str, headers: dict[str, str], *, timeout_s: float) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=timeout_s)
        self._target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._headers = headers
        self._used_at = time.monotonic()
        self.path = parts.path

    def post(self, body: bytes) -> tuple[int, str]:
        """Status and text of the answer. Raises PostError."""
        if time.monotonic() - self._used_at > KEPT_S:
            self._connection.close()
        try:
            self._connection.request("POST", self._target, body, self._headers)
            with self._connection.getresponse() as answer:
                return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as exc:
            self._connection.close()
            raise PostError(f"{type(exc).__name__}: {exc}") from exc
        finally:
            self._used_at = time.monotonic()

    def close(self) -> None:
        self._connection.close()
