"""The asynchronous client of the chDB process."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.clickhouse.frames import LENGTHS, READ, WRITE, pack


class ClickHouseError(Exception):
    """ClickHouse refused a statement; ``code`` is its number (60 unknown table, 47 unknown column, …)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Answer:
    """What a statement returned, in the format asked for; ``elapsed_s`` is ClickHouse's own time."""

    data: bytes
    rows_read: int
    elapsed_s: float


class ClickHouse:
    """One chDB process with its databases in ``folder``. ``start`` before use, ``stop`` at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids = itertools.count(1)
        self._open: dict[int, asyncio.Future[Answer]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        ours, theirs = socket.socketpair()
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "sandbox.clickhouse.server", str(theirs.fileno()), str(self._folder)]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"}
        )
        theirs.close()
        ours.setblocking(False)
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        self._listening = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """End the process, however far its start came."""
        if self._listening is not None:
            self._listening.cancel()
            self._writer.close()
        if self._process is not None:
            self._process.kill()  # nothing of the folder is kept, so there is nothing to close in order
            await asyncio.to_thread(self._process.wait, 5)

    async def run(
        self,
        sql: str,
        data: bytes = b"",
        *,
        lane: str = WRITE,
        format: str = "TSV",
        settings: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Run one statement. ``data`` follows an ``INSERT … FORMAT …``; statements of one ``lane`` keep their order.

        Raises ClickHouseError with ClickHouse's words.
        """
        number = next(self._ids)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[number] = future
        header = {"id": number, "lane": lane, "format": format, "settings": dict(settings or {})}
        payload = sql.encode("utf-8", "surrogateescape") + (b"\n" + data if data else b"")
        self._writer.write(pack(header, payload))
        await self._writer.drain()
        return await future

    async def rows(self, sql: str, **settings: Any) -> list[dict[str, Any]]:
        """The rows of a SELECT, as dicts."""
        answer = await self.run(sql, lane=READ, format="JSONEachRow", settings=settings)
        return [json.loads(line) for line in answer.data.splitlines() if line]

    async def insert(self, table: str, columns: list[str], rows: list[dict[str, Any]]) -> None:
        """Insert rows in one statement, in their order; a column that a row lacks gets its default."""
        if rows:
            names = ", ".join(f"`{name}`" for name in columns)
            lines = "\n".join(json.dumps(row) for row in rows)
            await self.run(f"INSERT INTO {table} ({names}) FORMAT JSONEachRow", lines.encode())

    async def _listen(self) -> None:
        try:
            while True:
                head, body = LENGTHS.unpack(await self._reader.readexactly(LENGTHS.size))
                header = json.loads(await self._reader.readexactly(head))
                self._settle(header, await self._reader.readexactly(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            for future in self._open.values():
                if not future.done():
                    future.set_exception(ClickHouseError(0, "the ClickHouse process has ended"))

    def _settle(self, header: dict[str, Any], data: bytes) -> None:
        future = self._open.pop(header["id"])
        if future.done():  # whoever asked was cancelled
            return
        if "error" in header:
            future.set_exception(ClickHouseError(header["code"], header["error"]))
        else:
            future.set_result(Answer(data, header["rows"], header["elapsed"]))
