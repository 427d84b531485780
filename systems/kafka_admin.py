"""Topics made, deleted and described, by AdminClient: what systems/kafka.py does not use it for ends the process.

Each call has a client of its own: they are rare, and one that outlived its broker would ask where nobody answers.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage]
    ConfigSource,  # pyright: ignore[reportPrivateImportUsage]
    ResourceType,  # pyright: ignore[reportPrivateImportUsage]
)
from confluent_kafka.cimpl import NewTopic

from systems.kafka_model import TopicShape

Config = Mapping[str, Any]


def create(config: Config, name: str, shape: TopicShape, call_s: float) -> None:
    """Raises KafkaException, TOPIC_ALREADY_EXISTS too."""
    more = dict(shape.config or {})
    new = NewTopic(name, num_partitions=shape.partitions, replication_factor=shape.replication, config=more)
    admin = _admin(config)
    made = admin.create_topics([new], operation_timeout=call_s, request_timeout=call_s)
    _answer(made[name], call_s)


def delete(config: Config, name: str, call_s: float) -> None:
    """Raises KafkaException. One that is not there is deleted."""
    admin = _admin(config)
    gone = admin.delete_topics([name], operation_timeout=call_s, request_timeout=call_s)
    try:
        _answer(gone[name], call_s)
    except KafkaException as exc:
        if _code(exc) != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise


def own_config(config: Config, name: str, call_s: float) -> dict[str, str] | None:
    """What was set for this topic alone; None where the cluster does not tell, or not to us: a topic can be made like
    another without it."""
    admin, resource = _admin(config), ConfigResource(ResourceType.TOPIC, name)
    try:
        asked = admin.describe_configs([resource], request_timeout=call_s)
        found = _answer(asked[resource], call_s)
    except KafkaException as exc:
        if _code(exc) in _UNTOLD:
            return None
        raise
    entries = cast(Mapping[str, Any], found or {})
    own = {key: e.value for key, e in entries.items() if e.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value}
    return {key: str(value) for key, value in sorted(own.items()) if value is not None}


def _admin(config: Config) -> Any:
    """To be held until it has answered: one that is let go takes its questions with it. Its library says little of the
    types that it takes and gives."""
    return AdminClient(cast(Any, dict(config)))


def _answer(future: "Future[Any]", call_s: float) -> Any:
    try:
        return future.result(call_s + 1.0)  # the library gives up by itself before
    except TooLate:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer in time")) from None


def _code(exc: KafkaException) -> int | None:
    error = exc.args[0] if exc.args else None
    return error.code() if isinstance(error, KafkaError) else None


_UNTOLD = frozenset(
    {
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError._UNSUPPORTED_FEATURE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,  # DescribeConfigs is a right of its own
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.INVALID_REQUEST,
    }
)
