"""The connector comes to read another list of topics: by a restart of its pods, or by its REST interface.

A standalone worker takes its list from a file when it starts, and what is changed by REST is lost with it; a
distributed one keeps the list itself (facts/systems.md §4.1). ``connect.restart`` in tbops.toml says which it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.append_scope import may_append
from runbooks.steps.tracking import STARTING
from systems.errors import SystemsError
from systems.kubernetes_model import DeploymentInfo

if TYPE_CHECKING:
    from systems.connect import ConnectorStatus

REST = "rest"
LOOK_AGAIN_S = 2.0
SELDOM_S = 15.0
PATIENCE_S = 600.0  # as long as Kubernetes itself waits for a rollout's progress (facts/systems.md §5)
_UNTOLD = "tbops.toml does not say how the connector comes to read other topics: set connect.restart"


class _Connector(Step):
    """What becomes of it is the world only once AwaitTracked has seen it: until then Connect may not answer."""

    connector: str

    def locks(self) -> tuple[str, ...]:
        return (f"connector/{self.connector}",)


class RestartConnect(_Connector):
    """Start Kafka Connect again, with every topic of it: offsets lie in Kafka, so that each goes on where it was.
    A pause would end by it, so that a paused connector is left alone. There is no way back but another restart."""

    op: ClassVar[str] = "connect.restart/1"
    settle_s: ClassVar[float] = 10.0

    topics_with: str | None = None  # a topic that it is to read afterwards
    topics_without: str | None = None  # one that it is to read no more

    def title(self) -> str:
        if self.topics_with:
            return f"Restart Kafka Connect, so that it reads the topic {self.topics_with}"
        if self.topics_without:
            return f"Restart Kafka Connect, so that it reads the topic {self.topics_without} no more"
        return "Restart Kafka Connect"

    def reads(self) -> tuple[str, ...]:
        return (f"connect/connector/{self.connector}/state",)

    def look(self, at: Site) -> Seen:
        where = at.names.connect_restart
        if not where:
            return Astray(_UNTOLD)
        if self._restarted(at, where):
            return Done("Kafka Connect was restarted.")
        status = at.connect.status(self.connector)
        if status.state in ("PAUSED", "STOPPED"):
            return Astray(f"the connector {self.connector} is {status.state}: a restart would start it again")
        asked = self.topics_with or self.topics_without
        if asked and self._so(at.connect.topics(self.connector)) and status.running:
            return Done(f"Kafka Connect knows of the topic {asked} already: no restart is needed.")
        unfit = unfit_to_read(at, self.topics_with) if self.topics_with else None
        if unfit:
            return Astray(unfit)
        stamp = f"{at.now:%Y-%m-%dT%H:%M:%SZ}/run-{at.run}"  # sub-second is not enough: two runs may share a moment
        return Todo(memo={"stamp": at.memo.get("stamp", stamp)})

    def act(self, at: Site) -> None:
        if at.names.connect_restart == REST:
            at.connect.restart(self.connector)
        else:
            namespace, _, deployment = at.names.connect_restart.partition("/")
            at.cluster.restart(namespace, deployment, str(at.memo["stamp"]))

    def _restarted(self, at: Site, where: str) -> bool:
        """By its stamp, or where REST leaves no trace by its answer."""
        if where == REST:
            return at.answered > 0
        namespace, _, deployment = where.partition("/")
        return "stamp" in at.memo and at.cluster.deployment(namespace, deployment).restarted == at.memo["stamp"]

    def _so(self, topics: tuple[str, ...]) -> bool:
        return (self.topics_with is None or self.topics_with in topics) and self.topics_without not in topics


class TrackTopic(_Connector):
    """Have the connector read one more topic, by its REST interface: its list, and nothing else of it, is changed."""

    op: ClassVar[str] = "connect.topic.track/1"
    settle_s: ClassVar[float] = 10.0

    topic: str

    def title(self) -> str:
        return f"Have the connector {self.connector} read the topic {self.topic}"

    def reads(self) -> tuple[str, ...]:
        return (f"connect/connector/{self.connector}/topics",)

    def remember(self, at: Site) -> Step | None:
        return StopTracking(connector=self.connector, topic=self.topic)

    def look(self, at: Site) -> Seen:
        if self.topic in at.connect.topics(self.connector):
            return Done(f"The connector {self.connector} is to read the topic {self.topic}.")
        unfit = unfit_to_read(at, self.topic)
        return Astray(unfit) if unfit else Todo()

    def act(self, at: Site) -> None:
        topics = at.connect.topics(self.connector)
        at.connect.set_topics(self.connector, [*topics, self.topic])


class UntrackTopic(_Connector):
    """Have the connector read one topic less; its offsets stay in Kafka."""

    op: ClassVar[str] = "connect.topic.untrack/1"
    settle_s: ClassVar[float] = 10.0

    topic: str

    def title(self) -> str:
        return f"Have the connector {self.connector} read the topic {self.topic} no more"

    def reads(self) -> tuple[str, ...]:
        return (f"connect/connector/{self.connector}/topics",)

    def look(self, at: Site) -> Seen:
        if self.topic not in at.connect.topics(self.connector):
            return Done(f"The connector {self.connector} does not read the topic {self.topic}.")
        return Todo()

    def act(self, at: Site) -> None:
        at.connect.set_topics(self.connector, [t for t in at.connect.topics(self.connector) if t != self.topic])


class StopTracking(UntrackTopic):
    """The same on a way out. Once the table of its name is replicated and proven there is nothing to put back."""

    op: ClassVar[str] = "connect.topic.stop-tracking/1"

    def look(self, at: Site) -> Seen:
        if self.topic in at.proven:
            return Done(f"{self.topic} is replicated and proven; the connector {self.connector} goes on reading it.")
        return super().look(at)


class AwaitTracked(Step):
    """Wait until the connector and every task of it run again, with the topic on its list."""

    op: ClassVar[str] = "connect.topic.await-tracked/1"
    gated: ClassVar[bool] = False

    connector: str
    topic: str

    def title(self) -> str:
        return f"Wait until the connector {self.connector} runs and reads the topic {self.topic}"

    def writes(self) -> tuple[str, ...]:
        return (f"connect/connector/{self.connector}/state", f"connect/connector/{self.connector}/topics")

    def look(self, at: Site) -> Seen:
        since = str(at.memo.get("since", at.now.isoformat()))
        lasted = (at.now - datetime.fromisoformat(since)).total_seconds()
        why, hopeless = self._missing(at)
        if not why:
            return Done(self._done())
        if hopeless or lasted > PATIENCE_S:
            return Astray(why if hopeless else f"{why}, after {PATIENCE_S / 60:.0f} min", memo={})
        return Wait(min(max(LOOK_AGAIN_S, lasted / 10), SELDOM_S), why, memo={"since": since})

    def _done(self) -> str:
        return f"The connector {self.connector} runs and reads the topic {self.topic}."

    def _missing(self, at: Site) -> tuple[str, bool]:
        """What is not so yet, and whether waiting is in vain; empty when all is so."""
        where = at.names.connect_restart
        if where not in ("", REST):
            namespace, _, name = where.partition("/")
            rollout = at.cluster.deployment(namespace, name)
            if not rollout.rolled_out:
                why = f"{rollout.ready} of {rollout.replicas} pods of {name} ready"
                return _kept(at, rollout, why)
        try:
            status = at.connect.status(self.connector)
            topics = at.connect.topics(self.connector)
        except SystemsError as error:
            if error.status is not None and error.status not in STARTING:
                raise
            return f"Kafka Connect is still starting ({error.status or 'no answer'})", False
        failed = _failed(status)
        if failed:
            return f"the connector {self.connector} has failed: {failed}", True
        if not status.running:
            return (
                f"the connector {self.connector} is {status.state}, its tasks {', '.join(status.tasks) or 'none'}",
                False,
            )
        return self._of_list(topics)

    def _of_list(self, topics: tuple[str, ...]) -> tuple[str, bool]:
        if self.topic in topics:
            return "", False
        said = f"the connector {self.connector} runs, and {self.topic} is not among its topics"
        return f"{said}: is the new list deployed?", False


class AwaitUntracked(AwaitTracked):
    """The same for a topic that has gone from its list."""

    op: ClassVar[str] = "connect.topic.await-untracked/1"

    def title(self) -> str:
        return f"Wait until the connector {self.connector} runs without the topic {self.topic}"

    def _done(self) -> str:
        return f"The connector {self.connector} runs and does not read the topic {self.topic}."

    def _of_list(self, topics: tuple[str, ...]) -> tuple[str, bool]:
        if self.topic not in topics:
            return "", False
        said = f"the connector {self.connector} runs, and {self.topic} is still among its topics"
        return f"{said}: is the new list deployed?", False


def unfit_to_read(at: Site, topic: str) -> str | None:
    """Why the connector may not read the topic yet (facts/systems.md §4.2, §4.3); None if it may."""
    if not at.names.creates_topics and topic not in at.kafka.topics():
        return f"there is no Kafka topic {topic}: the connector would look for it in vain"
    if at.tinybird.datasource(topic) is None:
        return f"there is no data source {topic}: what comes for it would be refused, or make one with a guessed schema"
    if not may_append(at, topic):
        return f"the token {at.names.connect_token} may not append to {topic}: its rows would be refused and lost"
    return None


def _failed(status: ConnectorStatus) -> str:
    """The first failed task with its number and the first line of its trace, or the connector itself."""
    task = next((task for task in status.told if task.state == "FAILED"), None)
    if task:
        return f"task {task.id} is FAILED: {task.trouble or 'see its log'}"
    return status.trouble or "see its log" if status.state == "FAILED" else ""


def _kept(at: Site, rollout: DeploymentInfo, why: str) -> tuple[str, bool]:
    """What keeps its pods from serving, in their own words, once Kubernetes has given up."""
    if not rollout.trouble:
        return why, False
    pods = at.cluster.pods(rollout.namespace, rollout.selector)
    stuck = next((f"{pod.name} is in {pod.trouble}" for pod in pods if pod.trouble), "")
    return f"{why}: {stuck or rollout.trouble}", True
