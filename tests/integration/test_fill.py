"""A field computed for activities where they stand, while the platform writes and a page reads (procedures.md §4)."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support import activities
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.sandbox import Sandbox
from tests.support.seams import Boundary
from tests.support.seeds import new_seed

ASKED = '/tb migrate activities add field score2 Float32 default 0 from "score / 2"'
FILL = "tinybird.copy.fill/1"
KEPT = "id, score, title, body, attributes, toString(createdAt) AS createdAt"
SEED = new_seed()


@pytest.fixture
def before(drive: Drive, sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The activities that are there; a page reads each once, the writers write, and the workspace was tried out."""
    sql = "SELECT toString(count()) AS n, toString(uniqExact(id)) AS ids FROM activities FINAL"
    assert sandbox.tinybird.post("/v0/pipes", params={"name": activities.PAGE, "sql": sql}).is_success
    assert sandbox.tinybird.post(f"/v0/pipes/{activities.PAGE}/nodes/{activities.PAGE}_0/endpoint").is_success
    drive.people.ana.types("/tb doctor probe")
    drive()
    sandbox.knobs(kubernetes__writes_per_s=15.0, connect__offset_flush_s=1.0)
    return rows(sandbox)


def rows(sandbox: Sandbox, more: str = "") -> dict[str, dict[str, Any]]:
    named = f"{KEPT}, toUnixTimestamp64Milli(updatedAt) AS v{more}"
    return {row["id"]: row for row in sandbox.tb(f"SELECT {named} FROM activities FINAL")}


def read(sandbox: Sandbox) -> None:
    """The page answers, and counts nobody twice."""
    answer = sandbox.tinybird.get(f"/v0/pipes/{activities.PAGE}.json")
    assert answer.is_success, answer.text
    row = answer.json()["data"][0]
    assert row["n"] == row["ids"]


def write(sandbox: Sandbox, ids: list[str], **values: Any) -> None:
    """Somebody writes these again, as they are now."""
    columns = "id, type, toString(timestamp) AS timestamp, platform, sourceId, toString(createdAt) AS createdAt"
    named = ", ".join(f"'{each}'" for each in ids)
    found = sandbox.tb(
        f"SELECT {columns}, attributes, isContribution, score FROM activities FINAL WHERE id IN ({named})"
    )
    now = datetime.fromtimestamp(sandbox.clock.time(), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    body = "\n".join(json.dumps(row | {"updatedAt": now} | values) for row in found)
    answer = sandbox.tinybird.post("/v0/events", params={"name": "activities", "wait": "true"}, content=body)
    assert answer.json() == {"successful_rows": len(ids), "quarantined_rows": 0}


def number_of(drive: Drive, run: int) -> int:
    return next(step.number for step in drive.view(run).steps if step.op == FILL)


def it_is_so(sandbox: Sandbox, before: dict[str, dict[str, Any]], theirs: list[str]) -> None:
    """Every row of before has its half score and is otherwise what it was; what others wrote meanwhile is theirs."""
    after = rows(sandbox, ", score2")
    untouched = before.keys() - set(theirs)
    assert {after[each]["score2"] == after[each]["score"] / 2 for each in untouched} == {True}
    for each in untouched:
        computed = before[each]["score"] != 0
        assert int(after[each]["v"]) - int(before[each]["v"]) == computed, each
        assert {name: after[each][name] for name in KEPT.split(", ")[:5]} == {
            name: before[each][name] for name in KEPT.split(", ")[:5]
        }
    assert {after[each]["score2"] for each in theirs} <= {99.0}
    names = {each["name"] for each in sandbox.tinybird.get("/v0/pipes").json()["pipes"]}
    assert not [name for name in names if "_run_" in name]
    assert activities.tables(sandbox) == {"activities"}


def test_values_are_computed_and_nobody_stops(
    drive: Drive, sandbox: Sandbox, before: dict[str, dict[str, Any]]
) -> None:
    run = drive.run(ASKED, approve=False)
    plan = drive.view(run).run.plan or {}
    assert (plan["strategy"]["name"], plan["hold_s"], plan["downtime_s"]) == ("alter", 0, 0)
    assert "rows written again for score2" in drive.card(run).words
    drive.approve(run)
    after, theirs = sandbox.log.last(), sorted(before)[5:2_900:600]
    drive.watches.append(lambda: read(sandbox))
    drive.until_step(run, number_of(drive, run))
    while not sandbox.log.count("tinybird", f"POST /v0/pipes/activities__fill_run_{run}/copy"):
        drive.move()
    write(sandbox, theirs, score2=99.0)  # by a writer that carries the field already
    drive.until(run, "succeeded")
    assert sandbox.log.count("kubernetes", "PATCH *", after=after) == 0
    assert sandbox.log.count("connect", "PUT *", after=after) == 0
    assert drive.view(run).run.found["proven"] == ["activities"]
    activities.all_is_there(sandbox, set(before), column=False)
    it_is_so(sandbox, before, theirs)
    Ending(sandbox, drive).the_ledger_is_sound(run)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("everywhere", [False, True], ids=["from intent to commit", "everywhere"])
def test_killed_while_it_computes_it_writes_each_range_once(
    drive: Drive, sandbox: Sandbox, before: dict[str, dict[str, Any]], everywhere: bool
) -> None:
    print(f"seed {SEED}")
    chance, run = random.Random(SEED), drive.run(ASKED)
    after = sandbox.log.last()

    def wanted(at: Boundary) -> bool:
        return everywhere or at.matters or chance.random() < LOOKS

    died = Mortal(drive, run, once(wanted))
    drive.until(run, "succeeded")
    assert any(death.effect for death in died.deaths)
    had = Ending(sandbox, drive).had(after=after)
    copies = sandbox.log.find("tinybird", f"POST /v0/pipes/activities__fill_run_{run}/copy", after=after)
    ranges = [entry["query"] for entry in copies if (entry["status"] or 0) < 400]
    assert len(ranges) == len(set(ranges)) >= 3
    assert had["tinybird POST /v0/pipes"] == 1
    assert had[f"tinybird DELETE /v0/pipes/activities__fill_run_{run}"] == 1
    activities.all_is_there(sandbox, set(before), column=False)
    it_is_so(sandbox, before, [])


@pytest.mark.long
def test_given_up_in_the_middle_it_leaves_no_pipe_and_is_finished_by_a_retry(
    drive: Drive, sandbox: Sandbox, before: dict[str, dict[str, Any]]
) -> None:
    run = drive.run(ASKED)
    drive.until_step(run, number_of(drive, run))
    copying = f"POST /v0/pipes/activities__fill_run_{run}/copy"
    while sandbox.log.count("tinybird", copying) < 2:
        drive.move()
    drive.people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    names = {each["name"] for each in sandbox.tinybird.get("/v0/pipes").json()["pipes"]}
    assert not [name for name in names if "_run_" in name]
    again = drive.run(f"/tb retry {run}")
    drive.until(again, "succeeded")
    activities.all_is_there(sandbox, set(before), column=False)
    it_is_so(sandbox, before, [])
