"""A revert brings the old schema back with every row that came since; what it cannot bring back it says."""

import pytest

from tests.support.aborting import TOUCHED
from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.sandbox import Sandbox


def test_a_revert_keeps_what_came_since(sandbox: Sandbox, people: People, drive: Drive) -> None:
    before = columns(sandbox)
    run = drive.run("/tb migrate members add field nickname text --strategy recreate")
    people.ana.types(f"/tb revert {run}")
    drive.until(run, "succeeded")
    assert drive.state(run + 1) == "refused"
    assert drive.view(run + 1).run.reason == f"Run {run} is not over; abort it, and it puts things back."
    assert "nickname" in columns(sandbox)

    sandbox.pg(
        'UPDATE members SET "displayName" = \'since\', "updatedAt" = now() WHERE id IN (SELECT id FROM members LIMIT 5)'
    )
    back = drive.run(f"/tb revert {run} --note back")
    assert f"put back what run {run} replaced" in drive.card(back).words
    drive.until(back, "succeeded")
    assert columns(sandbox) == before
    assert sandbox.tb("SELECT count() AS n FROM members FINAL")[0]["n"] == rows(sandbox)
    assert sandbox.tb("SELECT count() AS n FROM members FINAL WHERE displayName = 'since'")[0]["n"] == 5
    kept = {f"members__before_run_{run}", f"members__before_run_{back}"}
    assert kept <= {found["name"] for found in sandbox.tinybird.get("/v0/datasources").json()["datasources"]}

    assert refused(drive, people, f"/tb revert {run} --note again").startswith("`members` has the schema already")


@pytest.mark.long
@pytest.mark.parametrize("done", [2, TOUCHED])
def test_a_revert_that_was_aborted_is_gone_on_with(sandbox: Sandbox, people: People, drive: Drive, done: int) -> None:
    before = columns(sandbox)
    run = drive.run("/tb migrate members add field nickname text --strategy recreate")
    drive.until(run, "succeeded")
    unhurried(sandbox)
    back = drive.run(f"/tb revert {run} --strategy recreate")
    drive.until_step(back, done + 1)
    people.ben.types(f"/tb abort {back}")
    drive.until(back, "aborted")
    unhurried(sandbox)
    again = drive.run(f"/tb retry {back}")
    drive.until(again, "succeeded")
    assert columns(sandbox) == before
    assert sandbox.tb("SELECT count() AS n FROM members FINAL")[0]["n"] == rows(sandbox)


def test_a_run_that_set_nothing_aside_names_the_way_back(people: People, drive: Drive) -> None:
    run = drive.run("/tb migrate members add field nickname text --strategy alter")
    drive.until(run, "succeeded")
    assert refused(drive, people, f"/tb revert {run}") == (
        f"Run {run} set no table aside that would say what was before; ask for the opposite of "
        "“migrate members add field nickname text --strategy alter”."
    )


def columns(sandbox: Sandbox) -> list[str]:
    shown = sandbox.tinybird.get("/v0/datasources/members").json()
    return sorted(column["name"] for column in shown["schema"]["columns"])


def rows(sandbox: Sandbox) -> int:
    return int(sandbox.pg("SELECT count(*) AS n FROM members")[0]["n"])


def refused(drive: Drive, people: People, line: str) -> str:
    people.ana.types(line)
    drive()
    with drive.product.pool.connection() as conn:
        newest = conn.execute("SELECT state, reason FROM ledger.run ORDER BY id DESC LIMIT 1").fetchone()
    assert newest is not None
    assert newest["state"] == "refused"
    return str(newest["reason"])
