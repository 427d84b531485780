"""Kubernetes answers and scales as facts/systems.md §5 has it."""

import json

import httpx
import pytest

from tests.support.sandbox import Json, Sandbox

pytestmark = pytest.mark.integration

HERE = "/apis/apps/v1/namespaces/crowd/deployments"
NORMAL = "data-sink-worker-normal-dpl"
MERGE = {"Content-Type": "application/merge-patch+json"}


def _patch(sandbox: Sandbox, name: str, patch: Json, *, headers: dict[str, str] | None = None) -> httpx.Response:
    return sandbox.kubernetes.patch(
        f"{HERE}/{name}/scale", content=json.dumps(patch), headers={**MERGE, **(headers or {})}
    )


def _as_tbops(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {sandbox.ready['kubernetes']['scaler_token']}"}


def test_a_stop_ends_the_pods_and_they_are_listed_until_they_are_gone(sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__pod_end_s=1_000.0)
    before = sandbox.pods(NORMAL)
    answer = _patch(sandbox, NORMAL, {"spec": {"replicas": 0}})
    assert answer.status_code == 200
    assert "replicas" not in answer.json()["spec"], "a zero is left out"
    assert answer.json()["status"]["replicas"] == 0, "pods that are ending are not counted"
    assert sandbox.pods(NORMAL) == before
    sandbox.clock.advance(1_000)
    assert sandbox.pods(NORMAL) == []


def test_a_start_makes_pods_that_are_ready_after_a_while(sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__pod_start_s=1_000.0)
    sandbox.scale(NORMAL, 3)
    status = sandbox.kubernetes.get(f"{HERE}/{NORMAL}").json()["status"]
    assert (status["replicas"], status["readyReplicas"], status["unavailableReplicas"]) == (3, 2, 1)
    sandbox.clock.advance(1_000)
    status = sandbox.kubernetes.get(f"{HERE}/{NORMAL}").json()["status"]
    assert (status["readyReplicas"], status["observedGeneration"]) == (3, 2)
    assert "unavailableReplicas" not in status


def test_pods_that_fail_miss_the_deadline_of_progress(sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__pods_fail=True)
    sandbox.scale(NORMAL, 3)
    sandbox.clock.advance(601)
    conditions = sandbox.kubernetes.get(f"{HERE}/{NORMAL}").json()["status"]["conditions"]
    assert [c["reason"] for c in conditions if c["type"] == "Progressing"] == ["ProgressDeadlineExceeded"]


def test_what_was_written_meanwhile_is_a_conflict(sandbox: Sandbox) -> None:
    seen = sandbox.kubernetes.get(f"{HERE}/{NORMAL}/scale").json()["metadata"]["resourceVersion"]
    sandbox.scale(NORMAL, 3)
    answer = _patch(sandbox, NORMAL, {"metadata": {"resourceVersion": seen}, "spec": {"replicas": 0}})
    assert (answer.status_code, answer.json()["reason"], answer.json()["kind"]) == (409, "Conflict", "Status")
    assert sandbox.replicas(NORMAL) == 3


def test_rights_are_those_of_the_service_account(sandbox: Sandbox) -> None:
    mine = _as_tbops(sandbox)
    assert _patch(sandbox, "api-dpl", {"spec": {"replicas": 0}}, headers=mine).status_code == 403
    assert _patch(sandbox, "not-there", {"spec": {"replicas": 0}}, headers=mine).status_code == 403, "not even that"
    assert sandbox.kubernetes.get(HERE, headers=mine).status_code == 403
    refused = sandbox.kubernetes.patch(f"{HERE}/{NORMAL}", content="{}", headers={**mine, **MERGE})
    assert 'cannot patch resource "deployments" in API group "apps"' in refused.json()["message"]
    assert _patch(sandbox, NORMAL, {"spec": {"replicas": 1}}, headers=mine).status_code == 200
    stranger = sandbox.kubernetes.get(f"{HERE}/{NORMAL}", headers={"Authorization": "Bearer nobody"})
    assert (stranger.status_code, stranger.json()["reason"]) == (401, "Unauthorized")


def test_only_the_deployment_of_kafka_connect_may_be_restarted_and_it_may_not_be_scaled(sandbox: Sandbox) -> None:
    mine = {**_as_tbops(sandbox), **MERGE}
    patch = json.dumps({"metadata": {"annotations": {"seen": "yes"}}})

    def status(name: str, path: str = "") -> int:
        return sandbox.kubernetes.patch(f"{HERE}/{name}{path}", content=patch, headers=mine).status_code

    assert [status("kafka-connect-dpl"), status("kafka-connect-dpl", "/scale")] == [200, 403]
    assert [status(NORMAL), status("api-dpl")] == [403, 403]
    assert sandbox.kubernetes.get(f"{HERE}/kafka-connect-dpl", headers=mine).status_code == 200


def test_what_is_wrong_is_refused_in_its_words(sandbox: Sandbox) -> None:
    missing = sandbox.kubernetes.get(f"{HERE}/not-there")
    assert (missing.status_code, missing.json()["message"]) == (404, 'deployments.apps "not-there" not found')
    assert _patch(sandbox, NORMAL, {"spec": {"replicas": -1}}).status_code == 422
    assert _patch(sandbox, NORMAL, {"spec": {"replicas": "two"}}).status_code == 400
    plain = sandbox.kubernetes.patch(f"{HERE}/{NORMAL}/scale", json={"spec": {"replicas": 0}})
    assert plain.status_code == 415, "a patch names its kind"
    assert sandbox.replicas(NORMAL) == 2


def test_a_watch_tells_of_each_change(sandbox: Sandbox) -> None:
    version = sandbox.kubernetes.get(HERE).json()["metadata"]["resourceVersion"]
    asked = {
        "watch": "true",
        "resourceVersion": version,
        "timeoutSeconds": "60",
        "fieldSelector": f"metadata.name={NORMAL}",
    }
    told: list[tuple[str, int]] = []
    with sandbox.kubernetes.stream("GET", HERE, params=asked) as watching:
        lines = watching.iter_lines()

        def until(replicas: int) -> None:
            while not told or told[-1][1] != replicas:
                changed = json.loads(next(lines))["object"]
                told.append((changed["metadata"]["name"], changed["spec"]["replicas"]))

        sandbox.scale(NORMAL, 0)
        until(0)
        sandbox.scale("api-dpl", 0)
        sandbox.scale(NORMAL, 1)
        until(1)
    assert {name for name, _ in told} == {NORMAL}


def test_a_watch_that_names_no_version_begins_with_what_is_there(sandbox: Sandbox) -> None:
    asked = {"watch": "true", "timeoutSeconds": "1"}
    lines = [json.loads(line) for line in sandbox.kubernetes.get(HERE, params=asked).text.splitlines()]
    there = sandbox.kubernetes.get(HERE).json()["items"]
    assert [(line["type"], line["object"]["metadata"]["name"]) for line in lines] == [
        ("ADDED", item["metadata"]["name"]) for item in there
    ]


def test_an_operator_may_undo_a_stop(sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__scaled_back_after_s=60.0)
    sandbox.scale(NORMAL, 0)
    sandbox.clock.advance(60)
    assert sandbox.replicas(NORMAL) == 2


def test_writers_write_as_long_as_one_of_their_pods_is_there(sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__writes_per_s=100.0, kubernetes__pod_end_s=1_000.0)
    written = "SELECT toInt32(count()) AS n FROM activities WHERE title LIKE 'written while it ran%'"
    sandbox.until(lambda: sandbox.tb(written)[0]["n"] > 0, what="rows of the writers")
    for name in sandbox.ready["kubernetes"]["writers"]:
        sandbox.scale(name, 0)
    ending = len(sandbox.messages("activities"))
    sandbox.until(lambda: len(sandbox.messages("activities")) > ending, what="a pod that is ending writes on")
    sandbox.clock.advance(1_000)
    assert [sandbox.pods(name) for name in sandbox.ready["kubernetes"]["writers"]] == [[], [], []]
    last = len(sandbox.messages("activities"))
    sandbox.until(lambda: sandbox.tb(written)[0]["n"] == last, what="all of them in Tinybird")
    assert len(sandbox.messages("activities")) == last
