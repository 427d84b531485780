"""The connector's task: consumes its topics from the real broker and hands the records to the writers.

Partitions are assigned by hand and offsets committed under the group's name: joining the group would
take the broker three seconds (facts/systems.md §3.3), and there is one worker only.

The estate posts 10 rows a request; the sandbox posts up to 500 (knob ``connect.batch_count``), because
one small machine answers both ends.
"""

import logging
import threading
import time
from datetime import datetime, timedelta

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from sandbox.connect.state import ConnectorState, TaskState
from sandbox.connect.writer import Record, Writer
from sandbox.kafka import client_settings
from sandbox.rounds import Rounds
from sandbox.standin import World

POLL_S = 0.01  # by the machine's clock: how soon a pause or a resume is seen; ends at once when a record comes
HURRY_S = 0.002  # while somebody waits
AT_ONCE = 200
KAFKA_PATIENCE_S = 5.0
LOOK_FOR_TOPICS_S = 1.0  # the real one looks every five minutes

_log = logging.getLogger(__name__)


class Task:
    """The threads of one connector, from its start or restart to its end. The connector's state says what to do."""

    def __init__(self, world: World, connector: ConnectorState, state: TaskState) -> None:
        self._world = world
        self._connector = connector
        self._state = state
        self._stopping = threading.Event()
        self._writers: dict[str, Writer] = {}
        self._assigned: dict[tuple[str, int], int] = {}  # the offset it began with
        self._holding = False
        self._flushed: datetime = world.clock.now()
        self._next_look = 0.0
        self._rounds = Rounds()
        self._thread = threading.Thread(target=self._run, name=f"connect-{connector.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the threads. What was posted is committed; what was only read comes again."""
        self._stopping.set()
        self._thread.join(15)

    def settled(self, wait_s: float) -> bool:
        """Wait until all that the topics hold has been posted, and committed if that is due, or the connector holds;
        False if it takes longer than ``wait_s``."""
        return self._rounds.settled(lambda: None, wait_s)

    def _run(self) -> None:
        consumer = Consumer(
            {
                **client_settings(self._world),
                "group.id": f"connect-{self._connector.name}",
                "session.timeout.ms": 6000,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,  # a record that comes meanwhile is told of when it is over
                "fetch.queue.backoff.ms": 20,
            }
        )
        try:
            while not self._stopping.is_set():
                self._rounds.begin()
                all_posted = self._rounds.wanted and self._all_posted(consumer)
                self._round(consumer)
                self._rounds.end(idle=all_posted)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the task must not look as if it ran
            self._broke(exc)
        finally:
            for writer in self._writers.values():
                writer.stop()
            self._commit(consumer)
            consumer.close()

    def _round(self, consumer: Consumer) -> None:
        """One look: at the topics, at what is wanted, at the records, at the clock."""
        if time.monotonic() >= self._next_look:
            self._assign(consumer)
            self._next_look = time.monotonic() + LOOK_FOR_TOPICS_S
        self._hold_or_go_on(consumer)
        if self._holding:
            self._stopping.wait(POLL_S)
        else:
            self._take(consumer)
        interval = timedelta(seconds=float(self._world.knobs["connect.offset_flush_s"]))
        if self._world.clock.now() >= self._flushed + interval:
            self._commit(consumer)
            self._flushed = self._world.clock.now()

    def _all_posted(self, consumer: Consumer) -> bool:
        """Asked before a round, so that the round commits what it is due to."""
        if self._state.state == "FAILED":
            return True
        if not all(writer.idle for writer in list(self._writers.values())):
            return False
        if self._connector.state != "RUNNING":
            return self._state.state == "PAUSED"
        if self._holding or not self._assigned:
            return False
        try:  # not AdminClient.list_offsets: see systems/kafka.py; a broker takes -1 for the end there too
            asked = [TopicPartition(*key, OFFSET_END) for key in self._assigned]
            ends = consumer.offsets_for_times(asked, timeout=KAFKA_PATIENCE_S)
        except KafkaException:
            return False
        return all(
            end.error is None and end.offset <= max(self._position((end.topic, end.partition)), 0) for end in ends
        )

    def _assign(self, consumer: Consumer) -> None:
        """Take over partitions that have appeared, each from its committed offset or the beginning."""
        try:
            known = consumer.list_topics(timeout=KAFKA_PATIENCE_S).topics
            wanted = [(t, p) for t in self._connector.topics if t in known for p in known[t].partitions]
            new = [key for key in wanted if key not in self._assigned]
            if not new:
                return
            for found in consumer.committed([TopicPartition(*key) for key in new], timeout=KAFKA_PATIENCE_S):
                begin = found.offset if found.offset >= 0 else OFFSET_BEGINNING
                self._assigned[(found.topic, found.partition)] = begin
        except KafkaException:
            return  # the broker is away; the next look is soon
        places = [TopicPartition(*key, self._position(key)) for key in wanted]
        consumer.assign(places)
        self._holding = False

    def _position(self, key: tuple[str, int]) -> int:
        """Where to read on: behind what was handed to the writer."""
        writer = self._writers.get(key[0])
        return writer.taken.get(key[1], self._assigned[key]) if writer else self._assigned[key]

    def _hold_or_go_on(self, consumer: Consumer) -> None:
        hold = self._connector.state != "RUNNING" or self._state.state == "FAILED"
        if hold != self._holding:
            places = consumer.assignment()
            consumer.pause(places) if hold else consumer.resume(places)
            self._holding = hold
        if not hold:
            self._state.show("RUNNING")
        elif all(writer.idle for writer in self._writers.values()):
            self._state.show("PAUSED")

    def _take(self, consumer: Consumer) -> None:
        first = consumer.poll(HURRY_S if self._rounds.wanted else POLL_S)
        if first is None:
            return
        for message in [first, *consumer.consume(AT_ONCE, 0)]:
            topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
            if message.error() or topic is None or partition is None or offset is None or value is None:
                continue
            self._connector.seen_topics.add(topic)
            self._writer(topic).put(Record(partition, offset, bytes(value)))

    def _writer(self, topic: str) -> Writer:
        if topic not in self._writers:
            self._writers[topic] = Writer(
                topic,
                self._connector.config,
                self._world.knobs,
                succeeded=self._state.forget_errors,
                failed=self._failed,
                broke=self._broke,
            )
        return self._writers[topic]

    def _failed(self, problem: str) -> None:
        """A batch was dropped; the same trouble more often than the threshold ends the task."""
        if self._state.count_error(problem) > int(self._world.knobs["connect.error_threshold"]):
            self._end(problem)

    def _broke(self, exc: Exception) -> None:
        _log.error("the connector %s failed", self._connector.name, exc_info=exc)
        self._end(f"{type(exc).__name__}: {exc}")

    def _end(self, cause: str) -> None:
        """The task has failed: it posts nothing more until it is restarted."""
        self._state.fail(cause)
        for writer in list(self._writers.values()):
            writer.halt()

    def _commit(self, consumer: Consumer) -> None:
        """Commit what was posted (or dropped) since the last time."""
        committed = self._connector.committed
        fresh = {
            (topic, partition): offset
            for topic, writer in self._writers.items()
            for partition, offset in list(writer.done.items())
            if committed.get((topic, partition), 0) < offset
        }
        if not fresh:
            return
        try:
            consumer.commit(offsets=[TopicPartition(*key, offset) for key, offset in fresh.items()], asynchronous=False)
        except KafkaException:
            return  # tried again at the next flush
        committed.update(fresh)
