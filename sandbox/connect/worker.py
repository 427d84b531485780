"""The worker's life in its pod: it is away while no pod serves, and begins again with the file in the next one.

A standalone worker knows what its properties say and forgets what REST told it; a distributed one keeps that in Kafka
(facts/systems.md §0, §4.1). A file that it cannot take ends its process, and so the pod, again and again.
"""

import asyncio
import io
from collections.abc import Callable
from contextlib import suppress

import javaproperties
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.connect.connectors import ConnectError, Connectors, checked
from sandbox.standin import World

LOOK_AGAIN_S = 0.1  # by the machine's clock: a pod goes and comes without anybody asking


class Worker:
    """``pod`` names the pod that serves now, None for none; ``properties`` is the file as it is now. All methods belong
    to the event loop's thread."""

    def __init__(
        self, world: World, connectors: Connectors, pod: Callable[[], str | None], properties: Callable[[], str]
    ) -> None:
        self._world = world
        self._connectors = connectors
        self._pod = pod
        self._properties = properties
        self._in: str | None = None
        self._due: float | None = None  # when the worker that has begun knows its connector, by the platform's clock
        self._following = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Its connectors run already, in the pod that is there."""
        self._in, self._due = self._pod(), None
        self._watch = asyncio.create_task(self._watching())

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None

    def unfit(self) -> str | None:
        """Why a process could not begin now."""
        if not self._standalone:
            return None
        try:
            self._read()
        except (ValueError, ConnectError) as exc:
            return str(exc)
        return None

    async def follow(self) -> None:
        """Do what the pods have done by now."""
        async with self._following:
            if self._watch is None:
                return
            pod, now = self._pod(), self._world.clock.time()
            if pod != self._in:
                self._in, self._due = pod, None if pod is None else now + float(self._world.knobs["connect.starting_s"])
                await asyncio.to_thread(self._connectors.shut_down)
            if self._due is not None and now >= self._due and self.unfit() is None:
                self._due = None
                await asyncio.to_thread(self._begin)

    def serving(self, app: ASGIApp) -> ASGIApp:
        """What answers at its address: itself, or whoever stands before pods that are not there."""

        async def through(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await self.follow()
            if self._watch is None or scope["type"] != "http" or (self._in is not None and self._due is None):
                await app(scope, receive, send)
            elif self._in is None:
                await PlainTextResponse("no healthy upstream", 503)(scope, receive, send)
            else:
                await self._starting(scope, receive, send)

        return through

    async def _starting(self, scope: Scope, receive: Receive, send: Send) -> None:
        """It answers, and knows of no connector yet."""
        path: str = scope["path"]
        name = path.removeprefix("/connectors/").partition("/")[0]
        missing = f"No status found for connector {name}" if path.endswith("/status") else f"Connector {name} not found"
        if path == "/connectors":
            await JSONResponse([])(scope, receive, send)
        else:
            await JSONResponse({"error_code": 404, "message": missing}, 404)(scope, receive, send)

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            await self.follow()

    def _begin(self) -> None:
        self._connectors.begin_again(self._read() if self._standalone else None)

    @property
    def _standalone(self) -> bool:
        return self._world.knobs["connect.mode"] == "standalone"

    def _read(self) -> dict[str, str]:
        """Raises ValueError or ConnectError where the worker would end."""
        found = javaproperties.loads(self._properties())
        if not found.get("name"):
            raise ValueError('Missing required configuration "name" which has no default value.')
        return checked(found["name"], found)


def as_properties(config: dict[str, str]) -> str:
    """The text of such a file."""
    text = io.StringIO()
    javaproperties.dump(config, text, timestamp=False, sort_keys=False)
    return text.getvalue()
