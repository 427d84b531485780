"""A sink made like another one: what is sent, and the password that Sequin never shows (facts/systems.md §1.3)."""

import json
from typing import Any

import httpx
import pytest

from systems.errors import NotPermitted, SystemsError
from systems.http import Wire
from systems.permit import read_only
from systems.sequin import KafkaLogin, Sequin
from systems.sequin_model import is_name_taken

PASSWORD = "planted-secret"
MASKED = "pla********t"
SIBLING: dict[str, Any] = {
    "id": "4ed2a8e5",
    "name": "members_sink",
    "database": "cm",
    "status": "active",
    "source": {"include_tables": ["public.members"]},
    "actions": ["insert", "update"],
    "destination": {"type": "kafka", "hosts": "kafka:9092", "topic": "members", "tls": True, "compression": "lz4"},
    "batch_size": 150,
    "filter": "none",
    "transform": None,
    "routing": "none",
    "timestamp_format": "unix_microsecond",
    "message_grouping": False,
}
LOGIN = {"username": "writer", "password": MASKED, "sasl_mechanism": "scram_sha_512"}


def allowed(system: str, call: str) -> None:
    """Everything may be sent."""


class Far:
    """Shows the sibling, and answers a create with it or with a refusal."""

    def __init__(self, sibling: dict[str, Any], refusal: dict[str, Any] | None = None) -> None:
        self._sibling = sibling
        self._refusal = refusal
        self.sent: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return httpx.Response(200, json=self._sibling)
        self.sent.append(json.loads(request.content))
        return httpx.Response(422 if self._refusal else 200, json=self._refusal or self._sibling)

    def client(self, login: KafkaLogin | None = None) -> Sequin:
        wire = Wire(transport=httpx.MockTransport(self), sleep=lambda _: None)
        return Sequin("http://sequin.example", "token", allowed, wire=wire, login=login)


def make(client: Sequin) -> None:
    client.create_sink(client.sink("members_sink").like("repos_sink", "public.repos", "repos"))


def test_a_sink_is_made_like_its_sibling() -> None:
    far = Far(SIBLING)
    make(far.client())
    assert far.sent == [
        {
            "name": "repos_sink",
            "status": "active",
            "database": "cm",
            "source": {"include_tables": ["public.repos"]},
            "destination": {**SIBLING["destination"], "topic": "repos"},
            "routing": "none",
            "transform": "none",
            "filter": "none",
            "batch_size": 150,
            "actions": ["insert", "update"],
            "timestamp_format": "unix_microsecond",
            "message_grouping": False,
        }
    ]


def test_the_password_is_ours_and_never_the_masked_one() -> None:
    far = Far({**SIBLING, "destination": {**SIBLING["destination"], **LOGIN}})
    make(far.client(KafkaLogin("writer", PASSWORD)))
    sent = far.sent[0]["destination"]
    assert (sent["username"], sent["password"], sent["sasl_mechanism"]) == ("writer", PASSWORD, "scram_sha_512")


@pytest.mark.parametrize("login", [None, KafkaLogin("tbops", PASSWORD), KafkaLogin("writer", "")])
def test_a_password_that_is_not_known_is_not_guessed(login: KafkaLogin | None) -> None:
    far = Far({**SIBLING, "destination": {**SIBLING["destination"], **LOGIN}})
    with pytest.raises(SystemsError, match="nothing was sent: the sinks write to Kafka as writer") as refused:
        make(far.client(login))
    assert far.sent == []
    assert PASSWORD not in str(refused.value)


def test_a_refusal_does_not_repeat_the_password() -> None:
    said = {"summary": "Validation failed", "validation_errors": {"sink": {"password": [f"{PASSWORD} is bad"]}}}
    far = Far({**SIBLING, "destination": {**SIBLING["destination"], **LOGIN}}, said)
    with pytest.raises(SystemsError, match="Validation failed") as refused:
        make(far.client(KafkaLogin("writer", PASSWORD)))
    assert PASSWORD not in str(refused.value)
    assert PASSWORD not in repr(KafkaLogin("writer", PASSWORD))


def test_a_name_that_is_taken_is_known_as_such() -> None:
    taken = {"summary": "Validation failed", "validation_errors": {"name": ["has already been taken"]}}
    with pytest.raises(SystemsError) as refused:
        make(Far(SIBLING, taken).client())
    assert is_name_taken(refused.value)


def test_functions_of_a_sink_are_told() -> None:
    shown = Far({**SIBLING, "transform": "no-emails", "filter": ""}).client().sink("members_sink")
    assert shown.functions == ("transform no-emails",)
    assert Far(SIBLING).client().sink("members_sink").functions == ()


def test_nothing_is_made_or_deleted_without_a_permit() -> None:
    far = Far(SIBLING)
    client = far.client().permitted(read_only)
    with pytest.raises(NotPermitted):
        make(client)
    with pytest.raises(NotPermitted):
        client.delete_sink("members_sink")
    assert far.sent == []
