"""A replicated table sorted anew by a copy and a switch of names: no backfill, and nobody reads an empty table."""

import pytest

from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.sandbox import Sandbox

ASKED = "/tb migrate members sort by joinedAt, id"
PEOPLE = 5_000


@pytest.fixture
def ending(sandbox: Sandbox, drive: Drive) -> Ending:
    return Ending(sandbox, drive)


def change(sandbox: Sandbox, text: str) -> None:
    """Somebody changes five people and makes one new."""
    sandbox.pg(
        'UPDATE members SET "displayName" = %s, "updatedAt" = clock_timestamp()'
        " WHERE id IN (SELECT id FROM members ORDER BY id LIMIT 5)",
        [text],
    )
    sandbox.pg('INSERT INTO members ("displayName", "joinedAt") VALUES (%s, now())', [text])


def test_every_row_of_postgres_is_in_the_new_table_and_the_old_one_is_kept(
    drive: Drive, sandbox: Sandbox, ending: Ending
) -> None:
    seen: list[int] = []

    def people_are_read() -> None:
        answer = sandbox.tinybird.get("/v0/sql", params={"q": "SELECT uniqExact(id) AS n FROM members FORMAT JSON"})
        seen.extend(int(row["n"]) for row in answer.json().get("data", []))

    run = drive.run(ASKED)
    plan = drive.view(run).run.plan or {}
    assert plan["strategy"]["name"] == "swap"
    drive.watches.append(people_are_read)
    for done in (3, 8):  # while it is copied, and after it was caught up with
        drive.until_step(run, done)
        change(sandbox, f"before step {done}")
    view = drive.until(run, "succeeded")
    assert min(seen) >= PEOPLE
    assert view.run.found["proven"] == ["members"]
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    ending.same_rows("displayName")
    assert sandbox.log.count("sequin", "POST /api/sinks/members_sink/backfills") == 0
    assert sandbox.log.count("sequin", "PATCH /api/sinks/*") == 0
    engine = sandbox.tinybird.get("/v0/datasources/members").json()["engine"]
    assert engine["sorting_key"] == "joinedAt, id"
    assert sandbox.tb(f"SELECT uniqExact(id) >= {PEOPLE} AS kept FROM members__before_run_{run}") == [{"kept": 1}]


def test_a_table_that_lost_rows_to_its_key_is_filled_from_postgres(drive: Drive) -> None:
    """Two segments of different parents share a slug: the old table has only one of them."""
    run = drive.run("/tb migrate segments sort by slug, id", approve=False)
    strategy = (drive.view(run).run.plan or {})["strategy"]
    assert strategy["name"] == "recreate"
    assert {"name": "swap", "reason": "no unique index makes slug unique in Postgres: rows that share it are lost in "
            "the old table"} in strategy["rejected"]  # fmt: skip
