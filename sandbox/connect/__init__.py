"""Kafka Connect: one worker whose HTTP sink really moves topics into Tinybird's events API."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp

from sandbox.connect import api
from sandbox.connect.connectors import Connectors
from sandbox.connect.worker import Worker, as_properties
from sandbox.seed import seed_named
from sandbox.standin import World

CONNECTOR = "tinybird-sink"


class Connect:
    """The stand-in. Its connector posts with the workspace's append-only token, which may create nothing.

    ``properties`` is the file that a standalone worker reads when it begins; None: the estate's, for this machine.
    """

    name = "connect"

    def __init__(self, world: World, append_token: str, pod: Callable[[], str | None]) -> None:
        self._world = world
        self._append_token = append_token
        self._connectors = Connectors(world)
        self.properties: Callable[[], str] | None = None
        self._worker = Worker(world, self._connectors, pod, self._text)
        self.app: ASGIApp = self._worker.serving(api.application(self._connectors))

    async def start(self) -> None:
        await asyncio.to_thread(self._seed)
        self._worker.start()

    async def reset(self) -> None:
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        await self._worker.stop()
        await asyncio.to_thread(self._connectors.shut_down)

    async def settled(self, wait_s: float) -> bool:
        """Whether all that Kafka holds is posted, as far as it may be by now; waits for it."""
        await self._worker.follow()
        return await asyncio.to_thread(self._connectors.settled, wait_s)

    def unfit(self) -> str | None:
        """Why a worker could not begin now; None if it could."""
        return self._worker.unfit()

    def _seed(self) -> None:
        with self._connectors.lock:
            self._connectors.all.clear()
            self._connectors.create(CONNECTOR, properties(self._world, self._append_token), "RUNNING")

    def _text(self) -> str:
        if text := str(self._world.knobs["connect.properties"]):
            return text
        return (
            self.properties()
            if self.properties
            else as_properties({"name": CONNECTOR, **properties(self._world, self._append_token)})
        )


def properties(world: World, append_token: str) -> dict[str, str]:
    """The estate's properties (facts/systems.md §0), for this machine."""
    tinybird = world.url(world.ports.tinybird)
    authorization = f"Authorization: Bearer {append_token}"
    return {
        "connector.class": "io.lenses.streamreactor.connect.http.sink.HttpSinkConnector",
        "tasks.max": "1",
        "topics": ",".join(("activities", *seed_named(world.seed).replicated)),
        "connect.http.method": "POST",
        "connect.http.endpoint": f"{tinybird}/v0/events?name={{{{topic}}}}",
        "connect.http.request.headers": f"Content-Type: application/json,{authorization}",
        "connect.http.request.content": "{{value}}",
        "connect.http.batch.count": str(world.knobs["connect.batch_count"]),
        "connect.http.time.interval": "5",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter.schemas.enable": "false",
    }


def create(world: World, append_token: str, pod: Callable[[], str | None]) -> Connect:
    return Connect(world, append_token, pod)
