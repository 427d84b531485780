"""What the APIs answer, and what the clients make of it (facts/tinybird.md §2, facts/systems.md §1, §4)."""

import json
from typing import Any

import httpx
import pytest

from systems.connect import Connect
from systems.errors import SystemsError
from systems.http import Wire
from systems.permit import read_only
from systems.sequin import Sequin
from systems.sequin_model import is_open_backfill
from systems.tinybird import Tinybird

LISTED = {
    "id": "t_1",
    "name": "members",
    "columns": [{"name": "id", "type": "String", "nullable": False, "jsonpath": "$.record.id", "default_value": None}],
    "engine": {"engine": "ReplicatedReplacingMergeTree", "engine_sorting_key": "id", "engine_ver": "updatedAt"},
    "statistics": {"bytes": None, "row_count": None},
}
DETAILED = {
    "id": "t_1",
    "name": "members",
    "schema": {
        "columns": [
            {
                "name": "nickname",
                "type": "String",
                "nullable": True,
                "default_value": "DEFAULT 'x'",
                "codec": "CODEC(ZSTD(1))",
            }
        ]
    },
    "engine": {"engine": "ReplacingMergeTree", "sorting_key": "id", "ver": "updatedAt"},
    "statistics": {"bytes": 7, "row_count": 2},
    "quarantine_rows": 0,
}


def allowed(system: str, call: str) -> None:
    """Everything may be sent."""


class Far:
    """Answers one thing to everything, and keeps what it was asked."""

    def __init__(self, status: int, body: Any) -> None:
        self._answer = (status, body)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self._answer[0], json=self._answer[1])

    @property
    def wire(self) -> Wire:
        return Wire(transport=httpx.MockTransport(self), sleep=lambda _seconds: None)


def tinybird(far: Far) -> Tinybird:
    return Tinybird("http://tb.example", "p.token", allowed, wire=far.wire)


def test_a_data_source_is_read_alike_from_the_list_and_in_detail() -> None:
    listed = tinybird(Far(200, {"datasources": [LISTED]})).datasources()[0]
    detailed = tinybird(Far(200, DETAILED)).datasource("members")
    assert detailed is not None
    for one in (listed, detailed):
        assert (one.engine, one.sorting_key, one.version) == ("ReplacingMergeTree", "id", "updatedAt")
    column = detailed.columns[0]
    assert (column.type, column.default, column.codec) == ("Nullable(String)", "'x'", "ZSTD(1)")
    assert (listed.rows, detailed.rows) == (None, 2)


def test_what_is_not_there_is_none_and_not_an_error() -> None:
    far = Far(404, {"error": "not found"})
    assert tinybird(far).datasource("members") is None
    assert tinybird(far).pipe("x") is None


def test_an_alter_without_operations_is_none_to_do() -> None:
    far = Far(400, {"error": "There were no operations to perform"})
    assert tinybird(far).alter("members", schema="`id` String", dry=True) == []


def test_a_dry_run_needs_no_permit() -> None:
    far = Far(200, {"operations": ["ADD COLUMN `x` String"], "dependencies": []})
    client = Tinybird("http://tb.example", "p.token", read_only, wire=far.wire)
    assert client.alter("members", schema="s", dry=True) == ["ADD COLUMN `x` String"]
    assert b"dry=true" in far.asked[0].content


def test_long_sql_goes_in_the_body() -> None:
    far = Far(200, {"meta": [], "data": [{"n": "1"}]})
    assert tinybird(far).sql("SELECT " + "1 + " * 2_000 + "1 AS n") == [{"n": "1"}]
    assert (far.asked[0].method, far.asked[0].url.query) == ("POST", b"")


def test_token_values_are_dropped_when_they_are_read() -> None:
    tokens = [
        {
            "id": "1",
            "name": "connect",
            "token": "p.eySecret",
            "scopes": [{"type": "DATASOURCES:APPEND", "resource": "members"}],
        }
    ]
    read = tinybird(Far(200, {"tokens": tokens})).tokens()
    assert [str(scope) for scope in read[0].scopes] == ["DATASOURCES:APPEND:members"]
    assert "Secret" not in repr(read)


def test_a_forward_workspace_is_refused_with_a_plain_sentence() -> None:
    with pytest.raises(SystemsError, match="moved to Tinybird Forward"):
        tinybird(Far(200, {"id": "w", "name": "w", "is_forward": True})).require_classic()


def test_an_answer_of_another_shape_is_an_error_that_names_what_is_missing() -> None:
    with pytest.raises(SystemsError, match="'name'"):
        tinybird(Far(200, {"id": "t_1"})).datasource("members")
    with pytest.raises(SystemsError, match="expected an object"):
        tinybird(Far(200, ["no"])).datasources()


def test_names_cannot_leave_their_place_in_the_path() -> None:
    far = Far(404, {})
    tinybird(far).datasource("../pipes/x?token=1")
    assert far.asked[0].url.raw_path == b"/v0/datasources/..%2Fpipes%2Fx%3Ftoken%3D1"


def test_sequin_is_always_sent_json_and_its_words_are_understood() -> None:
    far = Far(
        422,
        {"summary": "Validation failed", "validation_errors": {"sink_consumer_id": ["already has an active backfill"]}},
    )
    client = Sequin("http://sequin.example:7376", "secret", allowed, wire=far.wire)
    with pytest.raises(SystemsError) as error:
        client.create_backfill("members_sink", "public.members")
    assert is_open_backfill(error.value)
    with pytest.raises(SystemsError):
        client.refresh_tables("cm-local")
    assert {request.headers["Content-Type"] for request in far.asked} == {"application/json"}
    assert far.asked[0].url.path == "/api/sinks/members_sink/backfills"
    assert json.loads(far.asked[1].content) == {}


def test_a_connector_runs_only_if_every_task_does_and_there_is_one() -> None:
    def status(state: str, *tasks: str) -> bool:
        body = {
            "name": "c",
            "connector": {"state": state},
            "tasks": [{"id": i, "state": s} for i, s in enumerate(tasks)],
        }
        return Connect("http://connect.example", allowed, wire=Far(200, body).wire).status("c").running

    assert status("RUNNING", "RUNNING")
    assert not status("RUNNING")
    assert not status("RUNNING", "RUNNING", "FAILED")
    assert not status("PAUSED", "PAUSED")


def test_a_rebalance_may_go_better_later() -> None:
    client = Connect("http://connect.example", allowed, wire=Far(409, {"error_code": 409, "message": "rebalance"}).wire)
    with pytest.raises(SystemsError) as error:
        client.pause("c")
    assert (error.value.retryable, error.value.said) == (True, "rebalance")


def test_a_connectors_secrets_are_dropped_when_its_topics_are_read() -> None:
    config = {"topics": "members, organizations,members", "connect.http.request.headers": "Authorization: Bearer x"}
    client = Connect("http://connect.example", allowed, wire=Far(200, config).wire)
    assert client.topics("c") == ("members", "organizations")
