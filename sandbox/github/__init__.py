"""GitHub: its REST API over two real git repositories, the project's and the cluster's (facts/systems.md §6, §7)."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from sandbox import age
from sandbox.github import access, api, page, seed, smart
from sandbox.github.access import Access
from sandbox.github.errors import not_found
from sandbox.github.hub import Hub
from sandbox.github.repository import Repository, make_template
from sandbox.github.views import Views
from sandbox.seed import seed_named
from sandbox.standin import World

OWNER = "acme"
PROJECT = f"{OWNER}/platform"
CLUSTER = f"{OWNER}/cluster"


class GitHub:
    """The stand-in. ``token`` may write both repositories, ``reader_token`` read them, ``stranger_token`` see none;
    an App signs with the key in ``app_key_file``."""

    name = "github"
    token = access.TOKEN
    reader_token = access.READER_TOKEN
    stranger_token = access.STRANGER_TOKEN
    app_id = access.APP_ID
    installation_id = access.INSTALLATION_ID
    project = PROJECT
    cluster = CLUSTER
    datafiles = seed.DATAFILES
    migrations = seed.MIGRATIONS
    properties_path = seed.PROPERTIES

    def __init__(self, world: World, properties: Mapping[str, str]) -> None:
        """``properties`` is what the connector is configured with at first."""
        self._world = world
        self._properties = properties
        self._folder = world.data / "github"
        self._hub = Hub(world)
        self._access = Access(world)
        views = Views(self._hub, world.url(world.ports.github))
        self.app: ASGIApp = Starlette(
            routes=[
                *api.routes(self._hub, self._access, views),
                *smart.routes(self._hub, self._access),
                *page.routes(self._hub),
            ],
            exception_handlers={404: _nothing, 405: _nothing},
        )

    @property
    def identity_file(self) -> Path:
        """The age identity that the cluster's properties are encrypted for: what ``sandbox.age`` reads."""
        return self._world.data / "age-identity.txt"

    @property
    def app_key_file(self) -> Path:
        return self._world.data / "github-app.pem"

    async def start(self) -> None:
        self._hub.begin(await asyncio.to_thread(self._make))

    async def reset(self) -> None:
        for repository in self._hub.repositories.values():
            await asyncio.to_thread(repository.reset)
        self._access.reset()
        self._hub.begin(list(self._hub.repositories.values()))

    async def stop(self) -> None:
        for repository in self._hub.repositories.values():
            repository.close()

    def properties(self) -> str:
        """The connector's properties as the cluster's ``main`` has them now, decrypted: what its pod starts with.
        From any thread."""
        with Repository.beside(self._folder / CLUSTER) as cluster:
            files = cluster.files(cluster.commit("main"))
            sealed = cluster.blob(files[seed.PROPERTIES].sha)
        return age.decrypt(sealed, self.identity_file.read_text().strip()).decode()

    def _make(self) -> list[Repository]:
        identity = age.new_identity()
        _write_private(self.identity_file, identity.encode())
        _write_private(self.app_key_file, self._access.make_key())
        histories = {
            PROJECT: seed.project(seed_named(self._world.seed)),
            CLUSTER: seed.cluster(self._properties, identity),
        }
        made: list[Repository] = []
        for full_name, history in histories.items():
            template = self._folder / "seeds" / full_name
            make_template(template, history, self._world.clock.time())
            owner, _, name = full_name.partition("/")
            made.append(Repository(owner, name, self._folder / full_name, template))
        return made


def _write_private(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)


async def _nothing(_request: Request, _exc: Exception) -> Response:
    return JSONResponse(not_found().body(), status_code=404)


def create(world: World, properties: Mapping[str, str]) -> GitHub:
    return GitHub(world, properties)
