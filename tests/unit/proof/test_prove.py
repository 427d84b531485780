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
from runbooks.proof import chunks, mirror
from runbooks.proof import source as in_postgres
from runbooks.proof.claim import Claim, Range
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Wait
from runbooks.steps import prove
from runbooks.steps.prove import Prove
from systems.postgres import Postgres
from systems.tinybird import Tinybird
from systems.tinybird_model import NewDatasource
from tests.support.both_sides import COMPARED, SEED, allowed, claim, rows, send, site, source, target
from tests.support.ledger_server import ledger_server
from tests.support.tinybird_server import Tinybird as Served
from tests.support.tinybird_server import tinybird_served


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with tinybird_served() as one:
        yield one


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with ledger_server() as server:
        yield server.empty()


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


def test_a_time_that_tinybird_cannot_hold_is_proven_as_the_nearest_that_it_can(
    served: Served, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "PATIENCE_MACHINE_S", 0.0)
    far = [
        datetime(1, 1, 1, 6, 7, 8, 900, UTC),
        datetime(1899, 12, 31, 23, tzinfo=UTC),
        datetime(1900, 1, 1, 1, tzinfo=UTC),
        datetime(2299, 12, 31, 12, tzinfo=UTC),
        datetime(2300, 1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
    ]
    people = [
        {
            **p,
            "born": t.date(),
            "day": t.date(),
            "seenAt": t,
            "leftAt": t,
            "plain": t.replace(tzinfo=None),
            "stamp": min(t, datetime(1960, 1, 1, tzinfo=UTC)),
        }
        for p, t in zip(rows(len(far)), far, strict=True)
    ]
    times = ("born", "day", "seenAt", "leftAt", "plain", "stamp")
    postgres, tinybird = source(dsn, people), target(served, people)
    step, at = proof_of(tinybird, postgres, times), site(tinybird, postgres)
    assert isinstance(carried_out(step, at), Done)
    send(served, [{**p, column: None} for p, column in zip(people, times, strict=True)])  # each in one of them
    seen = carried_out(step, at)
    assert isinstance(seen, Astray)
    assert f"{len(times)} with another value" in seen.reason


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


def test_the_last_bits_of_a_number_are_no_fault_and_its_digits_are(
    served: Served, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "PATIENCE_MACHINE_S", 0.0)
    last = 2.0**-23  # of a Float32 between 1 and 2
    people = [{**person, "slim": 1 + 511 * last} for person in rows(3)]  # one more, and the text is another
    postgres, tinybird = source(dsn, people), target(served, [{**p, "slim": 1 + 512 * last} for p in people])
    step = proof_of(tinybird, postgres, ("slim",))
    assert isinstance(carried_out(step, site(tinybird, postgres)), Done)
    send(served, [{**people[0], "slim": 1 + 1_600 * last}])
    seen = carried_out(step, site(tinybird, postgres))
    assert isinstance(seen, Astray)
    assert "1 with another value" in seen.reason


def test_an_infinite_time_ends_no_question_and_its_row_is_missing(
    served: Served, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tinybird takes no such row."""
    monkeypatch.setattr(prove, "PATIENCE_MACHINE_S", 0.0)
    people = rows(4)
    postgres, tinybird = source(dsn, people), target(served, people[1:])
    with psycopg.connect(dsn) as connection:
        ends = "born = 'infinity', \"seenAt\" = '-infinity', \"leftAt\" = 'infinity'"
        connection.execute(f"UPDATE people SET {ends} WHERE id = %s".encode(), (people[0]["id"],))
    seen = carried_out(proof_of(tinybird, postgres), site(tinybird, postgres))
    assert isinstance(seen, Astray)
    assert "1 missing in Tinybird" in seen.reason
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE people SET \"updatedAt\" = 'infinity' WHERE id = %s", (people[0]["id"],))
    seen = carried_out(proof_of(tinybird, postgres), site(tinybird, postgres))
    assert isinstance(seen, Done)
    assert seen.found["proof"]["without_version"] == 1


def test_what_is_no_text_within_json_is_no_fault_and_another_text_is(
    served: Served, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "PATIENCE_MACHINE_S", 0.0)
    sent = [{"long": 1, "b": None}, [1, {"long": 1, "b": 2}], 1.5, 7, True, "[gone]", "1.50", "", None]
    people = [{**p, "attributes": {"country": {"default": v}}} for p, v in zip(rows(len(sent)), sent, strict=True)]
    postgres, tinybird = source(dsn, people), target(served, people)
    with psycopg.connect(dsn) as connection:  # as Postgres alone writes such a number
        connection.execute(
            """UPDATE people SET attributes = '{"country": {"default": 1.500}}' WHERE id = %s""", (people[2]["id"],)
        )
    step = proof_of(tinybird, postgres, ("country",))
    assert isinstance(carried_out(step, site(tinybird, postgres)), Done)
    wrong = {0: "text", 3: 8, 5: "[left]", 6: "1.51", 7: {}}
    send(served, [{**people[n], "attributes": {"country": {"default": v}}} for n, v in wrong.items()])
    seen = carried_out(step, site(tinybird, postgres))
    assert isinstance(seen, Astray)
    assert f"{len(wrong)} with another value" in seen.reason


def test_columns_may_have_the_names_that_questions_give(served: Served, dsn: str) -> None:
    served.reset()
    tinybird = Tinybird(served.url, served.stand_in.admin_token, allowed)
    schema = ",".join(f"`{name}` Int64 `json:$.{name}`" for name in ("k", "b", "d", "n"))
    engine = {"engine": "ReplacingMergeTree", "sorting_key": "k, b", "version": "n"}
    tinybird.create_datasource(NewDatasource(name="odd", schema=schema, **engine))
    served.events("odd", *(json.dumps({"k": k, "b": 1, "d": 2, "n": 3}) for k in range(8, 13)), wait="true")
    found = tinybird.datasource("odd")
    assert found is not None
    odd = live.datasource(found)
    of = chunks.copied(odd, odd, {})
    assert tinybird.sql(chunks.bound(of, None, 2)) == tinybird.sql(chunks.following(of, "9")) == [{"k": "10"}]
    whole = tinybird.sql(chunks.source_digest(of, chunks.Keys()))
    assert whole == tinybird.sql(chunks.target_digest(of, "odd", chunks.Keys()))
    assert whole[0]["n"] == "5"
    buckets = tinybird.sql(mirror.digest(mirror.Mirrored(of, ("`k`", "`b`")), "odd", chunks.Keys()))
    assert len({row["b"] for row in buckets}) == sum(int(row["n"]) for row in buckets) == 5
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE numbered AS SELECT k FROM generate_series(8, 12) k")
        claim = Claim("odd", '"public"."numbered"', (), "0", "0", 1, ())
        ranged = connection.execute(in_postgres.bound(claim, Range("k", "k"), 2).encode()).fetchall()
    assert ranged == [("10",)]


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
    seen = carried_out(proof_of(tinybird, postgres, ("displayName", "attributes")), site(tinybird, postgres))
    assert isinstance(seen, Done)
    assert "no common way to write it: attributes." in seen.said


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
