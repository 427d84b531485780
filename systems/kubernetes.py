"""Kubernetes: deployments that are stopped for a switch and started again, or restarted (facts/systems.md §5).

Writers are changed by their ``scale`` only. A restart patches the deployment itself, by a right that can change
images too: it is to be given for the one deployment that is restarted.
"""

from collections.abc import Callable
from typing import Any

from systems.http import Http, Manner, Wire, segment
from systems.kubernetes_model import DeploymentInfo, PodInfo, ScaleInfo
from systems.permit import Permit
from systems.shapes import Shape

SYSTEM = "kubernetes"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
RESTARTED = "kubectl.kubernetes.io/restartedAt"  # kubectl's own, so that it is one restart for everybody
# Somebody wrote between looking and patching: only a new look knows what to do now.
_CONFLICT = frozenset({409})


class Kubernetes:
    """One cluster. ``token`` is a service account's; a function is called for each request, because the token that
    a pod is given rotates every hour. ``ca_file`` holds the cluster's own certificate authority."""

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str],
        permit: Permit,
        *,
        ca_file: str | None = None,
        wire: Wire | None = None,
    ) -> None:
        self._http = Http(SYSTEM, url, token, permit, manner=Manner(later=_CONFLICT), wire=wire, ca_file=ca_file)

    def permitted(self, permit: Permit) -> "Kubernetes":
        other = object.__new__(Kubernetes)
        other._http = self._http.permitted(permit)
        return other

    def close(self) -> None:
        self._http.close()

    def deployment(self, namespace: str, name: str) -> DeploymentInfo:
        """Raises ``SystemsError``: 404 where there is none, 403 without the right to ask."""
        path = _deployment(namespace, name)
        shape = Shape(SYSTEM, f"GET {path}", self._http.get(path))
        meta, spec, status = shape.inside("metadata"), shape.inside("spec"), shape.inside("status")
        wanted = _wanted(spec, missing=1)
        counts = [status.number(key) or 0 for key in ("updatedReplicas", "replicas", "availableReplicas")]
        observed = (status.number("observedGeneration") or 0) >= (meta.number("generation") or 0)
        return DeploymentInfo(
            namespace=namespace,
            name=name,
            replicas=wanted,
            ready=status.number("readyReplicas") or 0,
            rolled_out=observed and counts == [wanted] * 3,
            trouble=_trouble(status) if observed else "",  # else it tells of an earlier rollout
            selector=_selector(spec),
            restarted=spec.inside("template").inside("metadata").inside("annotations").text(RESTARTED),
        )

    def restart(self, namespace: str, name: str, stamp: str) -> None:
        """Have every pod made anew. ``stamp`` is what ``DeploymentInfo.restarted`` says from then on; the one that
        it says already is no change and no rollout."""
        patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: stamp}}}}}
        self._http.change("PATCH", _deployment(namespace, name), body=patch, media=STRATEGIC)

    def scale(self, namespace: str, name: str) -> ScaleInfo:
        path = f"{_deployment(namespace, name)}/scale"
        shape = Shape(SYSTEM, f"GET {path}", self._http.get(path))
        return ScaleInfo(
            replicas=_wanted(shape.inside("spec"), missing=0),  # some encodings leave a zero out
            selector=shape.inside("status").text("selector"),
            version=shape.inside("metadata").text("resourceVersion"),
        )

    def set_replicas(self, namespace: str, name: str, replicas: int, *, seen: ScaleInfo) -> None:
        """Want so many pods. Refused with 409 if the deployment was written since ``seen``."""
        patch = {"metadata": {"resourceVersion": seen.version}, "spec": {"replicas": replicas}}
        self._http.change("PATCH", f"{_deployment(namespace, name)}/scale", body=patch, media=MERGE)

    def pods(self, namespace: str, selector: str) -> tuple[PodInfo, ...]:
        """The pods of a scale's ``selector``, those that are ending included. An empty one would mean every pod."""
        if not selector:
            return ()
        path = f"/api/v1/namespaces/{segment(namespace)}/pods"
        shape = Shape(SYSTEM, f"GET {path}", self._http.get(path, {"labelSelector": selector}))
        return tuple(_pod(item) for item in shape.each("items"))

    def may(self, verb: str, namespace: str, name: str, *, subresource: str = "scale") -> bool:
        """Whether the token may ``verb`` (get, patch) the scale of a deployment, or with an empty ``subresource`` the
        deployment itself. Asking changes nothing."""
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        what = {"group": "apps", "resource": "deployments", "subresource": subresource}
        attributes = {**what, "verb": verb, "namespace": namespace, "name": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        shape = Shape(SYSTEM, f"POST {path}", self._http.inquire(path, review))
        return bool(shape.inside("status").get("allowed"))


def _deployment(namespace: str, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{segment(namespace)}/deployments/{segment(name)}"


def _wanted(spec: Shape, *, missing: int) -> int:
    count = spec.number("replicas")
    return missing if count is None else count


def _selector(spec: Shape) -> str:
    """As a question for pods takes it; one that is more than labels is not told."""
    chosen = spec.inside("selector")
    labels: Any = chosen.get("matchLabels") or {}
    return "" if chosen.get("matchExpressions") else ",".join(f"{key}={value}" for key, value in labels.items())


def _trouble(status: Shape) -> str:
    """Of a rollout that Kubernetes has given up on, or of pods that it could not make."""
    for condition in status.each("conditions"):
        kind, state, reason = condition.text("type"), condition.text("status"), condition.text("reason")
        if (kind, state) in (("Progressing", "False"), ("ReplicaFailure", "True")):
            return f"{reason}: {condition.text('message')}"[:200]
    return ""


def _pod(item: Shape) -> PodInfo:
    meta, status = item.inside("metadata"), item.inside("status")
    ready = any(c.text("type") == "Ready" and c.text("status") == "True" for c in status.each("conditions"))
    waiting = (_waiting(container) for container in status.each("containerStatuses"))
    return PodInfo(
        name=meta.text("name"),
        phase=status.text("phase", "Unknown"),
        ready=ready,
        ending=meta.has("deletionTimestamp"),
        trouble=next((reason for reason in waiting if reason), ""),
    )


def _waiting(container: Shape) -> str:
    reason: Any = container.inside("state").inside("waiting").text("reason")
    return "" if reason in ("ContainerCreating", "PodInitializing") else str(reason)
