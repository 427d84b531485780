"""The child process that holds the one chDB session: ``python -m sandbox.clickhouse.server FD FOLDER``.

chDB runs one query at a time. A thread takes requests from the socket; reads are served before waiting writes,
so that a page or a check never stands behind a long copy's next part.
"""

import ctypes
import json
import os
import queue
import re
import signal
import socket
import sys
import threading
from typing import Any

from chdb import session

from sandbox.clickhouse.frames import LENGTHS, pack

_PR_SET_PDEATHSIG = 1
_CODE = re.compile(r"Code: (\d+)\. ")
_END: dict[str, Any] = {}
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


def _listen(sock: socket.socket, waiting: "queue.PriorityQueue[tuple[int, int, dict[str, Any], bytes]]") -> None:
    n = 0
    try:
        while True:
            head, body = LENGTHS.unpack(_exactly(sock, LENGTHS.size))
            header = json.loads(_exactly(sock, head))
            n += 1
            waiting.put((0 if header["read"] else 1, n, header, _exactly(sock, body)))
    except (EOFError, OSError):
        waiting.put((-1, 0, _END, b""))


class Engine:
    """The session, and the settings that are in force in it."""

    def __init__(self, folder: str) -> None:
        self._session = session.Session(folder)
        self._settings: dict[str, Any] = {}
        for statement in _FIXED:
            self._session.query(statement)

    def answer(self, header: dict[str, Any], payload: bytes) -> bytes:
        try:
            self._apply(header.get("settings", {}))
            result = self._session.query(payload.decode("utf-8", "surrogateescape"), header["format"])
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
                self._session.query(f"SET {name} = {value!r}")
                self._settings[name] = value


def main(fd: int, folder: str) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is the parent's to handle
    sock = socket.socket(fileno=fd)
    engine = Engine(folder)
    waiting: queue.PriorityQueue[tuple[int, int, dict[str, Any], bytes]] = queue.PriorityQueue()
    threading.Thread(target=_listen, args=(sock, waiting), daemon=True).start()
    while (taken := waiting.get())[2] is not _END:
        sock.sendall(engine.answer(taken[2], taken[3]))
    os._exit(0)  # chDB's own threads are not waited for: nothing of the folder is kept


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
