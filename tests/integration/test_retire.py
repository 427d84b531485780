"""What a run set aside is dropped when two people approve it, and nobody forgets that it is there."""

import pytest

from ledger import kept
from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import Message, People
from tests.support.sandbox import Sandbox
from workers import reminding

KEPT = "members__before_run_1"
DAYS = 8 * 86_400


def test_a_kept_table_is_told_of_and_dropped_with_two_approvals(sandbox: Sandbox, people: People, drive: Drive) -> None:
    people.ana.types("/tb retire 1")
    drive.talk()
    assert people.ana.sees()[-1].text.startswith("There is no run 1.")
    run = drive.run("/tb migrate members add field nickname text --strategy recreate")
    drive.until(run, "succeeded")
    rows = sandbox.tb("SELECT count() AS n FROM members FINAL")
    assert KEPT in datasources(sandbox)
    assert due(drive) == []
    sandbox.clock.advance(DAYS)
    assert due(drive) == [run]
    reminding.remind(drive.worker, run)
    assert f"Run 1 set members aside as {KEPT}, and its date" in alerts(drive)[-1]
    assert due(drive) == []

    reader = {"name": "old_members", "sql": f"SELECT id FROM {KEPT}"}
    assert sandbox.tinybird.post("/v0/pipes", params=reader).status_code == 200
    said = refused(drive, people, f"/tb retire {run}", run + 1)
    assert said.startswith(f"`{KEPT}` is still read by `old_members`")
    assert sandbox.tinybird.delete("/v0/pipes/old_members").status_code < 300

    people.ana.types(f"/tb retire {run} --note 'now'")
    drive()
    dropping = run + 2
    card = drive.card(dropping)
    assert f"drop the table that run {run} set aside" in card.words, card.words
    people.ben.clicks(only_approval(card), on=card)
    drive()
    assert KEPT in datasources(sandbox)
    card = drive.card(dropping)
    people.chen.clicks(only_approval(card), on=card)
    drive.until(dropping, "succeeded")
    assert KEPT not in datasources(sandbox)
    assert sandbox.tb("SELECT count() AS n FROM members FINAL") == rows

    assert due(drive) == [run]
    reminding.remind(drive.worker, run)
    drive.talk()
    assert KEPT not in drive.card(run).words
    sandbox.clock.advance(DAYS)
    assert due(drive) == []
    assert refused(drive, people, f"/tb retire {run} --note again", dropping + 1) == (
        f"`{KEPT}`, which run {run} set aside, is gone already."
    )


@pytest.mark.long
def test_a_retire_that_was_aborted_is_planned_again(sandbox: Sandbox, people: People, drive: Drive) -> None:
    run = drive.run("/tb migrate members add field nickname text --strategy recreate")
    drive.until(run, "succeeded")
    unhurried(sandbox)
    dropping = drive.run(f"/tb retire {run}")
    people.ben.types(f"/tb abort {dropping}")
    drive.until(dropping, "aborted")
    assert KEPT in datasources(sandbox)
    unhurried(sandbox)
    again = drive.run(f"/tb retry {dropping}")
    drive.until(again, "succeeded")
    assert KEPT not in datasources(sandbox)


def datasources(sandbox: Sandbox) -> list[str]:
    return [found["name"] for found in sandbox.tinybird.get("/v0/datasources").json()["datasources"]]


def only_approval(card: Message) -> str:
    (label,) = [label for label in card.buttons if label.startswith("Approve")]
    assert "needed" in label
    return label


def due(drive: Drive) -> list[int]:
    with drive.product.pool.connection() as conn:
        return kept.due(conn, "sandbox", again_s=0)


def alerts(drive: Drive) -> list[str]:
    with drive.product.pool.connection() as conn:
        rows = conn.execute("SELECT body ->> 'text' AS text FROM ledger.message WHERE purpose = 'alert' ORDER BY id")
        return [row["text"] for row in rows]


def refused(drive: Drive, people: People, line: str, run: int) -> str:
    people.ana.types(line)
    drive()
    assert drive.state(run) == "refused"
    return str(drive.view(run).run.reason)
