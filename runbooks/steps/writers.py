"""The pods that write rows which Postgres does not have: stopped for a switch, started again as they were.

Writers come back on every way out, whatever became of the table: what they write waits in Kafka, and it is the
connector that must not deliver it to a table that is not there (facts/procedures.md §4, rename).
"""

from datetime import datetime
from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.words import counted

LOOK_AGAIN_S = 1.0  # at first: what lasts is looked at less often
SELDOM_S = 15.0
ENDING_S = 900.0  # pods have 30 s by default to end, and an estate may give them minutes
READY_S = 600.0  # as long as Kubernetes itself waits for progress (facts/systems.md §5)
_NAMED = 3  # pods in a sentence


class StopWriter(Step):
    """Want no pod of a deployment. An autoscaler leaves one alone that has none, other operators may not: the hold
    looks at it again and again. ``replicas`` is what it has as planned; what it has now is what is put back."""

    op: ClassVar[str] = "kubernetes.deployment.stop/1"
    settle_s: ClassVar[float] = 2.0

    namespace: str
    deployment: str
    replicas: int

    def title(self) -> str:
        return f"Stop the writer {self.deployment} ({counted(self.replicas, 'pod')})"

    def reads(self) -> tuple[str, ...]:
        return (_key(self.namespace, self.deployment),)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def locks(self) -> tuple[str, ...]:
        return (f"deployment/{self.namespace}/{self.deployment}",)

    def remember(self, at: Site) -> Step | None:
        now = at.cluster.scale(self.namespace, self.deployment).replicas
        return RestoreWriter(namespace=self.namespace, deployment=self.deployment, replicas=now) if now else None

    def look(self, at: Site) -> Seen:
        now = at.cluster.scale(self.namespace, self.deployment).replicas
        if now:
            return Todo(memo={"replicas": at.memo.get("replicas", now)})
        had = int(at.memo.get("replicas", 0))
        said = f"{self.deployment} is stopped; it had {counted(had, 'pod')}." if had else f"{self.deployment} was off."
        return Done(said, {_stopped(self.namespace, self.deployment): had})

    def act(self, at: Site) -> None:
        _scale(at, self.namespace, self.deployment, 0)


class AwaitWriterGone(Step):
    """Wait until no pod of a stopped deployment is left: one that is ending counts as none, and still writes."""

    op: ClassVar[str] = "kubernetes.deployment.await-gone/1"
    gated: ClassVar[bool] = False

    namespace: str
    deployment: str

    def title(self) -> str:
        return f"Wait until every pod of {self.deployment} is gone"

    def look(self, at: Site) -> Seen:
        scale = at.cluster.scale(self.namespace, self.deployment)
        if scale.replicas:
            return Astray(f"somebody wants {counted(scale.replicas, 'pod')} of {self.deployment} again")
        if not scale.selector:
            return Astray(f"Kubernetes does not say which pods belong to {self.deployment}")
        pods = at.cluster.pods(self.namespace, scale.selector)
        if not pods:
            return Done(f"No pod of {self.deployment} is left.")
        since = str(at.memo.get("since", at.now.isoformat()))
        lasted = _lasted(at, since)
        if lasted > ENDING_S:
            names = ", ".join(pod.name for pod in pods[:_NAMED])
            still = counted(len(pods), f"pod of {self.deployment}")
            return Astray(f"{still} still there after {ENDING_S / 60:.0f} min: {names}", memo={})
        return Wait(_soon(lasted), f"{counted(len(pods), 'pod')} still ending", memo={"since": since})


class StartWriter(Step):
    """Want as many pods again as were recorded when it was stopped. More is left alone: an autoscaler is at work."""

    op: ClassVar[str] = "kubernetes.deployment.start/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 2.0

    namespace: str
    deployment: str
    replicas: int

    def title(self) -> str:
        return f"Start the writer {self.deployment} again ({counted(self.replicas, 'pod')})"

    def writes(self) -> tuple[str, ...]:
        return (_key(self.namespace, self.deployment),)

    def locks(self) -> tuple[str, ...]:
        return (f"deployment/{self.namespace}/{self.deployment}",)

    def look(self, at: Site) -> Seen:
        now = at.cluster.scale(self.namespace, self.deployment).replicas
        return _running(self.deployment, now) if now >= self._recorded(at) else Todo()

    def act(self, at: Site) -> None:
        _scale(at, self.namespace, self.deployment, self._recorded(at))

    def _recorded(self, at: Site) -> int:
        """People may have accepted another count than the planned one."""
        return int(at.found.get(_stopped(self.namespace, self.deployment), self.replicas))


class AwaitWriterReady(Step):
    """Wait until the pods of a started deployment serve, or say what keeps them."""

    op: ClassVar[str] = "kubernetes.deployment.await-ready/1"
    gated: ClassVar[bool] = False

    namespace: str
    deployment: str

    def title(self) -> str:
        return f"Wait until the writer {self.deployment} is ready"

    def look(self, at: Site) -> Seen:
        return _ready(at, self.namespace, self.deployment)


class RestoreWriter(Step):
    """Start a stopped writer on a way out. What it is found with may be a plan's own start: its pods are awaited
    only if they were asked for here."""

    op: ClassVar[str] = "kubernetes.deployment.restore/1"
    settle_s: ClassVar[float] = 2.0

    namespace: str
    deployment: str
    replicas: int

    @property
    def where(self) -> str:
        return f"{self.namespace}/{self.deployment}"

    def title(self) -> str:
        return f"Start the writer {self.deployment} again ({counted(self.replicas, 'pod')})"

    def writes(self) -> tuple[str, ...]:
        return (_key(self.namespace, self.deployment),)

    def locks(self) -> tuple[str, ...]:
        return (f"deployment/{self.namespace}/{self.deployment}",)

    def undone(self, at: Site) -> bool:
        """One pod is enough to write."""
        return at.cluster.scale(self.namespace, self.deployment).replicas > 0

    def look(self, at: Site) -> Seen:
        now = at.cluster.scale(self.namespace, self.deployment).replicas
        if now < self.replicas:
            return Todo(memo={"since": at.memo.get("since", at.now.isoformat())})
        return _ready(at, self.namespace, self.deployment) if "since" in at.memo else _running(self.deployment, now)

    def act(self, at: Site) -> None:
        _scale(at, self.namespace, self.deployment, self.replicas)


def _key(namespace: str, deployment: str) -> str:
    return f"kubernetes/deployment/{namespace}/{deployment}/replicas"


def _stopped(namespace: str, deployment: str) -> str:
    """Under which name the pods that it had enter the run's record."""
    return f"stopped/{namespace}/{deployment}"


def _scale(at: Site, namespace: str, deployment: str, replicas: int) -> None:
    """What somebody wrote between looking and this is not overwritten unseen: the answer is then 409."""
    at.cluster.set_replicas(namespace, deployment, replicas, seen=at.cluster.scale(namespace, deployment))


def _running(deployment: str, replicas: int) -> Done:
    return Done(f"{counted(replicas, 'pod')} of {deployment} wanted again.")


def _ready(at: Site, namespace: str, deployment: str) -> Seen:
    found = at.cluster.deployment(namespace, deployment)
    if found.rolled_out:
        return Done(f"{deployment} runs with {counted(found.ready, 'pod')}.")
    standing = f"{found.ready} of {found.replicas} pods of {deployment} ready"
    since = str(at.memo.get("since", at.now.isoformat()))
    lasted = _lasted(at, since)
    if found.trouble or lasted > READY_S:
        after = found.trouble or f"after {READY_S / 60:.0f} min"
        return Astray(f"{standing}: {_kept(at, namespace, deployment) or after}", memo={})
    return Wait(_soon(lasted), standing, memo={"since": since})


def _kept(at: Site, namespace: str, deployment: str) -> str:
    """What keeps its pods from serving, in their own words."""
    pods = at.cluster.pods(namespace, at.cluster.scale(namespace, deployment).selector)
    return ", ".join(f"{pod.name} is in {pod.trouble}" for pod in pods[:_NAMED] if pod.trouble)


def _lasted(at: Site, since: str) -> float:
    """Seconds of the calendar."""
    return (at.now - datetime.fromisoformat(since)).total_seconds()


def _soon(lasted: float) -> float:
    """When to look again at what has lasted so long."""
    return min(max(LOOK_AGAIN_S, lasted / 10), SELDOM_S)
