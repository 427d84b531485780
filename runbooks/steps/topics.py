"""Kafka topics: made like another one, deleted once nothing is in them that somebody waits for."""

from typing import ClassVar

from pydantic import Field

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps.delivery import lagging
from runbooks.steps.tracking import still_read
from runbooks.words import counted
from systems.errors import SystemsError
from systems.kafka_model import TopicShape, is_topic_there


class CreateTopic(Step):
    """Make a topic with the partitions, replicas and own settings of one that is there (facts/systems.md §3.1). One of
    that name with as many partitions is taken as it is: they cannot be made fewer, and more of them would mix up the
    order of a key. Replicas are the cluster's affair, and some clusters do as they like."""

    op: ClassVar[str] = "kafka.topic.create/1"
    settle_s: ClassVar[float] = 5.0  # the cluster's brokers learn of it one by one

    topic: str
    like: str
    partitions: int = Field(ge=1)
    replication: int = Field(ge=-1)  # -1: as the cluster does by itself
    config: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, topic: str, like: str, shape: TopicShape) -> "CreateTopic":
        return cls(
            topic=topic,
            like=like,
            partitions=shape.partitions,
            replication=shape.replication,
            config=dict(shape.config or {}),
        )

    def title(self) -> str:
        return f"Create the Kafka topic {self.topic} with {counted(self.partitions, 'partition')}, like {self.like}"

    def reads(self) -> tuple[str, ...]:
        return (_key(self.topic),)

    def writes(self) -> tuple[str, ...]:
        return (_key(self.topic),)

    def remember(self, at: Site) -> Step | None:
        return RemoveEmptyTopic(topic=self.topic)

    def look(self, at: Site) -> Seen:
        found = at.kafka.topics().get(self.topic)
        if not found:
            return Todo()
        if found != self.partitions:
            return Astray(
                f"there is a topic {self.topic} with {counted(found, 'partition')}, and {self.partitions} were planned"
            )
        return Done(f"The topic {self.topic} stands with {counted(found, 'partition')}.")

    def act(self, at: Site) -> None:
        try:
            at.kafka.create_topic(self.topic, TopicShape(self.partitions, self.replication, self.config))
        except SystemsError as error:
            if not is_topic_there(error):  # else the next look says whether it is the planned one
                raise


class DeleteTopic(Step):
    """Delete a topic and its records, once nobody writes to it and all of them are delivered."""

    op: ClassVar[str] = "kafka.topic.delete/1"
    destructive: ClassVar[bool] = True
    settle_s: ClassVar[float] = 5.0

    topic: str

    def title(self) -> str:
        return f"Delete the Kafka topic {self.topic} with its records"

    def reads(self) -> tuple[str, ...]:
        return (_key(self.topic),)

    def writes(self) -> tuple[str, ...]:
        return (_key(self.topic),)

    def look(self, at: Site) -> Seen:
        if self.topic not in at.kafka.topics():
            return Done(f"The topic {self.topic} is gone.")
        used = _used(at, self.topic, f"the topic {self.topic} is still in use")
        if used:
            return used
        behind = lagging(at, self.topic, at.kafka.end_offsets(self.topic))
        return Astray(f"the topic {self.topic} holds what nobody has read: {behind}") if behind else Todo()

    def act(self, at: Site) -> None:
        at.kafka.delete_topic(self.topic)


class RemoveEmptyTopic(Step):
    """Delete a topic on a way out, if nothing was ever written to it and nothing uses it. Once the table of its name is
    proven there is nothing to put back."""

    op: ClassVar[str] = "kafka.topic.remove-empty/1"
    settle_s: ClassVar[float] = 5.0

    topic: str

    def title(self) -> str:
        return f"Delete the Kafka topic {self.topic}, if it is still empty"

    def writes(self) -> tuple[str, ...]:
        return (_key(self.topic),)

    def look(self, at: Site) -> Seen:
        if self.topic not in at.kafka.topics():
            return Done(f"There is no topic {self.topic}.")
        if self.topic in at.proven:
            return Done(f"{self.topic} is replicated and proven; its topic stays.")
        records = sum(at.kafka.end_offsets(self.topic).values())
        if records:
            return Astray(f"the topic {self.topic} stays: it has taken {counted(records, 'message')}")
        return _used(at, self.topic, f"the topic {self.topic} stays") or Todo()

    def act(self, at: Site) -> None:
        at.kafka.delete_topic(self.topic)


def _key(topic: str) -> str:
    return f"kafka/topic/{topic}/partitions"


def _used(at: Site, topic: str, so: str) -> Seen | None:
    """Who would miss it, or make it anew by asking for it."""
    sink = next((sink.name for sink in at.sequin.sinks() if sink.topic == topic), None)
    if sink:
        return Astray(f"{so}: the Sequin sink {sink} writes to it")
    return still_read(at, topic, f"{so}: the connector {at.names.connector} reads it")
