"""Kafka: end offsets, a group's commits, sizes of messages; topics made and deleted (facts/systems.md §3).

The wrapper around confluent-kafka, whose errors are barely typed. It asks through consumers that join no group, and
for offsets never through AdminClient (systems/kafka_admin.py has what may be asked there): ListOffsets ends the process
by a segmentation fault when the leaders are known already while it asks for them (librdkafka 2.11 to 2.16, seen here),
and an offset fetch does when the coordinator has moved
(https://github.com/confluentinc/confluent-kafka-javascript/issues/374). A consumer also creates no topic by asking.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from systems import kafka_admin
from systems.errors import SystemsError
from systems.kafka_model import TopicShape
from systems.permit import Permit, read_only
from systems.redact import redact

_T = TypeVar("_T")

SYSTEM = "kafka"
CALL_S = 5.0
IDLE_S = 2.0
SAMPLE = 200
OWN_GROUP = "tbops-reader"  # what a consumer must name; nothing is ever committed to it

_silent = logging.getLogger("systems.kafka.librdkafka")  # it repeats itself in a tight loop; errors come as exceptions
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class Kafka:
    """One cluster. ``config`` holds librdkafka's further keys: ``security.protocol``, ``sasl.mechanism``, …

    What changes a topic asks the permit first; ``permitted`` copies share their readers.
    """

    def __init__(
        self,
        bootstrap: str,
        config: Mapping[str, str] | None = None,
        permit: Permit = read_only,
        *,
        call_s: float = CALL_S,
    ) -> None:
        self._permit = permit
        self._config: dict[str, Any] = {"bootstrap.servers": bootstrap, **(config or {}), "log_level": 0}
        self._secrets = tuple(v for k, v in (config or {}).items() if "password" in k)
        self._call_s = call_s
        self._readers: dict[str, tuple[Consumer, float]] = {}  # by group, and when it was asked last

    def permitted(self, permit: Permit) -> "Kafka":
        other = object.__new__(Kafka)
        other.__dict__.update(self.__dict__)
        other._permit = permit
        return other

    def topic_shape(self, topic: str) -> TopicShape | None:
        """What a topic like it is made from; None if there is none. Asking makes none."""
        call = f"shape of {topic}"
        found = self._ask("metadata", OWN_GROUP, lambda reader: reader.list_topics(timeout=self._call_s).topics)
        if topic not in found or not found[topic].partitions:
            return None
        partitions = found[topic].partitions
        config = self._tried(call, lambda: kafka_admin.own_config(self._config, topic, self._call_s))
        return TopicShape(len(partitions), max(len(p.replicas) for p in partitions.values()), config)

    def create_topic(self, topic: str, shape: TopicShape) -> None:
        """Refused where there is one of that name: ``is_topic_there``."""
        call = f"create topic {topic}"
        self._permit(SYSTEM, call)
        self._tried(call, lambda: kafka_admin.create(self._config, topic, shape, self._call_s))

    def delete_topic(self, topic: str) -> None:
        """With all its records. One that is not there is no error."""
        call = f"delete topic {topic}"
        self._permit(SYSTEM, call)
        self._tried(call, lambda: kafka_admin.delete(self._config, topic, self._call_s))

    def topics(self) -> Mapping[str, int]:
        """Each topic with its number of partitions. Asked for all at once: asking for one may create it."""
        found = self._ask("metadata", OWN_GROUP, lambda reader: reader.list_topics(timeout=self._call_s).topics)
        return {name: len(topic.partitions) for name, topic in found.items()}

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset after the last record, by partition; empty if there is no such topic."""
        return self._offsets(topic, OFFSET_END)

    def start_offsets(self, topic: str) -> dict[int, int]:
        """The first offset still kept, by partition."""
        return self._offsets(topic, OFFSET_BEGINNING)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """What ``group`` has committed, by partition; one never committed is missing (unknown, not 0)."""
        partitions = [TopicPartition(topic, number) for number in range(self.topics().get(topic, 0))]
        if not partitions:
            return {}
        found = self._ask(
            f"committed offsets of {group}",
            group,
            lambda reader: _without_errors(reader.committed(partitions, timeout=self._call_s)),
        )
        return {p.partition: p.offset for p in found if p.offset >= 0}

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
        sizes = self._ask(f"a sample of {topic}", OWN_GROUP, lambda _reader: self._sizes(at))
        return round(sum(sizes) / len(sizes)) if sizes else None

    def _offsets(self, topic: str, which: int) -> dict[int, int]:
        """The two ends' numbers are also the timestamps by which a broker is asked for them (ListOffsets)."""
        wanted = [TopicPartition(topic, number, which) for number in range(self.topics().get(topic, 0))]
        if not wanted:
            return {}
        found = self._ask(
            f"offsets of {topic}",
            OWN_GROUP,
            lambda reader: _without_errors(reader.offsets_for_times(wanted, timeout=self._call_s)),
        )
        return {p.partition: p.offset for p in found}

    def _reader(self, group: str) -> Consumer:
        """A consumer that was idle is made anew: one that outlived a restart of its broker asks the group's former
        coordinator for ever. The old one is not closed, because another thread may be asking through it."""
        now = time.monotonic()
        kept, asked_at = self._readers.get(group, (None, 0.0))
        if kept is None or now - asked_at > IDLE_S:
            kept = self._consumer(group)
        self._readers[group] = kept, now
        return kept

    def _consumer(self, group: str) -> Consumer:
        settings = {
            **self._config,
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",  # the end is the log's, as Connect reads it
            "logger": _silent,
        }
        return Consumer(cast(Any, settings))

    def _sizes(self, at: list[TopicPartition]) -> list[int]:
        consumer = self._consumer(OWN_GROUP)  # of its own: what is assigned is for one asker
        try:
            consumer.assign(at)
            messages: list[Message] = consumer.consume(SAMPLE, timeout=2.0)
            return [len(m.value() or b"") + len(m.key() or b"") for m in messages if m.error() is None]
        finally:
            consumer.close()

    def _ask(self, call: str, group: str, question: Callable[[Consumer], _T]) -> _T:
        try:
            return self._tried(call, lambda: question(self._reader(group)))
        except SystemsError:
            self._readers.pop(group, None)
            raise

    def _tried(self, call: str, do: Callable[[], _T]) -> _T:
        """What librdkafka raises as this room's error."""
        try:
            return do()
        except KafkaException as exc:
            raise refusal(exc, call, self._secrets) from exc


def refusal(exc: KafkaException, call: str, secrets: tuple[str, ...] = ()) -> SystemsError:
    """Kafka's own word first, then what it said, then what people can do about it."""
    error = exc.args[0] if exc.args else None
    if not isinstance(error, KafkaError):
        return SystemsError(SYSTEM, call, retryable=True, said=redact(str(exc), secrets))
    cure = _CURES.get(error.code(), "")
    said = f"{error.name()}: {error.str()}" + (f" ({cure})" if cure else "")
    return SystemsError(SYSTEM, call, retryable=error.code() not in _REFUSALS, said=redact(said, secrets))


def _without_errors(found: list[TopicPartition]) -> list[TopicPartition]:
    for partition in found:
        if partition.error is not None:
            raise KafkaException(partition.error)
    return found


_REFUSALS = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,  # librdkafka's own name for it
        KafkaError.TOPIC_ALREADY_EXISTS,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.INVALID_CONFIG,
        KafkaError._INVALID_ARG,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.TOPIC_DELETION_DISABLED,
        KafkaError.POLICY_VIOLATION,
        KafkaError.UNSUPPORTED_VERSION,
    }
)
_CURES = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "the Kafka user that tbops.toml names lacks an ACL for this topic",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the Kafka user that tbops.toml names lacks an ACL on the cluster",
    KafkaError.INVALID_REPLICATION_FACTOR: "the cluster has fewer brokers than the topic is to have replicas",
    KafkaError.TOPIC_DELETION_DISABLED: "the cluster has delete.topic.enable = false",
    KafkaError.POLICY_VIOLATION: "a policy of the cluster forbids such a topic",
}
