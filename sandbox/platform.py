"""The whole platform: its processes and stand-ins, started together, reset together, ended together."""

import asyncio
import importlib
import socket
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from sandbox import absent, github, kubernetes
from sandbox.kafka import Kafka
from sandbox.ledger import Ledger
from sandbox.postgres import Postgres
from sandbox.processes import Processes
from sandbox.redis import Redis
from sandbox.seed.source import REPLICATED
from sandbox.serving import Server
from sandbox.standin import KNOBS, StandIn, World, door


class Platform:
    """Everything on the nine ports. All methods belong to the main thread's event loop."""

    def __init__(
        self, world: World, sockets: list[socket.socket], *, speed: float
    ) -> None:
        self.world = world
        self._speed = speed
        self._sockets = sockets
        self._resetting = asyncio.Lock()
        self.processes = Processes(world.data)
        self.postgres = Postgres(world, self.processes)
        self.redis = Redis(world, self.processes)
        self.kafka = Kafka(world, self.processes)
        self.ledger = Ledger(world)
        self.slack = _stand_in("slack", world)
        self.tinybird = _stand_in("tinybird", world)
        self.sequin = _stand_in("sequin", world)
        self.connect = _stand_in("connect", world)
        self.kubernetes = kubernetes.create(world)
        self.github = github.create(world)
        self._servers: list[tuple[Server, asyncio.Task[None]]] = []

    @property
    def stand_ins(self) -> list[Any]:
        """In the order of their ports."""
        return [
            self.slack,
            self.tinybird,
            self.sequin,
            self.connect,
            self.kubernetes,
            self.github,
        ]

    async def start(self) -> None:
        """Start the servers, seed them, then the stand-ins; answer on the ports when all is in place."""
        self.kafka.start()
        self.redis.start()
        await asyncio.gather(
            self._start_postgres(),
            self._start_kafka(),
            asyncio.to_thread(self.redis.wait),
        )
        self.world.clock.listeners.append(self.ledger.write_clock)
        await asyncio.gather(self.tinybird.start(), self.slack.start())
        await self._load_tinybird()
        await self.sequin.start()
        await self.connect.start()
        for stand_in, listening in zip(self.stand_ins, self._sockets, strict=True):
            server = Server(self._application(stand_in))
            self._servers.append(
                (server, asyncio.create_task(server.serve([listening])))
            )

    async def _start_postgres(self) -> None:
        await asyncio.to_thread(self.postgres.make)
        self.postgres.start()
        await asyncio.to_thread(self.postgres.wait)
        await asyncio.to_thread(self.postgres.seed)

    async def _start_kafka(self) -> None:
        await asyncio.to_thread(self.kafka.wait)
        await asyncio.to_thread(self.kafka.create_topics, REPLICATED)

    def _application(self, stand_in: StandIn) -> ASGIApp:
        return door(self.world, stand_in.name, stand_in.app)

    async def _load_tinybird(self) -> None:
        """The rows of Postgres as they would have arrived long ago."""

    async def reset(self) -> None:
        """Back to the seed. One at a time; requests that come meanwhile are answered by half a platform."""
        async with self._resetting:
            self.world.faults.clear()
            self.world.knobs.update(KNOBS)
            await asyncio.gather(self.connect.stop(), self.sequin.stop())
            self.kafka.stop()
            self.kafka.start()
            await asyncio.gather(
                self._start_kafka(),
                asyncio.to_thread(self.postgres.reset_source),
                asyncio.to_thread(self.ledger.reset),
                asyncio.to_thread(self.redis.reset),
                self.tinybird.reset(),
                self.slack.reset(),
            )
            self.world.clock.restart(speed=self._speed)
            self.world.log.clear()
            await asyncio.gather(self.sequin.reset(), self.connect.reset())

    async def stop(self) -> None:
        """End servers, threads and processes, whatever state they are in."""
        for server, serving in self._servers:
            server.stopping.set()
            await asyncio.wait([serving], timeout=3)
        for stand_in in self.stand_ins:
            await stand_in.stop()
        await asyncio.to_thread(self.processes.stop_all)


def _stand_in(name: str, world: World) -> Any:
    try:
        return importlib.import_module(f"sandbox.{name}").create(world)
    except (ImportError, AttributeError):
        return absent.Absent(name)


def folder_for(parent: Path | None) -> Path:
    """A private folder for one sandbox. Others may enter it: Postgres runs as another user under root."""
    import tempfile

    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="tbops-sandbox-", dir=parent))
    made.chmod(0o755)
    return made
