"""`/tb doctor probe` finds out what a workspace can do, leaves nothing there, and plans say what it found."""

import pytest

from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox


@pytest.mark.parametrize(
    ("rewrites", "found", "said"),
    [
        (False, "keeps-references", "leaves pipes as they are"),
        (True, "rewrites-references", "rewrites the pipes that read the table"),
    ],
)
def test_a_probe_finds_what_the_workspace_does(
    sandbox: Sandbox, people: People, drive: Drive, *, rewrites: bool, found: str, said: str
) -> None:
    before = everything(sandbox)
    sandbox.knobs(tinybird__rename_rewrites_references=rewrites)
    people.ana.types("/tb doctor probe")
    drive()
    answer = people.ana.sees()[-1]
    assert "tried on throwaway resources: 10 findings" in answer.text
    assert said in answer.words
    known = {row["name"]: row["value"] for row in sandbox.ledger("SELECT name, value FROM ledger.capability")}
    assert (known["rename"], known["exchange"]) == (found, "refused")
    assert known["alter-default"] == "accepted"
    assert everything(sandbox) == before
    run = drive.run("/tb migrate members add field nickname text --strategy recreate", approve=False)
    assert "found by /tb doctor probe" in drive.card(run).words


def test_who_may_not_ask_probes_nothing(sandbox: Sandbox, people: People, drive: Drive) -> None:
    people.omar.types("/tb doctor probe")
    drive()
    assert "may not ask for runs" in people.omar.sees()[-1].text
    assert sandbox.ledger("SELECT name FROM ledger.capability") == []


def everything(sandbox: Sandbox) -> dict[str, list[str]]:
    return {
        kind: sorted(each["name"] for each in sandbox.tinybird.get(f"/v0/{kind}").json()[kind])
        for kind in ("datasources", "pipes", "tokens")
    }
