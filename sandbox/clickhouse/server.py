"""The child process that holds chDB: ``python -m sandbox.clickhouse.server FD FOLDER``.

A chDB connection runs one query at a time, but several connections to one folder run side by side. So each lane has
a connection and a thread of its own, and neither a page nor an event stands behind a long copy.
"""

import contextlib
import ctypes
import json
import os
import queue
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from chdb import connect

from sandbox.clickhouse.frames import LANES, LENGTHS, pack

_PR_SET_PDEATHSIG = 1
_CODE = re.compile(r"Code: (\d+)\. ")
# A value is stored in the order in which rows arrive, so that of equal versions the last one stays.
_FIXED = (
    "SET max_insert_threads = 1",
    "SET input_format_parallel_parsing = 0",
    "SET async_insert = 0",
    "SET date_time_input_format = 'best_effort'",
    "SET output_format_json_quote_64bit_integers = 0",
    "SET mutations_sync = 1",
    "SET max_threads = 2",
)


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it is gone."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before the kernel knew
        os._exit(1)


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(min(1 << 20, size - len(parts)))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


class Engine:
    """One connection, and the settings that are in force in it."""

    def __init__(self, folder: str) -> None:
        self._connection = connect(folder)
        self._settings: dict[str, Any] = {}
        for statement in _FIXED:
            self._connection.query(statement)

    def answer(self, header: dict[str, Any], payload: bytes) -> bytes:
        try:
            self._apply(header.get("settings", {}))
            result = self._connection.query(payload.decode("utf-8", "surrogateescape"), header["format"])
            return pack(
                {"id": header["id"], "rows": result.rows_read(), "elapsed": result.elapsed()}, bytes(result.bytes())
            )
        except RuntimeError as exc:
            code = _CODE.search(str(exc))
            return pack({"id": header["id"], "error": str(exc), "code": int(code[1]) if code else 0})

    def _apply(self, wanted: dict[str, Any]) -> None:
        for name in self._settings.keys() | wanted.keys():
            value = wanted.get(name, 0)
            if self._settings.get(name, 0) != value:
                self._connection.query(f"SET {name} = {value!r}")
                self._settings[name] = value


class Lane:
    """A thread that answers its requests in their order."""

    def __init__(self, engine: Engine, send: Callable[[bytes], None]) -> None:
        self._engine = engine
        self._send = send
        self._waiting: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, header: dict[str, Any], payload: bytes) -> None:
        self._waiting.put((header, payload))

    def _run(self) -> None:
        while True:
            self._send(self._engine.answer(*self._waiting.get()))


def main(fd: int, folder: str) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is the parent's to handle
    sock = socket.socket(fileno=fd)
    sending = threading.Lock()

    def send(frame: bytes) -> None:
        with sending:
            sock.sendall(frame)

    lanes = {name: Lane(Engine(folder), send) for name in LANES}
    with contextlib.suppress(EOFError, OSError):
        while True:
            head, body = LENGTHS.unpack(_exactly(sock, LENGTHS.size))
            header = json.loads(_exactly(sock, head))
            lanes[header["lane"]].put(header, _exactly(sock, body))
    os._exit(0)  # chDB's own threads are not waited for: nothing of the folder is kept


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
