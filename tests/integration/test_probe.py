"""`/tb doctor probe` finds out what a workspace can do, leaves nothing there, and plans say what it found."""

import pytest

from runbooks.probe import probe
from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox
from tests.support.steps_story import story


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
    known = learnt(sandbox)
    assert (known["rename"], known["exchange"], known.get("exchange-keys")) == (found, "refused", None)
    assert known["alter-default"] == "accepted"
    assert everything(sandbox) == before
    run = drive.run("/tb migrate members add field nickname text --strategy recreate", approve=False)
    assert "found by /tb doctor probe" in drive.card(run).words


@pytest.mark.parametrize("moved", [False, True], ids=["ids stay", "ids move"])
@pytest.mark.parametrize(
    ("same_only", "found", "said"),
    [
        (False, "accepted", "with other sorting keys can be exchanged."),
        (True, "refused", "with other sorting keys cannot be exchanged"),
    ],
)
def test_a_probe_finds_which_tables_can_be_exchanged(
    sandbox: Sandbox, *, moved: bool, same_only: bool, found: str, said: str
) -> None:
    sandbox.knobs(
        tinybird__exchange_enabled=True,
        tinybird__exchange_moves_ids=moved,
        tinybird__exchange_same_keys_only=same_only,
    )
    before = everything(sandbox)
    with story(sandbox) as told:
        findings = {each.name: each for each in probe(told.at().tinybird, 7)}
    assert (findings["exchange"].value, findings["exchange-keys"].value) == ("accepted", found)
    assert said in findings["exchange-keys"].said
    assert everything(sandbox) == before


def test_keys_that_are_not_seen_to_be_exchanged_are_not_taken_for_it(sandbox: Sandbox) -> None:
    """Answered as done, and the names stand for what they stood for."""
    sandbox.faults.add("tinybird", "POST /v0/datasources/exchange", "status:200", times=2)
    with story(sandbox) as told:
        found = next(each for each in probe(told.at().tinybird, 7) if each.name == "exchange-keys")
    assert found.value == "refused"
    assert "the keys stay where they were" in found.said


def test_who_may_not_ask_probes_nothing(sandbox: Sandbox, people: People, drive: Drive) -> None:
    people.omar.types("/tb doctor probe")
    drive()
    assert "may not ask for runs" in people.omar.sees()[-1].text
    assert sandbox.ledger("SELECT name FROM ledger.capability") == []


def learnt(sandbox: Sandbox) -> dict[str, str]:
    return {row["name"]: row["value"] for row in sandbox.ledger("SELECT name, value FROM ledger.capability")}


def everything(sandbox: Sandbox) -> dict[str, list[str]]:
    return {
        kind: sorted(each["name"] for each in sandbox.tinybird.get(f"/v0/{kind}").json()[kind])
        for kind in ("datasources", "pipes", "tokens")
    }
