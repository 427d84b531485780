"""Tinybird Classic on one machine: its HTTP API v0 over a real ClickHouse (facts/tinybird.md)."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import ASGIApp

from sandbox.seed import seed_named
from sandbox.standin import World
from sandbox.tinybird import control
from sandbox.tinybird.api.routes import application
from sandbox.tinybird.platform import Platform
from sandbox.tinybird.seed import activities, push
from sandbox.tinybird.workspace import Workspace


class TinybirdStandIn:
    """The stand-in. After ``start`` the seed's tables are empty; ``fill`` puts rows in and keeps them for ``reset``."""

    name = "tinybird"

    def __init__(self, world: World) -> None:
        self.platform = Platform(world, f"sandbox_{world.seed}", world.data / "clickhouse")
        self.control = control.routes(self.platform)
        self.app: ASGIApp = application(self.platform, self.control)
        self._files = seed_named(world.seed).datafiles
        self._task: asyncio.Task[None] | None = None

    @property
    def workspace(self) -> Workspace:
        return self.platform.workspace

    @property
    def admin_token(self) -> str:
        return self.workspace.admin_token

    @property
    def append_token(self) -> str:
        """May append to the replicated data sources and create none: what Kafka Connect uses."""
        return self.workspace.append_token

    async def start(self) -> None:
        await self.workspace.start()
        await push(self.platform, self._files)
        await self.workspace.keep_seed()
        self._task = asyncio.create_task(self.platform.jobs.run())

    async def fill(self, tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Load rows of Postgres tables (records, by data source name), run every copy once, keep it all as the seed."""
        for name, rows in tables.items():
            await self.platform.load(name, rows)
        await self.platform.load("activities", activities(self.workspace))
        await self.platform.run_all_copies()
        await self.workspace.keep_seed()

    async def reset(self) -> None:
        await self.platform.reset()

    async def settled(self, wait_s: float) -> bool:
        """Whether schedules have fired and jobs have ended that are due by now; waits for it."""
        caught_up = asyncio.create_task(self.platform.jobs.catch_up())
        done, _ = await asyncio.wait([caught_up], timeout=wait_s)  # cancelled it would leave a job half begun
        return bool(done)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.workspace.stop()


def create(world: World) -> TinybirdStandIn:
    return TinybirdStandIn(world)
