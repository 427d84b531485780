"""Deployments, scales, pods and errors as the API shows them (facts/systems.md §5)."""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.kubernetes.model import Deployment, Pod

Json = dict[str, Any]
DEADLINE_S = 600  # progressDeadlineSeconds, Kubernetes' default
GRACE_S = 30  # terminationGracePeriodSeconds, the same
_ROLLING: Json = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}


def deployment(of: Deployment, now: float) -> Json:
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {
            **_named(of),
            "generation": of.generation,
            "labels": of.labels,
            "annotations": {"deployment.kubernetes.io/revision": str(of.revision), **of.annotations},
        },
        "spec": {
            "replicas": of.replicas,
            "selector": {"matchLabels": of.labels},
            "template": of.template,
            "strategy": _ROLLING if of.at_once else {"type": "Recreate"},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": DEADLINE_S,
        },
        "status": status(of, now),
    }


def status(of: Deployment, now: float) -> Json:
    """Pods that are ending count nowhere; what is zero is left out."""
    alive = [pod for pod in of.pods if pod.gone_at is None]
    ready = sum(pod.ready(now) for pod in alive)
    updated = sum(pod.revision == of.revision for pod in alive)
    complete = ready == updated == of.replicas == len(alive)
    late = not complete and now - of.progress_at > DEADLINE_S
    counts = {
        "replicas": len(alive),
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(of.replicas - ready, 0),
    }
    return {
        "observedGeneration": of.generation,
        **{name: count for name, count in counts.items() if count},
        "conditions": [_available(of, ready), _progressing(of, complete=complete, late=late)],
    }


def _available(of: Deployment, ready: int) -> Json:
    enough = ready >= of.replicas - of.replicas // 4
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    said = "Deployment has minimum availability." if enough else "Deployment does not have minimum availability."
    return {"type": "Available", "status": "True" if enough else "False", "reason": reason, "message": said}


def _progressing(of: Deployment, *, complete: bool, late: bool) -> Json:
    replica_set = f'ReplicaSet "{of.name}-{of.revision:04x}"'
    if late:
        reason, said = "ProgressDeadlineExceeded", f"{replica_set} has timed out progressing."
    elif complete:
        reason, said = "NewReplicaSetAvailable", f"{replica_set} has successfully progressed."
    else:
        reason, said = "ReplicaSetUpdated", f"{replica_set} is progressing."
    return {"type": "Progressing", "status": "False" if late else "True", "reason": reason, "message": said}


def scale(of: Deployment) -> Json:
    """A zero in ``spec`` is left out, as the real one's encoding does."""
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": _named(of),
        "spec": {"replicas": of.replicas} if of.replicas else {},
        "status": {
            "replicas": sum(pod.gone_at is None for pod in of.pods),
            "selector": ",".join(f"{key}={value}" for key, value in of.labels.items()),
        },
    }


def pod(of: Deployment, made: Pod, now: float, version: str) -> Json:
    ready = made.ready(now)
    ending = {"deletionTimestamp": instant(made.gone_at), "deletionGracePeriodSeconds": GRACE_S}
    waiting = {"reason": "ContainerCreating"}
    if made.crashed:
        waiting = {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}
    elif made.ready_at is None:
        waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    state = {"running": {"startedAt": instant(made.created)}} if ready else {"waiting": waiting}
    container = of.template["spec"]["containers"][0]
    image = container["image"]
    told = {"name": container["name"], "image": image, "imageID": f"sandbox/{image}", "ready": ready, "started": ready,
            "restartCount": 0, "state": state, "lastState": {}}  # fmt: skip
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": made.name,
            "namespace": of.namespace,
            "uid": str(uuid5(NAMESPACE_URL, made.name)),
            "resourceVersion": version,
            "creationTimestamp": instant(made.created),
            "labels": of.labels,
            **(ending if made.gone_at is not None else {}),
        },
        "spec": {"containers": of.template["spec"]["containers"], "terminationGracePeriodSeconds": GRACE_S},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [told],
        },
    }


def listed(kind: str, api: str, items: list[Json], version: int) -> Json:
    """Objects in a list leave out their kind."""
    bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items]
    return {"kind": f"{kind}List", "apiVersion": api, "metadata": {"resourceVersion": str(version)}, "items": bare}


def failure(code: int, reason: str, message: str, details: Json | None = None) -> Json:
    """``details`` name the object: without them kubectl says only that something was not found."""
    said = {"status": "Failure", "message": message, "reason": reason, "details": details or {}, "code": code}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, **said}


def instant(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds or 0.0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _named(of: Deployment) -> Json:
    return {
        "name": of.name,
        "namespace": of.namespace,
        "uid": str(uuid5(NAMESPACE_URL, f"{of.namespace}/{of.name}")),
        "resourceVersion": str(of.version),
        "creationTimestamp": instant(of.created),
    }
