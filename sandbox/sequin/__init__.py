"""Sequin: the management API over a mover that replicates from the real publication and slot into real Kafka."""

import asyncio

import psycopg
from starlette.types import ASGIApp

from sandbox.postgres import SOURCE
from sandbox.seed import seed_named
from sandbox.sequin import api
from sandbox.sequin.model import Database, Sink
from sandbox.sequin.mover import Mover
from sandbox.sequin.store import TOKEN, Store
from sandbox.standin import World

DATABASE = "cm-local"


class Sequin:
    """The stand-in. ``token`` is its one API token."""

    name = "sequin"
    token = TOKEN

    def __init__(self, world: World) -> None:
        self._store = Store(world, Database(DATABASE, SOURCE, world.ports.postgres))
        self._mover = Mover(self._store)
        self.app: ASGIApp = api.application(self._store)

    async def start(self) -> None:
        await asyncio.to_thread(self._seed)
        self._mover.start()

    async def reset(self) -> None:
        """As seeded: every sink active, no backfill, the tables as they are now."""
        await self.stop()
        await asyncio.to_thread(self._seed)
        self._mover = Mover(self._store)
        self._mover.start()

    async def stop(self) -> None:
        await asyncio.to_thread(self._mover.stop)

    async def settled(self, wait_s: float) -> bool:
        """Whether all that Postgres has committed is in Kafka, as far as it may go by now; waits for it."""
        return await asyncio.to_thread(self._mover.settled, wait_s)

    def _seed(self) -> None:
        store = self._store
        with store.lock, psycopg.connect(store.dsn, autocommit=True) as connection:
            store.begin_anew()
            store.catalog.refresh(connection)
            for table in seed_named(store.world.seed).replicated:
                source: dict[str, list[str] | None] = {
                    "include_schemas": None,
                    "exclude_schemas": None,
                    "include_tables": [f"public.{table}"],
                    "exclude_tables": None,
                }
                destination = {
                    "type": "kafka",
                    "hosts": store.world.kafka,
                    "topic": table,
                    "tls": False,
                    "compression": "none",
                }
                sink = Sink(f"{table}_sink", table, source, destination)
                store.sinks[sink.name] = sink


def create(world: World) -> Sequin:
    return Sequin(world)
