"""The same people in a real Postgres and in a real ClickHouse behind the Tinybird API, of every awkward kind."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from runbooks.facts import live
from runbooks.facts.model import Datasource
from runbooks.proof.claims import Provable, provable
from runbooks.site import Site
from systems.postgres import Postgres
from systems.tinybird import Tinybird
from systems.tinybird_model import NewDatasource
from tests.support.tinybird_server import Tinybird as Served

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SEED = 20261122
TABLE = """
CREATE TABLE public."people" (
    id uuid PRIMARY KEY, "displayName" text, nickname text, "isBot" boolean, score smallint, big bigint,
    rate numeric(12,4), ratio double precision, slim real, born date, "seenAt" timestamptz, "leftAt" timestamptz,
    code char(5), tags text[], attributes jsonb, "updatedAt" timestamptz, day date, stamp timestamptz, plain timestamp
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
        ("code", "String", "", "''"),
        ("tags", "Array(String)", "tags[:]", ""),
        ("country", "String", "attributes.country.default", "''"),
        ("attributes", "String", "", "''"),
        ("updatedAt", "DateTime64(3)", "", ""),
        ("day", "Nullable(Date)", "", ""),
        ("stamp", "Nullable(DateTime)", "", ""),
        ("plain", "Nullable(DateTime64(3))", "", ""),
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
    "code",
    "tags",
    "country",
    "day",
    "stamp",
    "plain",
)


def allowed(system: str, call: str) -> None:
    """Everything may be changed here."""


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
        "ratio": dice.choice([0.1, -1e300, 123456.789012345, 20 / 7, dice.uniform(-1e9, 1e9), None]),
        "slim": dice.choice([0.5, 0.1, -3.25, float(f"{dice.uniform(-1e9, 1e9):.6e}"), None]),
        "born": dice.choice([early.date(), None]),
        "seenAt": dice.choice([early, at, None]),
        "leftAt": dice.choice([early, at, None]),
        "code": dice.choice(["ab   ", " abcd", "     ", None]),
        "tags": dice.choice([["a", "b"], [], ["ü,'"], ["a", None]]),
        "attributes": {"country": {"default": dice.choice(["Österreich", ""])}} if number % 3 else {},
        "updatedAt": at,
        "day": dice.choice([at.date(), early.date(), None]),
        "stamp": dice.choice([at, early.replace(year=1960), None]),
        "plain": dice.choice([early.replace(tzinfo=None), None]),
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
