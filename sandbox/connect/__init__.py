"""Kafka Connect: one worker whose HTTP sink really moves topics into Tinybird's events API."""

import asyncio

from starlette.types import ASGIApp

from sandbox.connect import api
from sandbox.connect.connectors import Connectors
from sandbox.seed import seed_named
from sandbox.standin import World

CONNECTOR = "tinybird-sink"


class Connect:
    """The stand-in. Its connector posts with the workspace's append-only token, which may create nothing."""

    name = "connect"

    def __init__(self, world: World, append_token: str) -> None:
        self._world = world
        self._append_token = append_token
        self._connectors = Connectors(world)
        self.app: ASGIApp = api.application(self._connectors)

    async def start(self) -> None:
        await asyncio.to_thread(self._seed)

    async def reset(self) -> None:
        await self.stop()
        await asyncio.to_thread(self._seed)

    async def stop(self) -> None:
        await asyncio.to_thread(self._connectors.shut_down)

    async def settled(self, wait_s: float) -> bool:
        """Whether all that Kafka holds is posted, as far as it may be by now; waits for it."""
        return await asyncio.to_thread(self._connectors.settled, wait_s)

    def _seed(self) -> None:
        with self._connectors.lock:
            self._connectors.all.clear()
            self._connectors.create(CONNECTOR, self._config(), "RUNNING")

    def _config(self) -> dict[str, str]:
        """The estate's properties (facts/systems.md §0), for this machine."""
        tinybird = self._world.url(self._world.ports.tinybird)
        authorization = f"Authorization: Bearer {self._append_token}"
        return {
            "connector.class": "io.lenses.streamreactor.connect.http.sink.HttpSinkConnector",
            "tasks.max": "1",
            "topics": ",".join(("activities", *seed_named(self._world.seed).replicated)),
            "connect.http.method": "POST",
            "connect.http.endpoint": f"{tinybird}/v0/events?name={{{{topic}}}}",
            "connect.http.request.headers": f"Content-Type: application/json,{authorization}",
            "connect.http.request.content": "{{value}}",
            "connect.http.batch.count": str(self._world.knobs["connect.batch_count"]),
            "connect.http.time.interval": "5",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter.schemas.enable": "false",
        }


def create(world: World, append_token: str) -> Connect:
    return Connect(world, append_token)
