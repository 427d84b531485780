"""What a cluster answers, and what the client makes of it (facts/systems.md §5)."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from systems.errors import NotPermitted, SystemsError
from systems.http import Wire
from systems.kubernetes import Kubernetes
from systems.kubernetes_model import ScaleInfo
from systems.permit import read_only

SEEN = ScaleInfo(replicas=2, selector="app=dsw", version="101")


def allowed(system: str, call: str) -> None:
    """Everything may be sent."""


class Cluster:
    """Answers one thing to everything, and keeps what it was asked."""

    def __init__(self, status: int, body: Any) -> None:
        self._answer = (status, body)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self._answer[0], json=self._answer[1])

    @property
    def client(self) -> Kubernetes:
        return Kubernetes("http://cluster.example", "planted-secret", allowed, wire=self.wire)

    @property
    def wire(self) -> Wire:
        return Wire(transport=httpx.MockTransport(self), sleep=lambda _: None)


def _deployment(status: dict[str, Any], *, replicas: int = 2, generation: int = 5) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "spec": {"replicas": replicas}, "status": status}


def _refusal(code: int, reason: str, message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}


def test_only_the_scale_is_patched_and_only_as_it_was_seen() -> None:
    cluster = Cluster(200, {})
    cluster.client.set_replicas("crowd", "dsw-dpl", 0, seen=SEEN)
    asked = cluster.asked[0]
    assert (asked.method, asked.url.path) == ("PATCH", "/apis/apps/v1/namespaces/crowd/deployments/dsw-dpl/scale")
    assert asked.headers["Content-Type"] == "application/merge-patch+json"
    assert json.loads(asked.content) == {"metadata": {"resourceVersion": "101"}, "spec": {"replicas": 0}}


def test_nothing_is_scaled_without_a_permit() -> None:
    cluster = Cluster(200, {})
    with pytest.raises(NotPermitted):
        cluster.client.permitted(read_only).set_replicas("crowd", "dsw-dpl", 0, seen=SEEN)
    assert cluster.asked == []


def test_a_scale_without_a_count_wants_none() -> None:
    body = {"metadata": {"resourceVersion": "7"}, "spec": {}, "status": {"selector": "app=dsw"}}
    assert Cluster(200, body).client.scale("crowd", "dsw-dpl") == ScaleInfo(0, "app=dsw", "7")


def test_a_rollout_is_done_when_every_pod_is_new_and_available_and_the_controller_has_seen_it() -> None:
    whole = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2, "observedGeneration": 5}

    def rolled_out(**less: int) -> bool:
        return Cluster(200, _deployment({**whole, **less})).client.deployment("crowd", "dsw-dpl").rolled_out

    assert rolled_out()
    assert not rolled_out(availableReplicas=1)
    assert not rolled_out(updatedReplicas=1)
    assert not rolled_out(replicas=3)
    assert not rolled_out(observedGeneration=4)


def test_a_rollout_that_was_given_up_says_why_unless_it_is_an_earlier_one() -> None:
    given_up = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}

    def trouble(observed: int) -> str:
        body = _deployment({"observedGeneration": observed, "conditions": [given_up]})
        return Cluster(200, body).client.deployment("crowd", "dsw-dpl").trouble

    assert trouble(5) == "ProgressDeadlineExceeded: timed out"
    assert trouble(4) == ""


def test_pods_that_are_ending_are_listed() -> None:
    ending = {"metadata": {"name": "a", "deletionTimestamp": "2026-11-22T12:00:00Z"}, "status": {"phase": "Running"}}
    stuck = {"waiting": {"reason": "ImagePullBackOff"}}
    waiting = {"metadata": {"name": "b"}, "status": {"phase": "Pending", "containerStatuses": [{"state": stuck}]}}
    cluster = Cluster(200, {"items": [ending, waiting]})
    pods = cluster.client.pods("crowd", "app=dsw,tier in (a,b)")
    assert [(pod.name, pod.ending, pod.trouble) for pod in pods] == [("a", True, ""), ("b", False, "ImagePullBackOff")]
    assert dict(cluster.asked[0].url.params) == {"labelSelector": "app=dsw,tier in (a,b)"}


def test_no_selector_is_never_asked_for_every_pod() -> None:
    cluster = Cluster(200, {"items": [{"metadata": {"name": "a"}}]})
    assert cluster.client.pods("crowd", "") == ()
    assert cluster.asked == []


@pytest.mark.parametrize(("code", "reason", "later"), [(409, "Conflict", True), (403, "Forbidden", False)])
def test_a_refusal_is_told_in_the_clusters_words(code: int, reason: str, later: bool) -> None:
    cluster = Cluster(code, _refusal(code, reason, "not so, planted-secret"))
    with pytest.raises(SystemsError) as refused:
        cluster.client.set_replicas("crowd", "dsw-dpl", 0, seen=SEEN)
    assert (refused.value.status, refused.value.retryable, len(cluster.asked)) == (code, later, 1)
    assert refused.value.said == "not so, ***"


def test_a_token_that_rotates_is_read_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    cluster = Cluster(200, {"spec": {}})
    client = Kubernetes("http://cluster.example", file.read_text, allowed, wire=cluster.wire)
    for token in ("first", "second"):
        file.write_text(token)
        client.scale("crowd", "dsw-dpl")
    assert [asked.headers["Authorization"] for asked in cluster.asked] == ["Bearer first", "Bearer second"]
    file.unlink()
    with pytest.raises(SystemsError, match="nothing was sent, as the token cannot be read"):
        client.scale("crowd", "dsw-dpl")


def test_a_right_is_asked_for_without_a_permit() -> None:
    cluster = Cluster(201, {"status": {"allowed": True}})
    assert cluster.client.permitted(read_only).may("patch", "crowd", "dsw-dpl")
    attributes = json.loads(cluster.asked[0].content)["spec"]["resourceAttributes"]
    assert (attributes["verb"], attributes["resource"], attributes["subresource"]) == ("patch", "deployments", "scale")


def test_a_restart_is_one_annotation_of_the_pods_and_is_read_back() -> None:
    cluster = Cluster(200, {})
    cluster.client.restart("crowd", "kafka-connect-dpl", "2026-11-22T15:40:25Z/run-7")
    asked = cluster.asked[0]
    assert (asked.method, asked.url.path) == ("PATCH", "/apis/apps/v1/namespaces/crowd/deployments/kafka-connect-dpl")
    assert asked.headers["Content-Type"] == "application/strategic-merge-patch+json"
    patch = json.loads(asked.content)
    assert patch["spec"]["template"]["metadata"]["annotations"] == {
        "kubectl.kubernetes.io/restartedAt": "2026-11-22T15:40:25Z/run-7"
    }
    shown = {**_deployment({}), **patch}
    assert Cluster(200, shown).client.deployment("crowd", "x").restarted == "2026-11-22T15:40:25Z/run-7"
    assert Cluster(200, _deployment({})).client.deployment("crowd", "x").restarted == ""


def test_nothing_is_restarted_without_a_permit() -> None:
    cluster = Cluster(200, {})
    with pytest.raises(NotPermitted):
        cluster.client.permitted(read_only).restart("crowd", "kafka-connect-dpl", "now")
    assert cluster.asked == []


def test_pods_are_found_by_the_deployments_own_labels_and_by_nothing_else() -> None:
    def selector(chosen: dict[str, Any]) -> str:
        body = {"metadata": {}, "spec": {"selector": chosen}, "status": {}}
        return Cluster(200, body).client.deployment("crowd", "x").selector

    assert selector({"matchLabels": {"app": "x", "tier": "y"}}) == "app=x,tier=y"
    assert selector({"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "z"}]}) == ""
