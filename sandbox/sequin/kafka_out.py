"""Hands messages to the real broker; the last one of each partition in a Kafka batch of its own.

The broker's end offset is the base of its last batch plus one (facts/systems.md §3.3): after a larger
batch nobody could tell whether a topic is drained. It looks at every batch when it is asked for one, so
that a million batches of one message would take it an hour: those before the last go together.
"""

import time
import zlib
from collections.abc import Sequence

from confluent_kafka import KafkaException, Producer

from sandbox.kafka import client_settings, create_topics
from sandbox.sequin.messages import Message
from sandbox.standin import World

PATIENCE_S = 3.0  # without one message arriving
LONGEST_S = 9.0  # for all of them: a mover that is told to stop is waited for a little longer than this


class KafkaOut:
    """A producer that knows the partitions of the topics, as they were when it was made."""

    def __init__(self, world: World) -> None:
        self._world = world
        settings = {**client_settings(world), "acks": "all"}
        self._one_by_one = Producer({**settings, "linger.ms": 0, "batch.num.messages": 1})
        self._together = Producer({**settings, "linger.ms": 20, "batch.num.messages": 1_000})
        self._partitions: dict[str, int] = {}

    def forget_partitions(self) -> None:
        """A restart of the slot: only now added partitions are seen."""
        self._partitions.clear()

    def problem_with(self, topic: str) -> str | None:
        """Why nothing can be sent to ``topic``, as Sequin's health says it. What the broker would make by itself where
        it makes topics, is made here: this one never does."""
        if topic in self._partitions:
            return None
        try:
            known = self._one_by_one.list_topics(timeout=PATIENCE_S).topics
            if topic not in known and self._world.knobs["kafka.creates_topics"]:
                create_topics(self._world, (topic,))
                known = self._one_by_one.list_topics(timeout=PATIENCE_S).topics
        except KafkaException as exc:
            return f"Kafka does not answer: {exc.args[0].name()}"
        if topic not in known:
            return f"Topic '{topic}' does not exist"
        self._partitions[topic] = len(known[topic].partitions)
        return None

    def send(self, topic: str, messages: Sequence[Message]) -> int:
        """Send in order and wait; how many of the first ones arrived."""
        arrived = [False] * len(messages)
        partitions = [zlib.crc32(message.key) % self._partitions[topic] for message in messages]
        last = {partition: at for at, partition in enumerate(partitions)}
        before = [at for at, partition in enumerate(partitions) if at != last[partition]]
        for producer, part in ((self._together, before), (self._one_by_one, sorted(last.values()))):
            for at in part:
                delivered = _mark(arrived, at)
                producer.produce(topic, messages[at].value, messages[at].key, partitions[at], on_delivery=delivered)
            _wait(producer, len(part))
            if not all(arrived[at] for at in part):
                break  # what comes later in a partition must not overtake what did not arrive
        return arrived.index(False) if False in arrived else len(arrived)


def _wait(producer: Producer, left: int) -> None:
    """Until all has arrived, as long as some of it does: a busy machine must not send the same page for ever."""
    give_up = time.monotonic() + LONGEST_S
    while left and (patience := min(PATIENCE_S, give_up - time.monotonic())) > 0:
        before, left = left, producer.flush(patience)
        if left == before:
            break
    producer.purge()
    producer.poll(0)


def _mark(arrived: list[bool], at: int):
    def delivered(error: object, _message: object) -> None:
        arrived[at] = error is None

    return delivered
