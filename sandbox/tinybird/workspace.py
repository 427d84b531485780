"""One Tinybird workspace: its state, its ClickHouse, and how the seed is kept and brought back."""

import asyncio
import secrets
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sandbox.clickhouse import LANES, ClickHouse
from sandbox.standin import World
from sandbox.tinybird.model import Datasource, Pipe, Scope, Tag, Token
from sandbox.tinybird.schema import Column

DB = "w"  # the workspace's own tables; the session's current database
SEED = "seed"  # what a reset brings back
STAGING = "staging"  # copies under way


@dataclass
class StaleSchema:
    """The columns by which the events API still maps, until then (knob tinybird.events_stale_schema_s)."""

    until: datetime
    columns: tuple[Column, ...]


@dataclass
class State:
    sources: dict[str, Datasource] = field(default_factory=dict[str, Datasource])
    pipes: dict[str, Pipe] = field(default_factory=dict[str, Pipe])
    tokens: list[Token] = field(default_factory=list[Token])
    tags: dict[str, Tag] = field(default_factory=dict[str, Tag])
    stale: dict[str, StaleSchema] = field(default_factory=dict[str, StaleSchema])

    def copy(self) -> "State":
        return State(
            {name: source.copy() for name, source in self.sources.items()},
            {name: pipe.copy() for name, pipe in self.pipes.items()},
            [token.copy() for token in self.tokens],
            {name: tag.copy() for name, tag in self.tags.items()},
        )


class Workspace:
    """State and tables of one workspace. Names are looked up here; what may be done to them is in the rooms beside."""

    def __init__(self, world: World, name: str, folder: Path) -> None:
        self.world = world
        self.name = name
        self.id = str(uuid.uuid4())
        self.user_id = str(uuid.uuid4())
        self.user_email = "admin@sandbox.example"
        self.admin_token = _token()
        self.append_token = _token()
        self.clickhouse = ClickHouse(folder)
        self.state = State()
        self.lock = asyncio.Lock()  # held while tables change hands: create, alter, rename, exchange, a copy's switch
        self._seed: State | None = None

    async def start(self) -> None:
        await self.clickhouse.start()
        for database in (DB, SEED, STAGING, "tinybird"):
            await self.clickhouse.run(f"CREATE DATABASE {database} ENGINE = Atomic")
        for lane in LANES:
            await self.clickhouse.run(f"USE {DB}", lane=lane)
        self.state.tokens = [
            Token("workspace admin token", self.admin_token, [Scope("ADMIN")]),
            Token("connect", self.append_token, []),
        ]

    async def stop(self) -> None:
        await self.clickhouse.stop()

    def now(self) -> datetime:
        return self.world.clock.now()

    def knob(self, name: str) -> object:
        return self.world.knobs[f"tinybird.{name}"]

    def number(self, name: str) -> float:
        """A knob that holds a number."""
        return float(self.world.knobs[f"tinybird.{name}"])

    # -- names

    def source(self, key: str) -> Datasource | None:
        """A data source by name or id."""
        found = self.state.sources.get(key)
        return found or next((source for source in self.state.sources.values() if source.id == key), None)

    def pipe(self, key: str) -> Pipe | None:
        found = self.state.pipes.get(key)
        return found or next((pipe for pipe in self.state.pipes.values() if pipe.id == key), None)

    def tags_of(self, resource_id: str, name: str) -> list[str]:
        """Names of the tags, sorted."""
        return sorted(
            tag.name
            for tag in self.state.tags.values()
            if any(resource["id"] == resource_id or resource["name"] == name for resource in tag.resources)
        )

    def token_lines(self, kind: str, name: str) -> list[str]:
        """The TOKEN lines of a datafile; those of the platform's own tokens are left out."""
        return [
            f'TOKEN "{token.name}" {scope.type.split(":")[1]}'
            for token in self.state.tokens
            for scope in token.scopes
            if token.token not in (self.admin_token, self.append_token)
            and scope.type in (f"{kind}:READ", f"{kind}:APPEND")
            and scope.resource == name
        ]

    # -- the seed

    async def keep_seed(self) -> None:
        """Remember tables and state as they are now: what ``restore_seed`` brings back."""
        await self.clickhouse.run(f"DROP DATABASE IF EXISTS {SEED}")
        await self.clickhouse.run(f"CREATE DATABASE {SEED} ENGINE = Atomic")
        await self._clone(self.state, DB, SEED)
        self._seed = self.state.copy()

    async def restore_seed(self) -> None:
        """Tables and state as they were at ``keep_seed``."""
        if self._seed is None:
            return
        async with self.lock:
            left = await self.clickhouse.rows(
                f"SELECT arrayJoin(data_paths) AS folder FROM system.tables WHERE database IN ('{DB}', '{STAGING}')"
            )
            for database in (DB, STAGING, "tinybird"):
                await self.clickhouse.run(f"DROP DATABASE IF EXISTS {database}")
                await self.clickhouse.run(f"CREATE DATABASE {database} ENGINE = Atomic")
            await self._clone(self._seed, SEED, DB)
            # chDB takes dropped tables' files away eight minutes later or never: 860 of them a reset
            await asyncio.to_thread(_remove, [row["folder"] for row in left])
            self.state = self._seed.copy()

    async def _clone(self, state: State, source: str, target: str) -> None:
        """Every table of a database into another; nothing else is asked of ClickHouse meanwhile, so all lanes help."""
        run = self.clickhouse.run
        clones = [f"CREATE TABLE {target}.`{name}` CLONE AS {source}.`{name}`" for name in state.sources]
        await asyncio.gather(*(run(clone, lane=LANES[n % len(LANES)]) for n, clone in enumerate(clones)))


def _remove(folders: Iterable[str]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _token() -> str:
    return "p.ey" + secrets.token_urlsafe(48)
