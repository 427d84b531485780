"""Every request that the stand-ins got, in the order in which they arrived.

Tests judge a run by this log, never by what the bot says of itself, and wait with its long poll.
"""

import asyncio
import re
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

BODY_LIMIT = 20_000
_SECRET = re.compile(r"(?i)((?:^|[?&])(?:token|password|secret)=)[^&\s]+")


@dataclass
class Entry:
    """One request. ``status`` and ``ms`` are None while it is still being answered."""

    n: int
    at: float  # the machine's clock, seconds since 1970
    system: str
    method: str
    path: str
    query: str
    body: str
    status: int | None = None
    ms: float | None = None
    fault: str | None = None


def redact(text: str) -> str:
    """Take tokens and passwords out of a query string or form body."""
    return _SECRET.sub(r"\1***", text)


class RequestLog:
    """An append-only list with a long poll. Entries are added on the event loop or by mover threads."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._waiters: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def add(self, system: str, method: str, path: str, query: str = "", body: str = "") -> Entry:
        with self._lock:
            entry = Entry(
                n=len(self._entries) + 1,
                at=time.time(),
                system=system,
                method=method,
                path=path,
                query=redact(query),
                body=redact(body[:BODY_LIMIT]),
            )
            self._entries.append(entry)
        self._wake()
        return entry

    def finish(self, entry: Entry, status: int | None) -> None:
        entry.status = status
        entry.ms = round((time.time() - entry.at) * 1000, 3)
        self._wake()

    def _wake(self) -> None:
        for loop, event in list(self._waiters):
            loop.call_soon_threadsafe(event.set)

    def after(self, n: int) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(entry) for entry in self._entries[n:]]

    async def wait_after(self, n: int, seconds: float) -> list[dict[str, Any]]:
        """Entries with a number above ``n``; if there is none yet, wait up to ``seconds`` for one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        event = asyncio.Event()
        waiter = (loop, event)
        self._waiters.add(waiter)
        try:
            while not (found := self.after(n)):
                left = deadline - loop.time()
                if left <= 0:
                    return []
                event.clear()
                try:
                    await asyncio.wait_for(event.wait(), left)
                except TimeoutError:
                    return self.after(n)
            return found
        finally:
            self._waiters.discard(waiter)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
