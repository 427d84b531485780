"""A truncate with full backfill (facts/estate.md §9): what is gone from Postgres is gone from Tinybird at the end."""

from collections.abc import Callable

import pytest

from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.mortal import Mortal, once
from tests.support.paces import PACES
from tests.support.sandbox import Sandbox
from tests.support.seams import Boundary
from tests.support.seeds import new_seed

ASKED = "/tb migrate members add field isDeleted boolean --strategy recreate"
GHOSTS = "tinybird.datasource.delete-ghosts/1"
DELETE = "POST /v0/datasources/members/delete"


@pytest.fixture
def ending(sandbox: Sandbox, drive: Drive) -> Ending:
    sandbox.knobs(**PACES)
    return Ending(sandbox, drive)


def delete(sandbox: Sandbox, people: int) -> None:
    """People are deleted; Sequin sends each, and Connect inserts it as a row."""
    sandbox.pg("DELETE FROM members WHERE id IN (SELECT id FROM members ORDER BY md5(id::text) LIMIT %s)", [people])


def number_of(drive: Drive, run: int, op: str) -> int:
    return next(step.number for step in drive.view(run).steps if step.op == op)


def gone_meanwhile(drive: Drive, sandbox: Sandbox) -> int:
    """A run in which people go before it, while the table is held, while it is filled, and right before its ghosts
    do; it stands before that step."""
    delete(sandbox, 4)
    run = drive.run(ASKED, approve=False)
    assert "no longer in Postgres: 4 by count; they disappear" in drive.card(run).words
    drive.approve(run)
    for op in ("connect.connector.pause/1", "sequin.backfill.await/1", GHOSTS):
        drive.until_step(run, number_of(drive, run, op))
        delete(sandbox, 3)
        sandbox.pg('INSERT INTO members ("displayName", "joinedAt") VALUES (%s, now())', [f"new before {op}"])
    return run


@pytest.mark.long
def test_what_is_gone_from_postgres_before_and_meanwhile_is_not_in_the_new_table(
    drive: Drive, sandbox: Sandbox, ending: Ending
) -> None:
    run = gone_meanwhile(drive, sandbox)
    drive.until(run, "succeeded")
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    ending.same_rows("displayName")
    assert sandbox.log.count("tinybird", DELETE) >= 1
    here = {row["id"] for row in sandbox.pg("SELECT id::text AS id FROM members")}
    assert {row["id"] for row in sandbox.tb("SELECT id FROM members_sorted")} <= here
    kept = sandbox.tb(f"SELECT toString(uniqExact(id)) AS n FROM members__before_run_{run}")
    assert int(kept[0]["n"]) >= 5_000  # those who went before are in it
    assert "because Postgres no longer has them: " in drive.thread(run)


@pytest.mark.long
@pytest.mark.parametrize("everywhere", [False, True], ids=["from intent to commit", "everywhere"])
def test_killed_while_it_deletes_them_it_deletes_the_same(
    drive: Drive, sandbox: Sandbox, ending: Ending, everywhere: bool
) -> None:
    run = gone_meanwhile(drive, sandbox)
    step = f"plan {number_of(drive, run, GHOSTS)},"
    died = Mortal(drive, run, once(_at(step, everywhere)))
    drive.until(run, "succeeded")
    assert died.deaths
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    ending.same_rows("displayName")


def _at(step: str, everywhere: bool) -> Callable[[Boundary], bool]:
    seed = new_seed()
    print(f"seed {seed}")
    return lambda at: at.place.startswith(step) and (everywhere or at.matters)
