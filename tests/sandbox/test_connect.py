"""Kafka Connect answers and moves rows as facts/systems.md §4 has it."""

import javaproperties
import pytest

from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration

HERE = "/connectors/tinybird-sink"
POD = "kafka-connect-dpl"


def _touch(sandbox: Sandbox, n: int) -> None:
    sandbox.pg("UPDATE collections SET description = %s WHERE slug = 'collection-1'", (f"touch {n}",))


def _described(sandbox: Sandbox) -> str:
    return sandbox.tb("SELECT description FROM collections FINAL WHERE slug = 'collection-1'")[0]["description"]


def _task(sandbox: Sandbox) -> str:
    return sandbox.connector()["tasks"][0]["state"]


def test_the_connector_runs_and_shows_its_configuration(sandbox: Sandbox) -> None:
    assert sandbox.connect.get("/connectors").json() == ["tinybird-sink"]
    sandbox.until(lambda: _task(sandbox) == "RUNNING")
    config = sandbox.connect.get(f"{HERE}/config").json()
    assert "members" in config["topics"].split(",")
    assert sandbox.ready["tinybird"]["token"] not in str(config), "Connect must not hold the admin's token"


def test_what_is_not_there_is_404_in_connects_words(sandbox: Sandbox) -> None:
    answer = sandbox.connect.get("/connectors/other/status")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error_code": 404, "message": "No status found for connector other"},
    )


def test_offsets_are_committed_on_the_flush_interval(sandbox: Sandbox) -> None:
    _touch(sandbox, 1)
    sandbox.until(lambda: _described(sandbox) == "touch 1")
    sandbox.clock.advance(11)
    offsets = sandbox.until(lambda: sandbox.connect.get(f"{HERE}/offsets").json()["offsets"])
    assert [entry["partition"]["kafka_topic"] for entry in offsets] == ["collections"]
    assert [entry["offset"]["kafka_offset"] for entry in offsets] == [1]
    assert sandbox.connect.get(f"{HERE}/topics").json() == {"tinybird-sink": {"topics": ["collections"]}}


def test_a_restart_of_the_worker_goes_on_where_it_was(sandbox: Sandbox) -> None:
    _touch(sandbox, 1)
    sandbox.until(lambda: _described(sandbox) == "touch 1")
    answer = sandbox.connect.post(f"{HERE}/restart", params={"includeTasks": "true"})
    assert answer.status_code == 202
    assert answer.json()["tasks"][0]["state"] == "RESTARTING"
    assert sandbox.connect.post(f"{HERE}/restart").status_code == 204
    _touch(sandbox, 2)
    sandbox.until(lambda: _described(sandbox) == "touch 2")
    assert sandbox.log.count("tinybird", "POST /v0/events") == 2


def test_trouble_that_passes_loses_nothing(sandbox: Sandbox) -> None:
    sandbox.faults.add("tinybird", "POST /v0/events", "status:503", times=2)
    sandbox.faults.add("tinybird", "POST /v0/events", "drop_before")
    _touch(sandbox, 1)
    sandbox.until(lambda: _described(sandbox) == "touch 1")
    assert sandbox.log.count("tinybird", "POST /v0/events") == 4


def test_a_refused_batch_is_dropped(sandbox: Sandbox) -> None:
    """The loss window of facts/systems.md §4.3."""
    sandbox.faults.add("tinybird", "POST /v0/events", "status:403")
    _touch(sandbox, 1)
    sandbox.log.wait("tinybird", "POST /v0/events")
    sandbox.pg("UPDATE collections SET description = 'other' WHERE slug = 'collection-2'")
    sandbox.log.wait("tinybird", "POST /v0/events", times=2)
    assert _described(sandbox) != "touch 1"
    assert _task(sandbox) == "RUNNING"


def test_the_same_refusal_too_often_ends_the_task_and_a_restart_mends_it(sandbox: Sandbox) -> None:
    sandbox.faults.add("tinybird", "POST /v0/events", "status:403", times=6)
    for n in range(6):
        _touch(sandbox, n)
        sandbox.log.wait("tinybird", "POST /v0/events", times=n + 1)
    sandbox.until(lambda: _task(sandbox) == "FAILED")
    status = sandbox.connector()
    assert status["connector"]["state"] == "RUNNING", "a running connector says nothing about its tasks"
    assert "403" in status["tasks"][0]["trace"]
    sandbox.connect.post(f"{HERE}/restart", params={"includeTasks": "true", "onlyFailed": "true"})
    _touch(sandbox, 7)
    sandbox.until(lambda: _described(sandbox) == "touch 7")


def test_a_failed_task_posts_nothing_more_and_a_restart_delivers_what_it_had_read(sandbox: Sandbox) -> None:
    sandbox.knobs(connect__batch_count=1, connect__error_threshold=0)
    sandbox.connect.put(f"{HERE}/pause")
    sandbox.until(lambda: _task(sandbox) == "PAUSED")
    sandbox.pg("UPDATE collections SET description = 'all'")
    sandbox.until(lambda: len(sandbox.messages("collections")) == 20)
    sandbox.faults.add("tinybird", "POST /v0/events", "status:403")
    sandbox.connect.put(f"{HERE}/resume")
    sandbox.until(lambda: _task(sandbox) == "FAILED")
    assert sandbox.log.count("tinybird", "POST /v0/events") == 1
    sandbox.connect.post(f"{HERE}/restart", params={"includeTasks": "true"})
    arrived = "SELECT toInt32(uniqExact(id)) AS n FROM collections WHERE description = 'all'"
    sandbox.until(lambda: sandbox.tb(arrived)[0]["n"] == 19, what="all but the batch that was dropped")


def test_a_stop_ends_the_task_and_a_resume_starts_it(sandbox: Sandbox) -> None:
    assert sandbox.connect.put(f"{HERE}/stop").status_code == 204
    status = sandbox.connector()
    assert (status["connector"]["state"], status["tasks"]) == ("STOPPED", [])
    _touch(sandbox, 1)
    assert sandbox.connect.put(f"{HERE}/resume").status_code == 202
    sandbox.until(lambda: _described(sandbox) == "touch 1")


def test_a_pause_survives_a_restart_or_not(sandbox: Sandbox) -> None:
    for lost, state in ((False, "PAUSED"), (True, "RUNNING")):
        sandbox.knobs(connect__pause_lost_on_restart=lost)
        sandbox.connect.put(f"{HERE}/pause")
        sandbox.connect.post(f"{HERE}/restart", params={"includeTasks": "true"})
        sandbox.until(lambda state=state: _task(sandbox) == state)


def test_a_rebalance_is_409_for_a_while(sandbox: Sandbox) -> None:
    sandbox.knobs(connect__rebalance_409=1)
    assert sandbox.connect.put(f"{HERE}/pause").status_code == 409
    assert sandbox.connect.put(f"{HERE}/pause").status_code == 202


def test_a_configuration_is_checked_and_its_topics_are_followed(sandbox: Sandbox) -> None:
    config = sandbox.connect.get(f"{HERE}/config").json()
    broken = sandbox.connect.put(f"{HERE}/config", json={key: v for key, v in config.items() if key != "topics"})
    assert broken.status_code == 400
    changed = sandbox.connect.put(f"{HERE}/config", json={**config, "topics": "members"})
    assert changed.status_code == 200
    _touch(sandbox, 1)
    sandbox.pg("UPDATE members SET score = 3 WHERE id IN (SELECT id FROM members LIMIT 1)")
    assert "name=members" in sandbox.log.wait("tinybird", "POST /v0/events")[0]["query"]
    sandbox.connect.put(f"{HERE}/config", json=config)
    sandbox.until(lambda: _described(sandbox) == "touch 1")


def _running(sandbox: Sandbox) -> bool:
    """With the connector it had or another; a worker that is away or starting has none."""
    answer = sandbox.connect.get(f"{HERE}/status")
    return answer.status_code == 200 and answer.json()["tasks"][0]["state"] == "RUNNING"


def _file(sandbox: Sandbox, **changed: str) -> None:
    """The worker's file is what the connector is configured as, with these changes."""
    config = {**sandbox.connect.get(f"{HERE}/config").json(), **changed}
    sandbox.knobs(connect__properties=javaproperties.dumps(config, timestamp=None))


def test_a_pod_that_is_replaced_takes_the_worker_away_and_what_rest_told_it(sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__pod_end_s=500.0, kubernetes__pod_start_s=500.0, connect__starting_s=500.0)
    _touch(sandbox, 1)
    sandbox.until(lambda: _described(sandbox) == "touch 1")
    before = sandbox.pods(POD)
    config = sandbox.connect.get(f"{HERE}/config").json()
    _file(sandbox, topics=f"{config['topics']},later")
    sandbox.connect.put(f"{HERE}/config", json={**config, "topics": "members"})
    sandbox.connect.put(f"{HERE}/pause")
    sandbox.restart(POD, "one")
    assert sandbox.connect.get(f"{HERE}/status").status_code == 503
    sandbox.clock.advance(500)
    assert sandbox.connect.get("/").status_code == 503, "the next pod begins when the last one is gone"
    assert not set(before) & set(sandbox.pods(POD))
    sandbox.clock.advance(500)
    starting = sandbox.connect.get(f"{HERE}/status")
    assert (starting.status_code, starting.json()["message"]) == (404, "No status found for connector tinybird-sink")
    sandbox.clock.advance(500)
    sandbox.until(lambda: _running(sandbox))
    assert sandbox.connect.get(f"{HERE}/config").json()["topics"] == f"{config['topics']},later"
    _touch(sandbox, 2)
    sandbox.until(lambda: _described(sandbox) == "touch 2")
    assert sandbox.log.count("tinybird", "POST /v0/events") == 2, "it went on where it was"


@pytest.mark.long
def test_a_distributed_worker_keeps_what_rest_told_it(sandbox: Sandbox) -> None:
    sandbox.knobs(connect__mode="distributed", kubernetes__pod_end_s=0.0, kubernetes__pod_start_s=0.0)
    config = sandbox.connect.get(f"{HERE}/config").json()
    _file(sandbox, topics="segments")
    sandbox.connect.put(f"{HERE}/config", json={**config, "topics": "members"})
    sandbox.connect.put(f"{HERE}/pause")
    before = sandbox.pods(POD)
    sandbox.restart(POD, "one")
    sandbox.until(lambda: not set(before) & set(sandbox.pods(POD)))
    sandbox.until(lambda: sandbox.connect.get(f"{HERE}/status").status_code == 200)
    sandbox.until(lambda: _task(sandbox) == "PAUSED")
    assert sandbox.connect.get(f"{HERE}/config").json()["topics"] == "members"


def test_a_file_that_the_worker_cannot_take_ends_its_pod_again_and_again(sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__pod_end_s=0.0, kubernetes__pod_start_s=0.0)
    _file(sandbox, **{"topics.regex": ".*"})
    assert _running(sandbox), "what it has read it has read"
    sandbox.restart(POD, "one")
    sandbox.clock.advance(1)
    assert sandbox.connect.get("/").status_code == 503
    sandbox.clock.advance(601)
    status = sandbox.kubernetes.get(f"/apis/apps/v1/namespaces/crowd/deployments/{POD}").json()["status"]
    assert [c["reason"] for c in status["conditions"] if c["type"] == "Progressing"] == ["ProgressDeadlineExceeded"]
    listed = sandbox.kubernetes.get("/api/v1/namespaces/crowd/pods", params={"labelSelector": f"app={POD}"}).json()
    waiting = listed["items"][0]["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff"
    sandbox.knobs(connect__properties="")
    sandbox.until(lambda: _running(sandbox), what="a file that is mended")


@pytest.mark.long
def test_a_task_may_fail_when_it_starts_again(sandbox: Sandbox) -> None:
    sandbox.knobs(connect__task_fails_on_restart=True, kubernetes__pod_end_s=0.0, kubernetes__pod_start_s=0.0)
    before = sandbox.pods(POD)
    sandbox.restart(POD, "one")
    sandbox.until(lambda: not set(before) & set(sandbox.pods(POD)))
    sandbox.until(lambda: sandbox.connect.get(f"{HERE}/status").status_code == 200)
    assert _task(sandbox) == "FAILED"
    assert "TopicAuthorizationException" in sandbox.connector()["tasks"][0]["trace"]
    sandbox.knobs(connect__task_fails_on_restart=False)
    sandbox.connect.post(f"{HERE}/restart", params={"includeTasks": "true", "onlyFailed": "true"})
    sandbox.until(lambda: _running(sandbox))
