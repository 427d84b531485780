"""A rename that is aborted after each of its steps: readers read what is fed, the old name or the new one, and the same
request goes on from there."""

import pytest

from tests.support.aborting import aborted
from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.renaming import GONE, NEW, OLD, READERS, THERE, answers, reading, way
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.faults

LINE = f"/tb rename {OLD} to {NEW}"
STEPS = 35
TRACKED, SENT, PROVEN, MOVING, CUT, RESTARTED, DROPPED = 7, 10, 14, 18, 24, 29, 33  # after these steps


def connect_answers(drive: Drive, sandbox: Sandbox) -> None:
    """A pod that was just started does not at once."""

    def again() -> bool:
        drive.let_pass(10.0)
        return sandbox.connect.get("/connectors/tinybird-sink/config").is_success

    sandbox.until(again, what="Kafka Connect after its restart")


@pytest.mark.parametrize("done", [n if n == MOVING else pytest.param(n, marks=pytest.mark.long) for n in range(STEPS)])
def test_an_aborted_rename_leaves_readers_on_what_is_fed(
    drive: Drive, people: People, sandbox: Sandbox, done: int
) -> None:
    before = answers(sandbox)
    run = drive.run(LINE)
    assert len(drive.view(run).steps) == STEPS
    aborted(drive, people, run, done)
    connect_answers(drive, sandbox)
    cut = done >= CUT
    old, new, card = way(sandbox, OLD), way(sandbox, NEW), drive.card(run).words
    assert (reading(sandbox, OLD), reading(sandbox, NEW)) == ((set(), {*READERS}) if cut else ({*READERS}, set()))
    assert answers(sandbox) == before
    assert new == (THERE if done >= PROVEN else {**THERE, "sink": False} if done >= TRACKED else GONE), card
    assert old["datasource"] == (done < DROPPED)
    assert cut or old == THERE
    assert sandbox.connector()["connector"]["state"] == "RUNNING"
    pulls = sandbox.github.get(f"/repos/{sandbox.ready['github']['cluster']}/pulls", params={"state": "open"}).json()
    assert pulls == []
    read = NEW if cut else OLD
    sandbox.pg(f"""UPDATE {OLD} SET size = 'huge', "updatedAt" = now() WHERE id = (SELECT id FROM {OLD} LIMIT 1)""")
    huge = f"SELECT toString(count()) AS n FROM {read} FINAL WHERE size = 'huge'"
    sandbox.until(lambda: sandbox.tb(huge) == [{"n": "1"}], what=f"a change of Postgres in {read}")


@pytest.mark.long
@pytest.mark.parametrize("done", [2, TRACKED - 1, TRACKED, SENT, PROVEN, MOVING, CUT, RESTARTED - 2, RESTARTED, 31])
def test_an_aborted_rename_is_gone_on_with(drive: Drive, people: People, sandbox: Sandbox, done: int) -> None:
    before = answers(sandbox)
    run = drive.run(LINE)
    aborted(drive, people, run, done)
    connect_answers(drive, sandbox)
    unhurried(sandbox)
    drive.until(drive.run(LINE), "succeeded")
    assert (way(sandbox, OLD), way(sandbox, NEW)) == (GONE, THERE)
    assert (reading(sandbox, OLD), reading(sandbox, NEW)) == (set(), {*READERS})
    assert answers(sandbox) == before


@pytest.mark.long
def test_an_aborted_rename_is_taken_back_by_the_rename_the_other_way_round(
    drive: Drive, people: People, sandbox: Sandbox
) -> None:
    before = answers(sandbox)
    aborted(drive, people, drive.run(LINE), MOVING)
    unhurried(sandbox)
    drive.until(drive.run(f"/tb rename {NEW} to {OLD}"), "succeeded")
    assert (way(sandbox, OLD), way(sandbox, NEW)) == (THERE, GONE)
    assert reading(sandbox, OLD) == {*READERS}
    assert answers(sandbox) == before


@pytest.mark.long
def test_the_old_sink_is_not_deleted_under_a_reader_that_came_since(drive: Drive, sandbox: Sandbox) -> None:
    run = drive.run(LINE)
    drive.until_step(run, CUT)
    late = {"name": "late", "nodes": [{"name": "late_rows", "sql": f"SELECT count() AS n FROM {OLD} FINAL"}]}
    assert sandbox.tinybird.post("/v0/pipes", json=late).is_success
    drive.until(run, "held")
    assert f"the pipe late reads {OLD}, which would stand still" in str(drive.view(run).run.reason)
    assert way(sandbox, OLD) == THERE
    assert sandbox.tinybird.delete("/v0/pipes/late").is_success
    sandbox.set_sink(f"{NEW}_sink", "disabled")
    drive.people.ben.types(f"/tb retry {run}")
    drive()
    assert f"{NEW} is not fed, as the Sequin sink {NEW}_sink is disabled" in str(drive.view(run).run.reason)
    sandbox.set_sink(f"{NEW}_sink", "active")
    drive.people.ben.types(f"/tb retry {run}")
    drive.until(run, "succeeded")
    assert (way(sandbox, OLD), way(sandbox, NEW)) == (GONE, THERE)


@pytest.mark.long
def test_rows_that_postgres_has_no_more_do_not_come_along_and_people_are_asked(drive: Drive, sandbox: Sandbox) -> None:
    """A delete arrives as a row, so that the old one still counts it; the new one is filled without it."""
    lived = f"""SELECT id FROM {OLD} WHERE country != '' AND "deletedAt" IS NULL LIMIT 1"""
    sandbox.pg(f"DELETE FROM {OLD} WHERE id = ({lived})")
    before = answers(sandbox)
    run = drive.run(LINE)
    drive.until(run, "held")
    assert "organizations_geo_distribution answers something else since" in str(drive.view(run).run.reason)
    drive.people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert reading(sandbox, OLD) == {*READERS}
    assert answers(sandbox) == before
