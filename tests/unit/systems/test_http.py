"""How the outside is spoken to: retries, refusals, redaction, the permit. The far end is httpx's own mock transport."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from systems.errors import NotPermitted, SystemsError
from systems.http import Http, Wire
from systems.permit import Permit, read_only
from systems.redact import redact

TOKEN = "p.eyJsecretsecretsecret"
Answer = httpx.Response | Exception


class Far:
    """The far end: answers in turn, and what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers: Iterator[Answer] = iter(answers)
        self.asked: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def http(far: Far, permit: Permit = read_only, **options: Any) -> Http:
    wire = Wire(transport=httpx.MockTransport(far), uniform=lambda _low, high: high, sleep=far.pauses.append, **options)
    return Http("tinybird", "http://tinybird.example", TOKEN, permit, wire=wire)


def allowed(system: str, call: str) -> None:
    """Everything may be sent."""


@pytest.mark.parametrize(
    "first", [429, 502, 503, 504, httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.ReadError("x")]
)
def test_reading_is_tried_again_after_trouble_that_passes(first: int | Exception) -> None:
    far = Far(first if isinstance(first, Exception) else httpx.Response(first), httpx.Response(200, json={"ok": 1}))
    assert http(far).get("/v0/x") == {"ok": 1}
    assert len(far.asked) == 2


def test_reading_is_given_up_after_a_few_tries_with_growing_pauses() -> None:
    far = Far(*[httpx.Response(503)] * 9)
    with pytest.raises(SystemsError) as error:
        http(far).get("/v0/x")
    assert (len(far.asked), far.pauses) == (4, [0.2, 0.4, 0.8])
    assert error.value.retryable


def test_a_short_retry_after_is_honoured_and_a_long_one_is_left_to_the_next_tick() -> None:
    far = Far(httpx.Response(429, headers={"Retry-After": "2"}), httpx.Response(200, json={}))
    http(far).get("/v0/x")
    assert far.pauses == [2.2]
    far = Far(httpx.Response(429, headers={"Retry-After": "60"}))
    with pytest.raises(SystemsError) as error:
        http(far).get("/v0/x")
    assert (far.pauses, error.value.retryable) == ([], True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    far = Far(httpx.Response(status, json={"error": "no such thing"}))
    with pytest.raises(SystemsError) as error:
        http(far).get("/v0/x")
    assert (error.value.status, error.value.retryable, error.value.said) == (status, False, "no such thing")


@pytest.mark.parametrize("trouble", [httpx.Response(503), httpx.ReadError("cut"), httpx.ReadTimeout("slow")])
def test_what_changes_something_is_sent_once(trouble: Answer) -> None:
    far = Far(trouble)
    with pytest.raises(SystemsError) as error:
        http(far, allowed).change("POST", "/v0/x")
    assert len(far.asked) == 1
    assert error.value.retryable


def test_what_changes_something_is_not_sent_without_a_permit() -> None:
    far = Far()
    with pytest.raises(NotPermitted):
        http(far).change("POST", "/v0/x")
    assert far.asked == []


def test_a_permit_can_be_given_to_the_same_connections() -> None:
    far = Far(httpx.Response(200, json={}))
    http(far).permitted(allowed).change("POST", "/v0/x")
    assert len(far.asked) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(200, html="<html>sign in</html>"), "an HTML page instead of JSON"),
        (httpx.Response(200, text='{"data": [1, '), "an answer that is not JSON"),
    ],
)
def test_pages_and_garbled_answers_are_errors_in_words(answer: httpx.Response, said: str) -> None:
    with pytest.raises(SystemsError) as error:
        http(Far(answer), allowed).change("POST", "/v0/x")
    assert error.value.said == said


def test_a_garbled_answer_to_a_question_is_asked_again() -> None:
    far = Far(httpx.Response(200, text="{"), httpx.Response(200, json={"ok": 1}))
    assert http(far).get("/v0/x") == {"ok": 1}


def test_the_token_is_in_a_header_and_in_no_message() -> None:
    said = f"the token {TOKEN} (token={TOKEN}&x=1, Authorization: Bearer abcdef123456) may not"
    far = Far(httpx.Response(403, json={"error": said}))
    with pytest.raises(SystemsError) as error:
        http(far).get("/v0/x", {"q": "1"})
    assert far.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in str(far.asked[0].url)
    for secret in (TOKEN, "abcdef123456"):
        assert secret not in str(error.value) + error.value.said + repr(error.value)


def test_a_call_ends_in_time_however_slowly_the_answer_drips() -> None:
    ticks = iter(range(0, 1_000, 9))

    def drips() -> Iterator[bytes]:
        while True:
            yield b" "

    far = Far(httpx.Response(200, content=drips()))
    with pytest.raises(SystemsError) as error:
        http(far, clock=lambda: float(next(ticks))).get("/v0/x")
    assert "no answer in time" in error.value.said


def test_every_attempt_is_counted_with_what_came_of_it() -> None:
    counted: list[tuple[str, str, int | None]] = []
    far = Far(httpx.Response(503), httpx.ConnectError("x"), httpx.Response(200, json={}))
    http(far, on_call=lambda *call: counted.append(call)).get("/v0/x")
    assert counted == [("tinybird", "GET", 503), ("tinybird", "GET", None), ("tinybird", "GET", 200)]


@pytest.mark.parametrize(
    "said",
    [
        "password='hunter2 x'", 'Password: "hunter2"', "pwd: x, passwd=hunter2&x", "IDENTIFIED BY 'hunter2'",
        "api_key = hunter2", "postgres://me:hunter2@far/db", "AKIAHUNTER2XHUNTER2X", "xoxb-12345-hunter2hunter2",
        "ghp_hunter2hunter2hunter2hunter2", "Bearer hunter2.x", "secret='hunter2",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_not_repeated(said: str) -> None:
    assert "hunter2" not in redact(f"It failed ({said}) and ended.").lower()
