"""The Tinybird stand-in alone, served over the wire from a loop in a thread, with a few rows in each table."""

import asyncio
import socket
import tempfile
import threading
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from sandbox.clock import PlatformClock
from sandbox.standin import KNOBS, Ports, World, door
from sandbox.tinybird import TinybirdStandIn, create
from tests.support.sandbox import ANSWER_S, BETWEEN_TICKS_S, PATIENCE_S

START = datetime(2026, 1, 1, tzinfo=UTC)


def member(n: int, **fields: Any) -> dict[str, Any]:
    """The Postgres row of one person, as Sequin sends it; the same ``n`` is the same person."""
    at = (START + timedelta(minutes=n)).isoformat()
    return {
        "id": str(uuid.UUID(int=n)),
        "displayName": f"Person {n:05d}",
        "joinedAt": at,
        "score": n % 10,
        "manuallyCreated": False,
        "attributes": {"country": {"default": "Peru"}, "isBot": {"default": False}},
        "createdAt": at,
        "updatedAt": at,
        "deletedAt": None,
        **fields,
    }


def organization(n: int) -> dict[str, Any]:
    at = START.isoformat()
    country = "Chile" if n % 2 else "Peru"
    return {
        "id": str(uuid.UUID(int=n)),
        "displayName": f"Org {n}",
        "country": country,
        "createdAt": at,
        "updatedAt": at,
    }


@dataclass
class Tinybird:
    """A served stand-in: its parts, an admin's client, and a way to run coroutines on its loop."""

    stand_in: TinybirdStandIn
    world: World
    client: httpx.Client
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return str(self.client.base_url).rstrip("/")

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(ANSWER_S)

    def reset(self) -> None:
        """As seeded, and well before any copy's next tick: a run by schedule in a test that counts runs is chance."""
        clock = self.world.clock
        clock.restart(speed=clock.speed)
        clock.advance((BETWEEN_TICKS_S - clock.time()) % 3600)
        self.world.knobs.clear()
        self.world.knobs.update(KNOBS)
        self.run(self.stand_in.reset())

    def knob(self, name: str, value: Any) -> None:
        self.world.knobs[f"tinybird.{name}"] = value

    def rows(self, sql: str) -> list[dict[str, Any]]:
        answer = self.client.get("/v0/sql", params={"q": f"{sql} FORMAT JSON"})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def value(self, sql: str) -> Any:
        return next(iter(self.rows(sql)[0].values()))

    def events(self, name: str, *rows: str, token: str | None = None, **params: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return self.client.post("/v0/events", params={"name": name, **params}, content="\n".join(rows), headers=headers)

    def finished(self, job_id: str) -> dict[str, Any]:
        """The job when it has ended; the platform clock is moved on so that no test waits for it, and no further than
        it needs, however long the machine takes for what is due."""
        jobs = self.stand_in.platform.jobs
        job = jobs.find(job_id)
        for _ in range(200):
            if job.done.is_set():
                break
            self.world.clock.advance(60)
            self.run(jobs.catch_up())
        return self.client.get(f"/v0/jobs/{job_id}").json()


@contextmanager
def tinybird_served(*, speed: float = 1.0, seed: str = "small") -> Iterator[Tinybird]:
    """A stand-in with 200 people and 20 organizations, on a free port."""
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it each answer waits 40 ms
    with socket.socket(proto=socket.IPPROTO_TCP) as sock, tempfile.TemporaryDirectory() as folder:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        world = World(Ports(port - 1), PlatformClock(speed=speed), Path(folder), seed)
        stand_in = create(world)
        loop = asyncio.new_event_loop()
        server = uvicorn.Server(
            uvicorn.Config(door(world, "tinybird", stand_in.app), log_level="warning", lifespan="off")
        )
        ready = threading.Event()

        async def serve() -> None:
            await stand_in.start()
            rows = {"members": [member(n) for n in range(200)], "organizations": [organization(n) for n in range(20)]}
            await stand_in.fill(rows)
            serving = asyncio.create_task(server.serve([sock]))
            while not server.started:
                await asyncio.sleep(0.01)
            ready.set()
            await serving
            await stand_in.stop()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
        thread.start()
        assert ready.wait(PATIENCE_S), "the stand-in did not start"
        headers = {"Authorization": f"Bearer {stand_in.admin_token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=ANSWER_S) as client:
            try:
                yield Tinybird(stand_in, world, client, loop)
            finally:
                server.should_exit = True
                thread.join(PATIENCE_S)
                loop.close()
