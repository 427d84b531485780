"""What the steps for a new table make of what systems say that the sandbox does not say by itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runbooks.step import Astray, Done, Todo, Wait
from runbooks.steps.append_scope import GrantAppend, RevokeAppend
from runbooks.steps.connect_restart import AwaitTracked, AwaitUntracked, RestartConnect
from runbooks.steps.sink_create import CreateSink, DeleteSink
from systems.errors import SystemsError
from tests.support.far import NOW, Far

TRACKED = AwaitTracked(connector="tinybird-sink", topic="repos")
RESTART = RestartConnect(connector="tinybird-sink", topics_with="repos")
GRANT = GrantAppend(token="connect", datasource="repos")
STATUS = "GET /connectors/tinybird-sink/status"
CONFIG = "GET /connectors/tinybird-sink/config"
POD = "GET /apis/apps/v1/namespaces/crowd/deployments/kafka-connect-dpl"
TOKENS = "GET /v0/tokens"


@pytest.fixture
def far() -> Far:
    made = Far()
    made.say(STATUS, status("RUNNING", "RUNNING"))
    made.say(CONFIG, {"topics": "members,repos"})
    return made


def status(state: str, *tasks: str) -> dict[str, Any]:
    listed = [{"id": n, "state": each, "trace": "Boom: x\n\tat y"} for n, each in enumerate(tasks)]
    return {"name": "tinybird-sink", "connector": {"state": state}, "tasks": listed}


def deployment(stamp: str = "", *, updated: int = 1) -> dict[str, Any]:
    annotated = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": stamp}}}
    counts = {"replicas": 1, "updatedReplicas": updated, "availableReplicas": 1, "readyReplicas": 1}
    return {"metadata": {"generation": 1}, "spec": {"replicas": 1, "template": annotated}, "status": counts} | {
        "status": {**counts, "observedGeneration": 1}
    }


def token(*scopes: str) -> dict[str, Any]:
    listed = [{"type": ":".join(s.split(":")[:2]), "resource": ":".join(s.split(":")[2:]) or None} for s in scopes]
    return {"tokens": [{"id": "1", "name": "connect", "token": "p.x", "scopes": listed}]}


def test_a_connector_that_runs_with_the_topic_is_what_was_waited_for(far: Far) -> None:
    assert isinstance(TRACKED.look(far.site()), Done)
    assert isinstance(AwaitUntracked(connector="tinybird-sink", topic="repos").look(far.site()), Wait)
    assert isinstance(AwaitUntracked(connector="tinybird-sink", topic="other").look(far.site()), Done)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda far: far.say(STATUS, {}, 404), "still starting"),
        (lambda far: far.say(STATUS, {}, 503), "still starting"),
        (lambda far: far.say(STATUS, status("RUNNING")), "its tasks none"),
        (lambda far: far.say(STATUS, status("RUNNING", "UNASSIGNED")), "its tasks UNASSIGNED"),
        (lambda far: far.say(CONFIG, {"topics": "members"}), "repos is not among its topics"),
    ],
)
def test_what_is_not_so_yet_is_waited_for_and_then_told(far: Far, spoil: Callable[[Far], None], why: str) -> None:
    spoil(far)
    first = TRACKED.look(far.site())
    assert isinstance(first, Wait)
    assert why in first.why
    later = replace(far.site(), now=NOW + timedelta(seconds=601), memo=first.memo or {})
    last = TRACKED.look(later)
    assert isinstance(last, Astray)
    assert why in last.reason
    assert last.memo == {}, "a patience that is over begins anew when people have it tried again"


def test_a_failed_task_is_told_at_once_by_its_number_and_the_first_line_of_its_trace(far: Far) -> None:
    far.say(STATUS, status("RUNNING", "RUNNING", "FAILED"))
    seen = TRACKED.look(far.site())
    assert isinstance(seen, Astray)
    assert seen.reason == "the connector tinybird-sink has failed: task 1 is FAILED: Boom: x"


def test_pods_that_are_not_all_new_are_waited_for_though_the_old_one_answers(far: Far) -> None:
    far.say(POD, deployment(updated=0))
    assert isinstance(TRACKED.look(far.site("crowd/kafka-connect-dpl")), Wait)
    far.say(POD, deployment())
    assert isinstance(TRACKED.look(far.site("crowd/kafka-connect-dpl")), Done)


def test_a_restart_is_known_by_its_own_stamp(far: Far) -> None:
    step = RestartConnect(connector="tinybird-sink")
    far.say(POD, deployment("2026-11-01T00:00:00Z"))
    far.say(POD.replace("GET", "PATCH"), {})
    at = far.site("crowd/kafka-connect-dpl")
    seen = step.look(at)
    assert isinstance(seen, Todo)
    stamp = (seen.memo or {})["stamp"]
    assert stamp == "2026-11-28T09:00:00Z/run-7"
    step.act(replace(at, memo=seen.memo or {}))
    assert stamp.encode() in far.sent[0].content
    later = replace(at, memo=seen.memo or {}, now=NOW + timedelta(minutes=1))
    again = step.look(later)
    assert isinstance(again, Todo)
    assert again.memo == seen.memo, "another worker sends the same stamp, which is no second rollout"
    far.say(POD, deployment(stamp))
    far.say(STATUS, {}, 503)
    assert isinstance(step.look(later), Done), "whether it took is not Connect's to say: it is away"


def test_a_topic_that_is_read_already_needs_no_restart(far: Far) -> None:
    far.say(POD, deployment())
    assert isinstance(RESTART.look(far.site("crowd/kafka-connect-dpl")), Done)
    assert far.sent == []


@pytest.mark.parametrize("state", ["PAUSED", "STOPPED"])
def test_a_connector_that_somebody_stopped_is_not_restarted(far: Far, state: str) -> None:
    far.say(POD, deployment())
    far.say(STATUS, status(state, "PAUSED"))
    seen = RESTART.look(far.site("crowd/kafka-connect-dpl"))
    assert isinstance(seen, Astray)
    assert f"is {state}" in seen.reason


def test_where_nobody_says_how_it_is_restarted_it_is_not(far: Far) -> None:
    seen = RESTART.look(far.site(""))
    assert isinstance(seen, Astray)
    assert "set connect.restart" in seen.reason


def test_the_whole_list_of_scopes_goes_back_with_filters(far: Far) -> None:
    far.say(TOKENS, token("DATASOURCES:APPEND:members", "DATASOURCES:READ:members:country = 'Japan'"))
    far.say("GET /v0/datasources/repos", {"id": "t_1", "name": "repos"})
    far.say("PUT /v0/tokens/connect", {"token": "p.x"})
    at = far.site()
    seen = GRANT.look(at)
    assert isinstance(seen, Todo)
    GRANT.act(at)
    assert far.sent[0].url.params.get_list("scope") == [
        "DATASOURCES:APPEND:members",
        "DATASOURCES:READ:members:country = 'Japan'",
        "DATASOURCES:APPEND:repos",
    ]
    far.say(TOKENS, token("DATASOURCES:APPEND:members", "DATASOURCES:APPEND:repos"))
    lost = GRANT.look(replace(at, memo=seen.memo or {}))
    assert isinstance(lost, Astray)
    assert "has lost DATASOURCES:READ:members:country = 'Japan'" in lost.reason


def test_a_token_that_may_everything_is_left_as_it_is(far: Far) -> None:
    far.say(TOKENS, token("ADMIN"))
    assert isinstance(GRANT.look(far.site()), Done)
    assert isinstance(RevokeAppend(token="connect", datasource="repos").look(far.site()), Done)


def test_a_right_is_not_taken_while_nobody_knows_whether_it_is_used(far: Far) -> None:
    far.say(TOKENS, token("DATASOURCES:APPEND:repos"))
    step = RevokeAppend(token="connect", datasource="repos")
    assert isinstance(step.look(far.site()), Astray)
    far.say(CONFIG, {}, 503)
    assert isinstance(step.look(far.site()), Wait)
    far.say(CONFIG, {"topics": "members"})
    assert isinstance(step.look(far.site()), Todo)


def test_a_sink_that_changes_its_messages_is_no_model(far: Far) -> None:
    step = CreateSink(sink="repos_sink", table="public.repos", topic="repos", like="members_sink")
    like: dict[str, Any] = {
        "id": "1",
        "name": "members_sink",
        "status": "active",
        "source": {"include_tables": ["public.members"]},
        "destination": {"type": "kafka", "hosts": "kafka:9092", "topic": "members"},
        "transform": "no-emails",
    }
    far.say("GET /api/sinks/members_sink", like)
    seen = step.look(far.site())
    assert isinstance(seen, Astray)
    assert "transform no-emails" in seen.reason
    far.say("GET /api/sinks/repos_sink", {**like, "name": "repos_sink"})
    other = DeleteSink(sink="repos_sink", table="public.repos", topic="repos").look(far.site())
    assert isinstance(other, Astray)
    assert "sends public.members, not public.repos" in other.reason


def test_where_kafka_makes_topics_by_itself_nobody_asks_for_one(far: Far) -> None:
    """The first message makes it; the connector reads it once it is there."""
    far.say(CONFIG, {"topics": "members"})
    far.say("GET /v0/datasources/repos", {"id": "t_1", "name": "repos", "columns": [], "engine": {}})
    far.say(TOKENS, {"tokens": [{"name": "connect", "scopes": [{"type": "DATASOURCES:APPEND", "resource": "repos"}]}]})
    site = far.site()
    with pytest.raises(SystemsError):  # else Kafka is asked, which is away here
        RESTART.look(site)
    by_itself = replace(site, names=replace(site.names, creates_topics=True))
    assert isinstance(RESTART.look(by_itself), Todo)
