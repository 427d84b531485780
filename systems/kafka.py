"""Kafka, read only: end offsets, a group's commits, the size of messages (facts/systems.md §3).

The one wrapper around confluent-kafka, whose futures and errors are barely typed.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka import admin as _admin

from systems.errors import SystemsError
from systems.redact import redact

_T = TypeVar("_T")
_untyped: Any = _admin  # its futures are bare and OffsetSpec is not exported for type checkers

SYSTEM = "kafka"
CALL_S = 5.0
IDLE_S = 2.0
SAMPLE = 200

_silent = logging.getLogger("systems.kafka.librdkafka")  # it repeats itself in a tight loop; errors come as exceptions
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class Kafka:
    """One cluster. ``config`` holds librdkafka's further keys: ``security.protocol``, ``sasl.mechanism``, …"""

    def __init__(self, bootstrap: str, config: Mapping[str, str] | None = None, *, call_s: float = CALL_S) -> None:
        self._config: dict[str, Any] = {"bootstrap.servers": bootstrap, **(config or {}), "log_level": 0}
        self._secrets = tuple(v for k, v in (config or {}).items() if "password" in k)
        self._call_s = call_s
        self._admin: Any = None
        self._asked_at = 0.0

    def topics(self) -> Mapping[str, int]:
        """Each topic with its number of partitions. Asked for all at once: asking for one may create it."""
        found = self._ask("metadata", lambda: self._client().list_topics(timeout=self._call_s).topics)
        return {name: len(topic.partitions) for name, topic in found.items()}

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset after the last record, by partition; empty if there is no such topic."""
        return self._offsets(topic, _untyped.OffsetSpec.latest())

    def start_offsets(self, topic: str) -> dict[int, int]:
        """The first offset still kept, by partition."""
        return self._offsets(topic, _untyped.OffsetSpec.earliest())

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """What ``group`` has committed, by partition; one never committed is missing (unknown, not 0)."""
        partitions = [TopicPartition(topic, number) for number in range(self.topics().get(topic, 0))]
        if not partitions:
            return {}
        asked = [ConsumerGroupTopicPartitions(group, partitions)]

        def ask() -> dict[int, int]:
            futures = self._client().list_consumer_group_offsets(asked, request_timeout=self._call_s)
            answered = futures[group].result(timeout=self._call_s)
            found = cast(list[TopicPartition], answered.topic_partitions or [])
            return {p.partition: p.offset for p in found if p.offset >= 0}

        return self._ask(f"committed offsets of {group}", ask)

    def mean_message_bytes(self, topic: str) -> int | None:
        """The mean size of the last records of ``topic``, from a sample; None without records."""
        ends = self.end_offsets(topic)
        starts = self.start_offsets(topic)
        share = max(SAMPLE // max(len(ends), 1), 1)
        at = [
            TopicPartition(topic, number, max(starts.get(number, 0), end - share))
            for number, end in ends.items()
            if end > starts.get(number, 0)
        ]
        if not at:
            return None
        sizes = self._ask(f"a sample of {topic}", lambda: self._sizes(at))
        return round(sum(sizes) / len(sizes)) if sizes else None

    def _sizes(self, at: list[TopicPartition]) -> list[int]:
        settings = {**self._config, "group.id": "tbops-sample", "enable.auto.commit": False, "logger": _silent}
        consumer = Consumer(cast(Any, settings))
        try:
            consumer.assign(at)
            messages: list[Message] = consumer.consume(SAMPLE, timeout=2.0)
            return [len(m.value() or b"") + len(m.key() or b"") for m in messages if m.error() is None]
        finally:
            consumer.close()

    def _offsets(self, topic: str, spec: Any) -> dict[int, int]:
        wanted = {TopicPartition(topic, number): spec for number in range(self.topics().get(topic, 0))}
        if not wanted:
            return {}

        def ask() -> dict[int, int]:
            futures = self._client().list_offsets(wanted, request_timeout=self._call_s)
            return {p.partition: f.result(timeout=self._call_s).offset for p, f in futures.items()}

        return self._ask(f"offsets of {topic}", ask)

    def _client(self) -> Any:
        """A client that was idle or did not answer is made anew: one that outlived a restart of its broker asks
        the group's former coordinator for ever."""
        now = time.monotonic()
        if self._admin is None or now - self._asked_at > IDLE_S:
            self._admin = _untyped.AdminClient({**self._config, "logger": _silent})
        self._asked_at = now
        return self._admin

    def _ask(self, call: str, question: Callable[[], _T]) -> _T:
        try:
            return question()
        except KafkaException as exc:
            self._admin = None
            error = exc.args[0] if exc.args else None
            said = f"{error.name()}: {error.str()}" if isinstance(error, KafkaError) else str(exc)
            fatal = isinstance(error, KafkaError) and error.code() in _REFUSALS
            raise SystemsError(SYSTEM, call, retryable=not fatal, said=redact(said, self._secrets)) from exc
        except TimeoutError as exc:
            self._admin = None
            raise SystemsError(SYSTEM, call, retryable=True, said="no answer in time") from exc


_REFUSALS = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,  # librdkafka's own name for it
    }
)
