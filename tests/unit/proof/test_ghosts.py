"""Rows that Postgres no longer has are deleted by key, and nothing else is, on a real Postgres and ClickHouse.

The walk is followed until its deletes are done; what is on its way then comes through Kafka, which
tests/integration/test_truncate.py has.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from runbooks.proof.claim import Range
from runbooks.site import Site
from runbooks.step import Astray, Done, Failed, Todo, Wait
from runbooks.steps import ghosts
from runbooks.steps.ghosts import DeleteGhosts
from systems.postgres import Postgres
from systems.tinybird import Tinybird
from tests.support.both_sides import claim, rows, send, site, source, target
from tests.support.ledger_server import ledger_server
from tests.support.tinybird_server import Tinybird as Served
from tests.support.tinybird_server import tinybird_served

Person = dict[str, Any]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with tinybird_served() as one:
        yield one


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with ledger_server() as server:
        yield server.empty()


def step_of(tinybird: Tinybird, postgres: Postgres) -> DeleteGhosts:
    found = claim(tinybird, postgres)
    return DeleteGhosts(claim=found.claim, span=found.span, topic="people")


def walked(step: DeleteGhosts, at: Site, served: Served, meanwhile: Callable[[], None] = lambda: None) -> Any:
    """The step until it is decided, or until its deletes are done (what it then stores). ``meanwhile`` comes between
    the look that asks for a delete and the delete."""
    for _ in range(60):
        seen = step.look(at)
        assert not isinstance(seen, Failed), seen.reason
        if isinstance(seen, Done | Astray):
            return seen
        assert len(json.dumps(seen.memo)) < 10_000  # it is stored after every look
        at = replace(at, memo=json.loads(json.dumps(seen.memo)), now=at.now + timedelta(seconds=1))
        if isinstance(seen, Todo):
            meanwhile()
            step.act(at)
        elif "emptied" in at.memo:
            return dict(at.memo)
        job = next((job.id for job in at.tinybird.jobs(kind="delete_data") if job.live), None)
        if isinstance(seen, Wait) and job:
            served.finished(job)
    raise AssertionError(f"not decided: {at.memo}")


def gone(dsn: str, people: list[Person]) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM people WHERE id = ANY(%s)", ([p["id"] for p in people],))


def there(served: Served) -> set[str]:
    return {str(row["id"]).replace("-", "") for row in served.rows("SELECT id FROM people FINAL")}


def ids(people: list[Person]) -> set[str]:
    return {person["id"] for person in people}


def test_what_postgres_no_longer_has_is_deleted_and_nothing_else(served: Served, dsn: str) -> None:
    people = rows(900)
    postgres, tinybird = source(dsn, people), target(served, people)
    newer = [{**p, "updatedAt": p["updatedAt"] + timedelta(days=1)} for p in people[:3]]
    send(served, newer)  # two rows of a key
    gone(dsn, people[:3] + people[400:404])
    memo = walked(step_of(tinybird, postgres), site(tinybird, postgres), served)
    assert memo["deleted"] == 7
    assert there(served) == ids(people) - ids(people[:3]) - ids(people[400:404])
    assert served.value("SELECT count() FROM people") == len(people) - 7  # no older version has come up


def test_a_row_without_a_version_in_postgres_is_there(served: Served, dsn: str) -> None:
    """It is compared with one that is gone, as both are of one bucket."""
    people, of = rows(900), dict[str, list[Person]]()
    for person in people:
        of.setdefault(hashlib.md5(str(UUID(person["id"])).encode()).hexdigest()[:3], []).append(person)
    one, other = next(pair for pair in of.values() if len(pair) > 1)[:2]
    postgres, tinybird = source(dsn, people), target(served, people)
    with psycopg.connect(dsn) as connection:
        connection.execute('UPDATE people SET "updatedAt" = NULL WHERE id = %s', (one["id"],))
    gone(dsn, [other])
    walked(step_of(tinybird, postgres), site(tinybird, postgres), served)
    assert there(served) == ids(people) - {other["id"]}


def test_where_nothing_is_gone_nothing_is_asked_for(served: Served, dsn: str) -> None:
    people = rows(300)
    postgres, tinybird = source(dsn, people), target(served, people)
    seen = walked(step_of(tinybird, postgres), site(tinybird, postgres), served)
    assert isinstance(seen, Done)
    assert "nothing was to be deleted" in seen.said
    assert tinybird.jobs(kind="delete_data") == []


def test_many_are_deleted_in_batches_over_all_ranges(served: Served, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ghosts, "RANGE_ROWS", 300)
    people = rows(1_000)
    postgres, tinybird = source(dsn, people), target(served, people)
    gone(dsn, people[:400])
    step = step_of(tinybird, postgres)
    assert isinstance(step.span, Range)
    memo = walked(step, site(tinybird, postgres), served)
    assert memo["deleted"] == 400
    assert there(served) == ids(people[400:])
    assert len(tinybird.jobs(kind="delete_data")) >= 4  # 145 keys fill a condition


def test_rows_that_go_all_the_time_are_left_to_the_next_walk(served: Served, dsn: str) -> None:
    """Each delete is followed by another row that is gone: a walk that took each would have no end."""
    people = rows(300)
    postgres, tinybird = source(dsn, people), target(served, people)
    gone(dsn, people[:3])
    others = iter(people[3:])
    memo = walked(step_of(tinybird, postgres), site(tinybird, postgres), served, lambda: gone(dsn, [next(others)]))
    assert isinstance(memo, dict)
    assert memo["deleted"] == 3
    assert there(served) == ids(people[3:])


def test_a_row_that_comes_back_while_it_is_deleted_stays(served: Served, dsn: str) -> None:
    people = rows(200)
    postgres, tinybird = source(dsn, people), target(served, people)
    gone(dsn, people[:2])
    back = {**people[0], "displayName": "back again", "updatedAt": _at()}

    def it_comes_back() -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute(
                'INSERT INTO people (id, "displayName", "updatedAt") VALUES (%(id)s, %(displayName)s, %(updatedAt)s)',
                back,
            )
        send(served, [back])

    walked(step_of(tinybird, postgres), site(tinybird, postgres), served, it_comes_back)
    assert there(served) == ids(people) - {people[1]["id"]}
    assert served.rows("SELECT count() AS n FROM people FINAL WHERE displayName = 'back again'") == [{"n": 1}]


def test_a_delete_that_was_never_begun_asks_postgres_again_before_it_is(served: Served, dsn: str) -> None:
    people = rows(200)
    postgres, tinybird = source(dsn, people), target(served, people)
    gone(dsn, people[:2])
    step, at = step_of(tinybird, postgres), site(tinybird, postgres)
    seen: Any = Wait(0.0, "")
    while not isinstance(seen, Todo):  # its worker dies before it acts
        seen = step.look(at)
        at = replace(at, memo=dict(seen.memo))
    assert (step.look(at), at.memo["job"]["size"]) == (Todo(seen.why, at.memo), 2)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            'INSERT INTO people (id, "updatedAt") VALUES (%(id)s, %(updatedAt)s)', people[0]
        )  # as it was, its version too
    again = step.look(at)
    assert isinstance(again, Todo)
    assert again.memo is not None
    assert again.memo["job"]["size"] == 1
    assert people[0]["id"] not in again.memo["job"]["condition"].replace("-", "")


def test_more_than_deletes_that_came_meanwhile_is_left_to_people(
    served: Served, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ghosts, "MOST", 50)
    people = rows(300)
    postgres, tinybird = source(dsn, people), target(served, people)
    gone(dsn, people[:51])
    seen = walked(step_of(tinybird, postgres), site(tinybird, postgres), served)
    assert isinstance(seen, Astray)
    assert "holds more than 50 rows that Postgres no longer has" in seen.reason
    assert "all are kept" in seen.reason
    assert there(served) == ids(people)


def test_rows_that_something_writes_again_are_told_of(served: Served, dsn: str) -> None:
    people = rows(100)
    postgres, tinybird = source(dsn, people), target(served, people)
    gone(dsn, people[:1])
    step, at = step_of(tinybird, postgres), site(tinybird, postgres)
    seen: Any = None
    for _ in range(40):
        seen = step.look(at)
        if isinstance(seen, Astray):
            break
        at = replace(at, memo=dict(seen.memo))
        if isinstance(seen, Todo):
            step.act(at)
        job = next((job.id for job in tinybird.jobs(kind="delete_data") if job.live), None)
        if job:
            served.finished(job)
            send(served, people[:1])
    assert isinstance(seen, Astray)
    assert "deleted 3 times and are there again" in seen.reason
    assert len(tinybird.jobs(kind="delete_data")) == 3


def _at() -> datetime:
    return datetime(2027, 1, 1, tzinfo=UTC)
