"""What the Kafka client returns of topics. Apart from the client, so that a plan made offline loads no librdkafka."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from systems.errors import SystemsError

TOPIC_THERE = "TOPIC_ALREADY_EXISTS"


@dataclass(frozen=True)
class TopicShape:
    """``config`` is what was set for this topic alone (``retention.ms``, ``cleanup.policy``, …), not what it has from
    its cluster; None where the cluster does not tell it."""

    partitions: int
    replication: int
    config: Mapping[str, str] | None = field(default_factory=dict[str, str])


def is_topic_there(error: SystemsError) -> bool:
    """Whether a create was refused because there is such a topic already."""
    return error.said.startswith(TOPIC_THERE)
