"""The whole platform: its processes and stand-ins, started together, reset together, ended together."""

import asyncio
import signal
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from sandbox import connect, control, github, kubernetes, sequin, slack, tinybird
from sandbox.kafka import Kafka
from sandbox.ledger import Ledger
from sandbox.postgres import Postgres
from sandbox.processes import Processes
from sandbox.redis import Redis
from sandbox.sequin import snapshot
from sandbox.serving import Server
from sandbox.standin import StandIn, World, door


class Platform:
    """Everything on the nine ports. All methods belong to the main thread's event loop."""

    def __init__(self, world: World, sockets: list[socket.socket]) -> None:
        self.world = world
        self._speed = world.clock.speed
        self._sockets = sockets
        self._resetting = asyncio.Lock()
        self.processes = Processes(world.data)
        self.postgres = Postgres(world, self.processes)
        self.redis = Redis(world, self.processes)
        self.kafka = Kafka(world, self.processes)
        self.ledger = Ledger(world)
        self.slack = slack.create(world)
        self.tinybird = tinybird.create(world)
        self.sequin = sequin.create(world)
        self.connect = connect.create(world, self.tinybird.append_token, self._connect_pod)
        self.kubernetes = kubernetes.create(world, self.connect.unfit)
        self.github = github.create(world, connect.properties(world, self.tinybird.append_token))
        self.connect.properties = self.github.properties
        self._knobs = dict(world.knobs)
        self._servers: list[tuple[Server, asyncio.Task[None]]] = []
        self._away: set[str] = set()

    @property
    def stand_ins(self) -> list[StandIn]:
        """In the order of their ports."""
        return [self.slack, self.tinybird, self.sequin, self.connect, self.kubernetes, self.github]

    async def start(self, product: Callable[[], Awaitable[None]]) -> None:
        """Start everything; what does not need another starts beside it.

        ``product`` is called as soon as the ledger's database, Redis and Slack are there: bot and worker begin while
        Tinybird is still being filled.
        """
        self.kafka.start()
        self.redis.start()
        await self.slack.start()
        self._open(self.slack)
        await asyncio.gather(self._fill(product), asyncio.to_thread(self.kafka.prepare), self.github.start())
        await self.sequin.start()
        for stand_in in self.stand_ins[1:]:
            self._open(stand_in)
        await self.kubernetes.start()
        await self.connect.start()

    async def _fill(self, product: Callable[[], Awaitable[None]]) -> None:
        """Postgres with its seed, and Tinybird as if those rows had arrived long ago."""
        begun = asyncio.create_task(self.tinybird.start())
        await asyncio.to_thread(self.postgres.make)
        self.postgres.start()
        await asyncio.to_thread(self.postgres.wait)
        await asyncio.gather(asyncio.to_thread(self.postgres.make_ledger), asyncio.to_thread(self.redis.wait))
        await asyncio.gather(product(), self._fill_tinybird(begun))

    async def _fill_tinybird(self, begun: asyncio.Task[None]) -> None:
        await asyncio.to_thread(self.postgres.seed)
        rows = await asyncio.to_thread(snapshot.records, self.world)
        await begun
        await self.tinybird.fill(rows)

    def _open(self, stand_in: StandIn) -> None:
        """Answer on its port; until then connections wait."""
        server = Server(self._application(stand_in))
        listening = self._sockets[self.stand_ins.index(stand_in)]
        self._servers.append((server, asyncio.create_task(server.serve([listening]))))

    def _application(self, stand_in: StandIn) -> ASGIApp:
        """The stand-in behind its door; on Slack's port the control routes come first."""
        app = stand_in.app
        if stand_in is self.slack:
            routes = control.routes(self.world, self.slack, self.reset, self.settled, self.take_away, self.bring_back)
            app = Starlette(routes=[*routes, *self.tinybird.control, Mount("/", app=app)])
        return door(self.world, stand_in.name, app)

    async def settled(self, wait_s: float) -> bool:
        """Wait until the movers have done what is due at the platform's present time, in the order in which they hand
        things on; False if that takes longer than ``wait_s`` by the machine's clock."""
        deadline = time.monotonic() + wait_s
        for mover in (self.sequin, self.connect, self.tinybird):
            if not await mover.settled(max(0.0, deadline - time.monotonic())):
                return False
        return True

    async def take_away(self, name: str) -> None:
        """End Redis or Postgres at once, as a crash does: Redis forgets everything, Postgres recovers from its log."""
        self._away.add(name)
        number = signal.SIGQUIT if name == "postgres" else signal.SIGKILL
        await asyncio.to_thread(self.processes.stop, name, stop_signal=number)

    async def bring_back(self, name: str) -> None:
        """Start Redis or Postgres again; it answers when this returns. Nothing happens if it is there."""
        if name not in self._away:
            return
        server = self.postgres if name == "postgres" else self.redis
        server.start()
        await asyncio.to_thread(server.wait)
        self._away.discard(name)

    async def reset(self, ahead_s: float = 0.0) -> None:
        """Back to the seed, one reset at a time; the clock begins so far ahead of the machine's. Whoever asks meanwhile
        is answered by half a platform."""
        async with self._resetting:
            for name in list(self._away):
                await self.bring_back(name)
            self.world.faults.clear()
            self.world.knobs.clear()
            self.world.knobs.update(self._knobs)
            await asyncio.gather(self.connect.stop(), self.sequin.stop(), self.kubernetes.stop())
            self.kafka.stop()
            self.kafka.start()
            self.world.clock.restart(speed=self._speed, ahead_s=ahead_s)
            await asyncio.gather(
                asyncio.to_thread(self.kafka.prepare),
                asyncio.to_thread(self.postgres.reset_source),
                asyncio.to_thread(self.ledger.reset),
                asyncio.to_thread(self.redis.reset),
                self.tinybird.reset(),
                self.slack.reset(),
                self.github.reset(),
            )
            self.world.log.clear()
            await self.kubernetes.reset()  # Connect runs in a pod of it
            await asyncio.gather(self.sequin.reset(), self.connect.reset())

    def _connect_pod(self) -> str | None:
        return self.kubernetes.serving(self.kubernetes.connect)

    async def stop(self) -> None:
        """End servers, threads and processes, however far the start came."""
        self.slack.hang_up()  # pages and the bot hold connections that a server would wait for
        for server, _ in self._servers:
            server.stopping.set()
        if self._servers:
            await asyncio.wait([serving for _, serving in self._servers], timeout=3)
        await asyncio.gather(*(stand_in.stop() for stand_in in self.stand_ins))
        await asyncio.to_thread(self.processes.stop_all)


def folder_for(parent: Path | None) -> Path:
    """A private folder for one sandbox. Others may enter it: Postgres runs as another user under root."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="tbops-sandbox-", dir=parent))
    made.chmod(0o755)
    return made
