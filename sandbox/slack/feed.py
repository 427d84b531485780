"""Tells open pages what has changed, as server-sent events. A page then fetches what it shows."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

KEEP_ALIVE_S = 30.0  # a comment line now and then, so that proxies and browsers keep the stream


class Feed:
    def __init__(self) -> None:
        self._readers: set[asyncio.Queue[str | None]] = set()

    def tell(self, kind: str, **what: Any) -> None:
        line = json.dumps({"type": kind, **what})
        for reader in self._readers:
            reader.put_nowait(line)

    def close(self) -> None:
        """End every stream, so that the server can stop without waiting for browsers."""
        for reader in self._readers:
            reader.put_nowait(None)

    async def stream(self) -> AsyncIterator[str]:
        reader: asyncio.Queue[str | None] = asyncio.Queue()
        self._readers.add(reader)
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    line = await asyncio.wait_for(reader.get(), KEEP_ALIVE_S)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if line is None:
                    return
                yield f"data: {line}\n\n"
        finally:
            self._readers.discard(reader)
