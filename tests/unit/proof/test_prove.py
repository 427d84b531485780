"""The proof, against a real Postgres and a real ClickHouse behind the Tinybird API, on hostile data."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from runbooks.facts import live
from runbooks.facts.model import Datasource
from runbooks.proof.claims import Provable, provable
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Wait
from runbooks.steps import prove
from runbooks.steps.prove import Prove
from systems.postgres import Postgres
from systems.tinybird import Tinybird
from systems.tinybird_model import NewDatasource
from tests.support.ledger_server import ledger_server
from tests.support.tinybird_server import Tinybird as Served
from tests.support.tinybird_server import tinybird_served

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SEED = 20261122
TABLE = """
CREATE TABLE public."people" (
    id uuid PRIMARY KEY, "displayName" text, nickname text, "isBot" boolean, score smallint, big bigint,
    rate numeric(12,4), ratio double precision, slim real, born date, "seenAt" timestamptz, "leftAt" timestamptz,
    tags text[], attributes jsonb, "updatedAt" timestamptz
)
"""
SCHEMA = ",".join(
    f"`{name}` {kind} `json:$.record.{path or name}`" + (f" DEFAULT {default}" if default else "")
    for name, kind, path, default in [
        ("id", "String", "", ""),
        ("displayName", "String", "", "''"),
        ("nickname", "Nullable(String)", "", ""),
        ("isBot", "UInt8", "", "0"),
        ("score", "Int8", "", "-1"),
        ("big", "Int64", "", "0"),
        ("rate", "Decimal(12,4)", "", "0"),
        ("ratio", "Float64", "", "0"),
        ("slim", "Nullable(Float32)", "", ""),
        ("born", "Nullable(Date32)", "", ""),
        ("seenAt", "Nullable(DateTime64(6))", "", ""),
        ("leftAt", "Nullable(DateTime64(3))", "", ""),
        ("tags", "Array(String)", "tags[:]", ""),
        ("country", "String", "attributes.country.default", "''"),
        ("updatedAt", "DateTime64(3)", "", ""),
    ]
)
COMPARED = (
    "displayName",
    "nickname",
    "isBot",
    "score",
    "big",
    "rate",
    "ratio",
    "slim",
    "born",
    "seenAt",
    "leftAt",
    "country",
)


def allowed(system: str, call: str) -> None:
    """Everything may be changed here."""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with tinybird_served() as one:
        yield one


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with ledger_server() as server:
        yield server.empty()


def rows(count: int) -> list[dict[str, Any]]:
    """People of every awkward kind; the seed is in the test's output."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    return [_person(dice, number) for number in range(count)]


def _person(dice: random.Random, number: int) -> dict[str, Any]:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number, microseconds=dice.randrange(1_000_000))
    early = datetime(1900, 1, 2, tzinfo=UTC) + timedelta(
        days=dice.randrange(60_000), microseconds=dice.randrange(10**9)
    )
    names = ["Jürgen Müßig", "", None, "a'b\\c\n\td", "名前", "x" * 300, "\x7f{{ }}`", "null"]
    return {
        "id": f"{dice.getrandbits(128):032x}",
        "displayName": dice.choice(names),
        "nickname": dice.choice(names),
        "isBot": dice.choice([True, False, None]),
        "score": dice.choice([0, -1, 10, None]),
        "big": dice.choice([2**53 + 1, -(2**62), 0, None]),
        "rate": dice.choice(["1.5000", "-0.0001", "99999999.9999", "100", None]),
        "ratio": dice.choice([0.1, -1e300, 123456.789012345, 1 / 3, None]),
        "slim": dice.choice([0.5, 0.1, -3.25, None]),
        "born": dice.choice([early.date(), None]),
        "seenAt": dice.choice([early, at, None]),
        "leftAt": dice.choice([early, at, None]),
        "tags": dice.choice([["a", "b"], [], ["ü,'"]]),
        "attributes": {"country": {"default": dice.choice(["Österreich", ""])}} if number % 3 else {},
        "updatedAt": at,
    }


def source(dsn: str, people: list[dict[str, Any]], zone: str = "Asia/Kathmandu") -> Postgres:
    """The people in Postgres, whose sessions do not run in UTC."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute("DROP TABLE IF EXISTS public.people")
        connection.execute(TABLE)
        connection.execute(f"ALTER DATABASE {name} SET timezone = '{zone}'".encode())
        names = list(people[0])
        columns, places = ", ".join(f'"{n}"' for n in names), ", ".join(f"%({n})s" for n in names)
        with connection.cursor() as cursor:
            stored = [{**p, "attributes": json.dumps(p["attributes"])} for p in people]
            cursor.executemany(f"INSERT INTO public.people ({columns}) VALUES ({places})".encode(), stored)
    return Postgres(dsn, allowed)


def as_sequin_sends(person: dict[str, Any]) -> str:
    """The row as JSON: times as ISO 8601 in UTC with microseconds, a uuid with its dashes."""
    written = {
        key: value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
        for key, value in person.items()
    }
    bare = person["id"]
    written["id"] = f"{bare[:8]}-{bare[8:12]}-{bare[12:16]}-{bare[16:20]}-{bare[20:]}"
    return json.dumps({"record": written, "action": "insert"})


def target(served: Served, people: list[dict[str, Any]]) -> Tinybird:
    """The people in a new data source, as they would come through the events API."""
    served.reset()
    tinybird = Tinybird(served.url, served.stand_in.admin_token, allowed)
    engine = {"engine": "ReplacingMergeTree", "sorting_key": "id", "version": "updatedAt"}
    tinybird.create_datasource(NewDatasource(name="people", schema=SCHEMA, **engine))
    send(served, people)
    return tinybird


def send(served: Served, people: list[dict[str, Any]]) -> None:
    answer = served.events("people", *(as_sequin_sends(p) for p in people), wait="true").json()
    assert answer["quarantined_rows"] == 0, served.rows("SELECT * FROM people_quarantine LIMIT 1")


def site(tinybird: Tinybird, postgres: Postgres) -> Site:
    nothing: Any = None
    return Site("staging", 7, NOW, tinybird, nothing, nothing, nothing, postgres)


def claim(tinybird: Tinybird, postgres: Postgres, columns: tuple[str, ...] = COMPARED) -> Provable:
    found = tinybird.datasource("people")
    assert found is not None
    datasource: Datasource = live.datasource(found)
    table = live.table(postgres.catalog(publication="none", role="none")["people"])
    provided = provable(datasource, table, (), columns)
    assert isinstance(provided, Provable), provided
    return provided


def carried_out(step: Prove, at: Site, looks: int = 60) -> Seen:
    """Look until it is decided; the calendar moves on as the step asks, no clock is waited for."""
    seen: Seen | None = None
    for _ in range(looks):
        seen = step.look(at)
        if not isinstance(seen, Wait):
            return seen
        assert len(json.dumps(seen.memo)) < 4_000  # it is stored after every look
        at = replace(
            at, memo=json.loads(json.dumps(seen.memo)), now=at.now + timedelta(seconds=max(seen.after, 1.0) * 10)
        )
    raise AssertionError(f"not decided after {looks} looks: {seen}")


def proof_of(tinybird: Tinybird, postgres: Postgres, columns: tuple[str, ...] = COMPARED) -> Prove:
    found = claim(tinybird, postgres, columns)
    return Prove(claim=found.claim, span=found.span, not_proven=found.not_proven)


def test_equal_rows_of_every_awkward_kind_are_proven_in_every_column(served: Served, dsn: str) -> None:
    people = rows(3_000)
    postgres, tinybird = source(dsn, people), target(served, people)
    for column in COMPARED:  # one by one, so that a rule that lies is named
        seen = carried_out(proof_of(tinybird, postgres, (column,)), site(tinybird, postgres))
        assert isinstance(seen, Done), f"{column}: {seen}"
    seen = carried_out(proof_of(tinybird, postgres), site(tinybird, postgres))
    assert isinstance(seen, Done)
    assert seen.found["proven"] == ["people"]
    assert seen.found["proof"]["rows"] == 3_000
    assert seen.found["proof"]["ghosts"] == 0


def test_ranges_of_keys_are_proven_one_after_the_other(
    served: Served, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = rows(1_000)
    postgres, tinybird = source(dsn, people), target(served, people)
    monkeypatch.setattr(prove, "RANGE_ROWS", 300)
    seen = carried_out(proof_of(tinybird, postgres), site(tinybird, postgres))
    assert isinstance(seen, Done)
    assert seen.found["proof"]["rows"] == 1_000


def test_every_kind_of_fault_is_found_and_named(served: Served, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "PATIENCE_MACHINE_S", 0.0)
    people = rows(2_000)
    later = timedelta(hours=1)
    postgres, tinybird = source(dsn, people), target(served, people[1:])  # the first is missing
    send(served, [{**people[1], "displayName": "another value"}])
    send(served, [{**people[2], "updatedAt": people[2]["updatedAt"] + later}])  # newer than Postgres has
    with psycopg.connect(dsn) as connection:  # older than Postgres has
        connection.execute(
            'UPDATE people SET "updatedAt" = "updatedAt" + interval \'1 h\' WHERE id = %s', (people[3]["id"],)
        )
    seen = carried_out(proof_of(tinybird, postgres), site(tinybird, postgres))
    assert isinstance(seen, Astray)
    for said in ("1 missing in Tinybird", "1 older in Tinybird", "1 newer in Tinybird", "1 with another value"):
        assert said in seen.reason


def test_rows_on_their_way_are_waited_for(served: Served, dsn: str) -> None:
    people = rows(500)
    postgres, tinybird = source(dsn, people), target(served, people[:400])
    step, at = proof_of(tinybird, postgres), site(tinybird, postgres)
    first = step.look(at)
    assert not isinstance(first, Done | Astray)
    send(served, people[400:])
    assert isinstance(carried_out(step, replace(at, memo=dict(getattr(first, "memo", None) or {}))), Done)


def test_rows_that_are_gone_from_postgres_are_counted_and_no_fault(served: Served, dsn: str) -> None:
    people = rows(600)
    postgres, tinybird = source(dsn, people), target(served, people)
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM people WHERE id = ANY(%s)", ([p["id"] for p in people[:7]],))
    seen = carried_out(proof_of(tinybird, postgres), site(tinybird, postgres))
    assert isinstance(seen, Done)
    assert seen.found["proof"]["ghosts"] == 7
    assert "In Tinybird and no longer in Postgres: 7 rows" in seen.said


def test_rows_without_a_version_are_counted_apart(served: Served, dsn: str) -> None:
    people = rows(300)
    people[0]["updatedAt"] = None
    postgres, tinybird = source(dsn, people), target(served, people[1:])
    seen = carried_out(proof_of(tinybird, postgres), site(tinybird, postgres))
    assert isinstance(seen, Done)
    assert seen.found["proof"]["without_version"] == 1


def test_columns_that_cannot_be_compared_are_named(served: Served, dsn: str) -> None:
    people = rows(50)
    postgres, tinybird = source(dsn, people), target(served, people)
    seen = carried_out(proof_of(tinybird, postgres, ("displayName", "tags")), site(tinybird, postgres))
    assert isinstance(seen, Done)
    assert "no common way to write it: tags." in seen.said


def test_it_settles_while_people_write(served: Served, dsn: str) -> None:
    """Between any two questions rows change in Postgres and come to Tinybird a look later."""
    people = rows(2_000)
    postgres, tinybird = source(dsn, people), target(served, people)
    step, at = proof_of(tinybird, postgres), site(tinybird, postgres)
    dice, under_way = random.Random(SEED), list[dict[str, Any]]()
    seen: Seen | None = None
    for _ in range(30):
        changed = dice.sample(people, 40)
        for person in changed:
            person |= {"displayName": f"changed {dice.random()}", "updatedAt": datetime.now(UTC)}
        with psycopg.connect(dsn) as connection:
            for person in changed:
                connection.execute(
                    'UPDATE people SET "displayName" = %(displayName)s, "updatedAt" = %(updatedAt)s WHERE id = %(id)s',
                    {key: person[key] for key in ("displayName", "updatedAt", "id")},
                )
        seen = step.look(at)
        if isinstance(seen, Done):
            return
        assert isinstance(seen, Wait), seen
        at = replace(at, memo=dict(seen.memo or {}), now=at.now + timedelta(seconds=2))
        if under_way:
            send(served, under_way)
        under_way = [dict(person) for person in changed]
    raise AssertionError(f"not settled after 30 rounds: {seen}")
