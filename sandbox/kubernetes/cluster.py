"""The cluster: deployments whose pods come and go with time, and what was written about them, in order.

Nothing runs in the background: whoever asks first brings the cluster up to the platform's present time. All of it
belongs to the event loop's thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes import objects
from sandbox.kubernetes.model import Deployment, Pod
from sandbox.standin import World

KEPT = 2_000  # events
FIRST_VERSION = 1000


class ClusterError(Exception):
    """A refusal, as Kubernetes says it: ``reason`` is NotFound, Conflict, Forbidden, …"""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Event:
    """What a watch tells: ADDED, MODIFIED or DELETED, and the object as it was then."""

    version: int
    resource: str  # deployments | pods
    kind: str
    object: dict[str, Any]


@dataclass
class Cluster:
    world: World
    deployments: dict[tuple[str, str], Deployment] = field(default_factory=dict[tuple[str, str], Deployment])
    events: list[Event] = field(default_factory=list[Event])
    version: int = FIRST_VERSION
    born: int = 0  # pods so far: their names never come again
    round: int = 0  # counts the resets: a watch of an earlier one ends

    def seed(self, deployments: Iterator[Deployment]) -> None:
        """Begin anew with these, their pods ready since long ago."""
        self.deployments.clear()
        self.events.clear()
        self.version, self.born, self.round = FIRST_VERSION, 0, self.round + 1
        for deployment in deployments:
            self.deployments[deployment.namespace, deployment.name] = deployment
            deployment.pods = [self._pod(deployment, deployment.created, 0.0) for _ in range(deployment.replicas)]
            deployment.version = self._next()
            deployment.shown = objects.status(deployment, self.world.clock.time())

    def get(self, namespace: str, name: str) -> Deployment:
        """As it is now. Raises ``ClusterError`` 404."""
        self.catch_up()
        found = self.deployments.get((namespace, name))
        if found is None:
            raise ClusterError(404, "NotFound", f'deployments.apps "{name}" not found')
        return found

    def catch_up(self) -> None:
        """Do what was due by now."""
        now = self.world.clock.time()
        for deployment in self.deployments.values():
            self._undo(deployment, now)
            self._reconcile(deployment, now)
            self._tell(deployment, now)

    def write(self, deployment: Deployment, *, version: str | None) -> None:
        """Somebody is about to change it. Raises ``ClusterError`` 409 if it is not what they saw."""
        knobs = self.world.knobs
        if knobs["kubernetes.conflicts"] > 0:  # another writer was faster
            knobs["kubernetes.conflicts"] -= 1
            deployment.version = self._next()
        if version not in (None, "", str(deployment.version)):
            said = "the object has been modified; please apply your changes to the latest version and try again"
            about = f'Operation cannot be fulfilled on deployments.apps "{deployment.name}"'
            raise ClusterError(409, "Conflict", f"{about}: {said}")

    def want(self, deployment: Deployment, replicas: int) -> None:
        now = self.world.clock.time()
        if replicas != deployment.replicas:
            deployment.before, deployment.stopped_at = deployment.replicas, now if replicas == 0 else None
            deployment.replicas = replicas
            deployment.generation += 1
            deployment.progress_at = now
        self.catch_up()

    def annotate(self, deployment: Deployment, annotations: dict[str, str]) -> None:
        if any(deployment.annotations.get(key) != value for key, value in annotations.items()):
            deployment.annotations.update(annotations)
            deployment.shown = {}  # tell of it
            self.catch_up()

    def roll_out(self, deployment: Deployment) -> None:
        """Its template was changed: new pods take the place of the old ones."""
        deployment.generation += 1
        deployment.revision += 1
        deployment.progress_at = self.world.clock.time()
        self.catch_up()

    def _undo(self, deployment: Deployment, now: float) -> None:
        """An operator that puts back what people scaled to nothing (Argo CD, Flux, KEDA)."""
        patience = float(self.world.knobs["kubernetes.scaled_back_after_s"])
        if patience and deployment.stopped_at is not None and now >= deployment.stopped_at + patience:
            deployment.replicas, deployment.stopped_at = deployment.before, None
            deployment.generation += 1
            deployment.progress_at = now

    def _reconcile(self, deployment: Deployment, now: float) -> None:
        for pod in [pod for pod in deployment.pods if pod.gone_at is not None and pod.gone_at <= now]:
            deployment.pods.remove(pod)
            self._event("pods", "DELETED", objects.pod(deployment, pod, now, str(self._next())))
        if not deployment.at_once and self._ending_first(deployment, now):
            return
        failing = bool(self.world.knobs["kubernetes.pods_fail"])
        start_s = float(self.world.knobs["kubernetes.pod_start_s"])
        new = [pod for pod in deployment.pods if pod.gone_at is None and pod.revision == deployment.revision]
        crashing = self._crashing(deployment, new, now)
        for pod in new:
            pod.crashed = crashing and not pod.ready(now)
            if pod.crashed:
                pod.ready_at = None
            elif pod.ready_at is None and not failing:
                pod.ready_at = now + start_s
        for _ in range(deployment.replicas - len(new)):
            made = self._pod(deployment, now, None if failing or crashing else start_s)
            made.crashed = crashing
            deployment.pods.append(made)
            new.append(made)
            self._event("pods", "ADDED", objects.pod(deployment, made, now, str(self._next())))
        old = [pod for pod in deployment.pods if pod.gone_at is None and pod.revision != deployment.revision]
        rolled_out = sum(pod.ready(now) for pod in new) >= deployment.replicas
        for pod in [*new[deployment.replicas :], *(old if rolled_out else [])]:
            pod.gone_at = now + float(self.world.knobs["kubernetes.pod_end_s"])
            self._event("pods", "MODIFIED", objects.pod(deployment, pod, now, str(self._next())))

    def _ending_first(self, deployment: Deployment, now: float) -> bool:
        """Whether a pod of an earlier template is still there; each was asked to end."""
        old = [pod for pod in deployment.pods if pod.revision != deployment.revision]
        for pod in [pod for pod in old if pod.gone_at is None]:
            pod.gone_at = now + float(self.world.knobs["kubernetes.pod_end_s"])
            self._event("pods", "MODIFIED", objects.pod(deployment, pod, now, str(self._next())))
        return bool(old)

    def _crashing(self, deployment: Deployment, new: list[Pod], now: float) -> bool:
        """Whether a process that begins now ends at once; asked only where one is to begin."""
        begun = len(new) >= deployment.replicas and all(pod.ready(now) for pod in new)
        return not begun and deployment.unfit is not None and deployment.unfit() is not None

    def _tell(self, deployment: Deployment, now: float) -> None:
        """A status that has changed is a new version of the object."""
        status = objects.status(deployment, now)
        if status != deployment.shown:
            if status.get("readyReplicas") != deployment.shown.get("readyReplicas"):
                deployment.progress_at = now
            deployment.shown = status
            deployment.version = self._next()
            self._event("deployments", "MODIFIED", objects.deployment(deployment, now))

    def _pod(self, deployment: Deployment, now: float, ready_after: float | None) -> Pod:
        self.born += 1
        ready_at = None if ready_after is None else now + ready_after
        suffix = f"{deployment.revision:04x}{hash_of(deployment.name):05x}-{self.born:05x}"
        return Pod(f"{deployment.name}-{suffix}", deployment.revision, now, ready_at)

    def _next(self) -> int:
        self.version += 1
        return self.version

    def _event(self, resource: str, kind: str, value: dict[str, Any]) -> None:
        self.events.append(Event(self.version, resource, kind, value))
        del self.events[:-KEPT]


def hash_of(text: str) -> int:
    """A small number that is the same each time, as the hash of a pod's template."""
    return sum((at + 1) * ord(char) for at, char in enumerate(text)) % 0xFFFFF
