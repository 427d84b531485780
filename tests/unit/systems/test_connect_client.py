"""The connector's list of topics is changed, and nothing else of its configuration; no secret of it comes out."""

import json
import logging
from typing import Any

import httpx
import pytest

from systems.connect import Connect
from systems.errors import NotPermitted, SystemsError
from systems.http import Wire
from systems.permit import read_only

SECRET = "p.planted-secret-of-the-connector"
CONFIG = {
    "name": "tinybird-sink",
    "topics": "members, organizations,members",
    "connect.http.request.headers": f"Content-Type: application/json,Authorization: Bearer {SECRET}",
    "sasl.jaas.config": f'org.example.Login required username="u" password="{SECRET}2";',
}


def allowed(system: str, call: str) -> None:
    """Everything may be sent."""


class Worker:
    """Keeps one connector's configuration; ``refusal`` answers a change instead, ``forgets`` a key that it loses."""

    def __init__(self, config: dict[str, str], *, refusal: tuple[int, str] | None = None, forgets: str = "") -> None:
        self.config = config
        self._refusal = refusal
        self._forgets = forgets
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.method == "PUT":
            if self._refusal:
                return httpx.Response(self._refusal[0], json={"error_code": 400, "message": self._refusal[1]})
            self.config = {k: v for k, v in json.loads(request.content).items() if k != self._forgets}
            return httpx.Response(200, json={"name": "tinybird-sink", "config": self.config})
        return httpx.Response(200, json=self.config)

    @property
    def client(self) -> Connect:
        wire = Wire(transport=httpx.MockTransport(self), sleep=lambda _: None)
        return Connect("http://connect.example", allowed, wire=wire)


def test_only_the_topics_are_changed() -> None:
    worker = Worker(dict(CONFIG))
    worker.client.set_topics("tinybird-sink", ("members", "organizations", "repositories", "members"))
    assert worker.config == {**CONFIG, "topics": "members,organizations,repositories"}
    assert [request.method for request in worker.asked] == ["GET", "PUT"]
    assert worker.client.topics("tinybird-sink") == ("members", "organizations", "repositories")


def test_a_refusal_and_the_log_bring_out_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"invalid: headers is {CONFIG['connect.http.request.headers']}, and {SECRET}2 and {SECRET} were not accepted"
    worker = Worker(dict(CONFIG), refusal=(400, said))
    with pytest.raises(SystemsError) as refused:
        worker.client.set_topics("tinybird-sink", ("members",))
    assert refused.value.status == 400
    assert "were not accepted" in refused.value.said
    assert SECRET not in str(refused.value)
    assert refused.value.__suppress_context__
    assert SECRET not in caplog.text


def test_a_configuration_that_came_back_otherwise_is_told_by_its_key() -> None:
    worker = Worker(dict(CONFIG), forgets="sasl.jaas.config")
    with pytest.raises(SystemsError, match=r"differs now in sasl\.jaas\.config"):
        worker.client.set_topics("tinybird-sink", ("members",))


@pytest.mark.parametrize(
    ("config", "topics"),
    [({"topics.regex": ".*"}, ("members",)), (CONFIG, ())],
)
def test_what_is_not_a_list_of_topics_is_left_alone(config: dict[str, str], topics: tuple[str, ...]) -> None:
    worker = Worker(dict(config))
    with pytest.raises(SystemsError, match="nothing was sent"):
        worker.client.set_topics("tinybird-sink", topics)
    assert [request.method for request in worker.asked] == ["GET"]


def test_nothing_is_changed_without_a_permit() -> None:
    worker = Worker(dict(CONFIG))
    client = worker.client.permitted(read_only)
    with pytest.raises(NotPermitted):
        client.set_topics("tinybird-sink", ("members",))
    with pytest.raises(NotPermitted):
        client.restart("tinybird-sink")
    assert {request.method for request in worker.asked} == {"GET"}


def test_a_restart_takes_the_tasks_with_it() -> None:
    worker = Worker({})
    worker.client.restart("tinybird-sink", only_failed=True)
    asked = worker.asked[0]
    assert (asked.method, asked.url.path) == ("POST", "/connectors/tinybird-sink/restart")
    assert dict(asked.url.params) == {"includeTasks": "true", "onlyFailed": "true"}


def test_each_task_is_told_with_the_first_line_of_its_trace() -> None:
    failed = {"id": 1, "state": "FAILED", "trace": f"Refused with Authorization: Bearer {SECRET}\n\tat x.y"}
    body: dict[str, Any] = {
        "name": "tinybird-sink",
        "connector": {"state": "RUNNING"},
        "tasks": [{"id": 0, "state": "RUNNING"}, failed],
    }
    status = Worker(body).client.status("tinybird-sink")
    assert status.tasks == ("RUNNING", "FAILED")
    assert [(task.id, task.state) for task in status.told] == [(0, "RUNNING"), (1, "FAILED")]
    assert status.told[1].trouble == status.trouble == "Refused with Authorization: Bearer ***"


def test_a_worker_that_starts_knows_of_no_connector_yet() -> None:
    """So that whoever looks meanwhile looks again (facts/systems.md §4.1)."""
    body = {"error_code": 404, "message": "No status found for connector tinybird-sink"}
    wire = Wire(transport=httpx.MockTransport(lambda _: httpx.Response(404, json=body)), sleep=lambda _: None)
    with pytest.raises(SystemsError, match="No status found") as caught:
        Connect("http://connect.example", read_only, wire=wire).status("tinybird-sink")
    assert caught.value.retryable
