"""What planning asks beyond the facts: a number, an answer that did not come in time, or a system that is away."""

from typing import Any

import httpx
import pytest

from runbooks.questions import TAKEN, Count, Question, Rehearsal, answered, count_of
from systems.errors import SystemsError
from systems.http import Wire
from systems.permit import read_only
from systems.tinybird import Tinybird
from tests.support.estate import live

MANY = Count("rows that share a key", "tinybird", "SELECT toString(7) AS n")
TRIED = Rehearsal("alter", "people", "`id` String")


def asked(question: Question, status: int, body: Any) -> int | str | None:
    """What the facts hold of it when Tinybird answers so."""
    answer = httpx.MockTransport(lambda _request: httpx.Response(status, json=body))
    wire = Wire(transport=answer, sleep=lambda _seconds: None)
    tinybird = Tinybird("http://tb.example", "p.token", read_only, wire=wire)
    return answered(live(), (question,), None, tinybird, None).answers[question.key]


def test_a_number_is_one_however_it_is_written() -> None:
    assert asked(MANY, 200, {"data": [{"n": "7"}]}) == 7
    assert count_of(answered(live(), (), None, None, None).answers, MANY.key) is None


def test_a_query_that_takes_too_long_is_not_counted_and_stops_nobody() -> None:
    assert asked(MANY, 408, {"error": "Query took too long"}) is None


def test_a_system_that_is_away_is_said_and_not_taken_for_an_answer() -> None:
    with pytest.raises(SystemsError):
        asked(MANY, 503, {"error": "unavailable"})
    with pytest.raises(SystemsError):
        asked(TRIED, 503, {"error": "unavailable"})


def test_a_rehearsal_is_taken_or_says_why_not() -> None:
    assert asked(TRIED, 200, {"operations": ["MODIFY COLUMN `id`"]}) == TAKEN
    assert "is not supported" in str(asked(TRIED, 400, {"error": "Changing the type of column 'id' is not supported"}))


def test_who_was_not_given_is_not_asked() -> None:
    elsewhere = Count("nulls", "postgres", "SELECT 1")
    assert answered(live(), (MANY, TRIED, elsewhere), None, None, None).answers == {}
