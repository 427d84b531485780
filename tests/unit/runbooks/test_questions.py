"""What planning asks beyond the facts: a number, an answer that did not come in time, or a system that is away."""

import base64
from typing import Any

import httpx
import pytest

from runbooks.facts.model import ProjectFiles
from runbooks.names import ProjectNames
from runbooks.questions import MOST_READ, TAKEN, Count, InProject, Question, Rehearsal, answered, count_of
from systems.errors import SystemsError
from systems.github import GitHub
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
    assert asked(MANY, 200, {"data": [{"n": "7"}]}) == asked(MANY, 200, {"data": [{"_many": "7"}]}) == 7
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


PROJECT = ProjectNames("acme/platform")
DATAFILE = f"{PROJECT.datafiles}/datasources/people.datasource"


def repository(*paths: str, away: bool = False, **asked: Any) -> tuple[ProjectFiles | None, list[str]]:
    """What the facts hold of a repository of these files, each of which holds its own path; and what was read."""
    read: list[str] = []

    def far(request: httpx.Request) -> httpx.Response:
        if away:
            return httpx.Response(503, json={"message": "unavailable"})
        if "/git/trees/main" in request.url.path:
            tree = [{"path": path, "type": "blob", "sha": f"sha of {path}"} for path in paths]
            return httpx.Response(200, json={"tree": tree, "truncated": False})
        path = request.url.path.partition("/contents/")[2]
        read.append(path)
        content = base64.b64encode(path.encode()).decode()
        return httpx.Response(200, json={"sha": f"newer sha of {path}", "encoding": "base64", "content": content})

    wire = Wire(transport=httpx.MockTransport(far), sleep=lambda _seconds: None)
    hub = GitHub("http://hub.example", "token", read_only, wire=wire)
    question = InProject("project", PROJECT, **asked)
    return answered(live(), (question,), None, None, None, hub).history, read


def test_of_a_repository_only_the_files_that_are_there_and_asked_for_are_read() -> None:
    migration = f"{PROJECT.migrations}/V5__addNickname.sql"
    other = f"{PROJECT.migrations}/V6__dropAge.sql"
    paths = (DATAFILE, f"{PROJECT.datafiles}/datasources/absent.datasource")
    found, read = repository(
        DATAFILE, migration, other, "README.md", f"{PROJECT.datafiles}x/y", paths=paths, words=("nickname",)
    )
    assert found is not None
    assert read == [DATAFILE, migration]
    assert found.texts == {DATAFILE: DATAFILE, migration: migration}
    assert found.shas == {
        DATAFILE: f"newer sha of {DATAFILE}",
        migration: f"newer sha of {migration}",
        other: f"sha of {other}",
    }


def test_of_many_migrations_the_newest_are_read() -> None:
    many = [f"{PROJECT.migrations}/V{n}__people.sql" for n in range(MOST_READ + 5)]
    _, read = repository(*many, words=("people",))
    assert read == many[: -MOST_READ - 1 : -1]


def test_so_many_of_the_newest_are_read_whatever_they_are_called() -> None:
    many = [f"{PROJECT.migrations}/V{n}__other.sql" for n in range(9)]
    _, read = repository(*many, f"{PROJECT.migrations}/V0.5__people.sql", words=("people",), newest=2)
    assert read == [f"{PROJECT.migrations}/V0.5__people.sql", many[8], many[7]]


def test_a_repository_that_is_away_stops_only_what_cannot_do_without_it() -> None:
    found, _ = repository(away=True, words=("people",))
    assert found is not None
    assert "503" in found.trouble
    with pytest.raises(SystemsError):
        repository(away=True, needed=True)
