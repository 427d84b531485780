"""`/tb plan …`: the plan is shown whole, and is nothing that anybody could approve."""

import pytest

from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration

ASKED = "migrate members add field nickname text"


def test_a_plan_alone_is_shown_and_never_carried_out(drive: Drive, sandbox: Sandbox, people: People) -> None:
    people.ana.types(f"/tb plan {ASKED}")
    drive()
    card = drive.card(1)
    assert "Planned, and no more was asked for. Nothing was changed." in card.text
    assert "without `plan`" in card.text
    assert "5. Prove by value" in card.words
    assert any("the whole plan" in reply.text for reply in card.replies())
    assert card.buttons == {}
    people.ben.types("/tb approve 1")
    drive()
    assert drive.state(1) == "rejected"
    assert "nickname" not in str(sandbox.tinybird.get("/v0/datasources/members").json()["schema"])


def test_the_same_without_plan_is_another_request(drive: Drive, people: People) -> None:
    people.ana.types(f"/tb plan {ASKED}")
    drive()
    second = drive.run(f"/tb {ASKED}", approve=False)
    assert (drive.state(1), drive.state(second)) == ("rejected", "proposed")


def test_who_runs_copies_alone_may_look_at_the_plan_first(drive: Drive, people: People) -> None:
    people.ben.types("/tb plan copy members_sorted_copy_pipe run")
    drive()
    assert drive.state(1) == "rejected"
    assert "Planned, and no more was asked for" in drive.card(1).text
