"""The Slack stand-in alone, served over the wire in a thread, as `tbops sandbox` serves it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from slack_sdk import WebClient
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

import sandbox.control
import sandbox.slack
from sandbox.clock import PlatformClock
from sandbox.slack import Slack
from sandbox.standin import Ports, World, door
from tests.support.ledger_server import free_port
from tests.support.sandbox import ANSWER_S, PATIENCE_S


@contextmanager
def served(app: ASGIApp, port: int) -> Iterator[str]:
    """Serve an ASGI application from a thread; gives its URL once it answers."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", ws="wsproto", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    start = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await start(sockets)
        started.set()

    server.startup = startup
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(PATIENCE_S), "the server did not start"
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


@dataclass(frozen=True)
class Workspace:
    """A served workspace: what an app needs (`slack`, `client`) and what people and tests do (`post`, `get`)."""

    slack: Slack
    world: World
    http: httpx.Client

    @property
    def url(self) -> str:
        return self.slack.base_url

    def client(self, token: str | None = None) -> Any:
        """A WebClient; not typed so, for its answers are typed as perhaps None, item by item."""
        return WebClient(token=token or self.slack.bot_token, base_url=f"{self.url}/api/")

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return self.http.post(f"/sandbox/{path}", json=body).json()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self.http.get(f"/sandbox/{path}", params=query).json()

    def wait_for(self, path: str, count: int = 1, after: int = 0) -> list[dict[str, Any]]:
        """The log's entries of `path` once there are `count`; waits with the log's long poll."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            page = self.get("log", after=after, wait=PATIENCE_S)
            assert page["entries"], f"{path} came {len(found)} times, not {count}: {self.messages()}"
            after = page["last"]
            found += [entry for entry in page["entries"] if entry["path"] == path]
        return found

    def messages(self, channel: str = "migrations", user: str | None = None) -> list[dict[str, Any]]:
        query = {"user": user} if user else {}
        return self.get(f"slack/channels/{channel}/messages", **query)["messages"]

    def types(self, user: str, text: str, channel: str = "migrations", **more: Any) -> dict[str, Any]:
        return self.post("slack/command", user=user, channel=channel, text=text, **more)

    def clicks(self, user: str, ts: str, action_id: str, channel: str = "migrations", **more: Any) -> dict[str, Any]:
        return self.post("slack/click", user=user, channel=channel, message_ts=ts, action_id=action_id, **more)


@contextmanager
def slack_workspace() -> Iterator[Workspace]:
    port = free_port()
    world = World(Ports(port), PlatformClock(), Path("/nonexistent"))
    slack = sandbox.slack.create(world)
    control = sandbox.control.routes(world, slack, lambda _: slack.reset(), _no_movers, _no_server, _no_server)
    routes = [*control, Mount("/", app=slack.app)]
    app = door(world, "slack", Starlette(routes=routes))
    with (
        served(app, port) as url,
        httpx.Client(
            base_url=url, trust_env=False, timeout=ANSWER_S, limits=httpx.Limits(max_keepalive_connections=0)
        ) as http,
    ):
        yield Workspace(slack, world, http)
        http.post("/sandbox/slack/hang_up", json={})


async def _no_movers(_: float) -> bool:
    """There are none to wait for."""
    return True


async def _no_server(name: str) -> None:
    """There is neither Redis nor Postgres here."""
    raise AssertionError(f"{name} is not part of this")
