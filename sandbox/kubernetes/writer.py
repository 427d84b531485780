"""What the writers' pods do: they write activities to Kafka, as long as one of them is there.

A deployment that is stopped writes on until its last pod is gone. The rate is a knob, by the machine's clock, and 0
unless somebody wants rows.
"""

import asyncio
import json
import uuid
from contextlib import suppress
from typing import Any

from confluent_kafka import Producer

from sandbox.kafka import client_settings
from sandbox.kubernetes.access import WRITERS
from sandbox.kubernetes.cluster import Cluster

TOPIC = "activities"
ROUND_S = 0.2
MOST = 500  # rows in one round: what a busy machine has missed is not made up for


class Writer:
    """``start`` and ``stop`` belong to the event loop's thread; nothing is kept between them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._task: asyncio.Task[None] | None = None
        self._producer: Producer | None = None
        self._written = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._write())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._task = None
        if self._producer is not None:
            ending, self._producer = [self._producer], None
            await asyncio.to_thread(_end, ending)

    async def _write(self) -> None:
        loop, owed, last = asyncio.get_running_loop(), 0.0, asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(ROUND_S)
            rate, now = float(self._cluster.world.knobs["kubernetes.writes_per_s"]), loop.time()
            owed, last = (owed + rate * (now - last), now) if rate > 0 and self._alive() else (0.0, now)
            for _ in range(min(int(owed), MOST)):
                self._send()
            owed -= int(owed)

    def _alive(self) -> bool:
        self._cluster.catch_up()
        now = self._cluster.world.clock.time()
        return any(of.works(now) for of in self._cluster.deployments.values() if of.name in WRITERS)

    def _send(self) -> None:
        if self._producer is None:
            # one batch a message: else the end offsets are not those of the records (facts/systems.md §3.3)
            self._producer = Producer({**client_settings(self._cluster.world), "linger.ms": 0, "batch.num.messages": 1})
        row = self._row()
        self._producer.produce(TOPIC, json.dumps(row).encode(), row["id"].encode())
        self._producer.poll(0)

    def _row(self) -> dict[str, Any]:
        """The flat row that the estate's workers send (facts/estate.md §5)."""
        self._written += 1
        now = self._cluster.world.clock.now().isoformat(timespec="milliseconds")
        return {
            "id": str(uuid.uuid4()),
            "type": "authored-commit",
            "timestamp": now,
            "platform": "git",
            "isContribution": 1,
            "score": self._written % 10,
            "sourceId": f"w{self._written:06d}",
            "createdAt": now,
            "updatedAt": now,
            "attributes": "{}",
            "title": f"written while it ran {self._written}",
            "channel": f"https://github.example/project-{self._written % 40}/repo",
        }


def _end(producers: list[Producer]) -> None:
    """Give up what is not sent yet. Letting go of the last reference waits for the library's threads."""
    producers[0].purge()
    producers.clear()
