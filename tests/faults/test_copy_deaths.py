"""Workers die, and answers are lost, while people have a copy run: it is begun once, and rows are deleted once."""

import pytest

from tests.support.copy_story import PIPE, asked, board, by_hand, planned, rows, unscheduled
from tests.support.drive import Drive
from tests.support.mortal import Mortal, once
from tests.support.people import People
from tests.support.sandbox import Faults, Sandbox

pytestmark = pytest.mark.faults

__all__ = ["board"]  # a fixture


def ordered(drive: Drive, people: People, line: str) -> int:
    """Ben types it, and approves what needs it; the run's number."""
    run = asked(drive, people.ben, line)
    planned(drive, run)
    if drive.state(run) == "proposed":
        people.ben.clicks("Approve step 1", on=drive.card(run))
        drive.talk()
    return run


def begun(sandbox: Sandbox, pipe: str) -> int:
    """How many runs of it there were, whoever heard of it."""
    jobs = sandbox.tinybird.get("/v0/jobs", params={"kind": "copy", "pipe_name": pipe}).json()["jobs"]
    return sum(job.get("pipe_name") == pipe for job in jobs)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "status:503"])
def test_a_start_whose_answer_is_lost_is_not_begun_twice(
    sandbox: Sandbox, people: People, drive: Drive, faults: Faults, fault: str
) -> None:
    unscheduled(sandbox)
    faults.add("tinybird", f"POST /v0/pipes/{PIPE}/copy", fault)
    run = ordered(drive, people, f"/tb copy {PIPE} run")
    drive.until(run, "succeeded")
    assert begun(sandbox, PIPE) == 1


def test_a_run_is_begun_once_wherever_its_workers_die(sandbox: Sandbox, people: People, drive: Drive) -> None:
    unscheduled(sandbox)
    run = ordered(drive, people, f"/tb copy {PIPE} run")
    mortal = Mortal(drive, run, once(lambda _: True))
    drive.until(run, "succeeded")
    assert len(mortal.deaths) > 10
    assert begun(sandbox, PIPE) == 1


def test_the_rows_of_the_last_run_are_deleted_once_wherever_workers_die(
    sandbox: Sandbox, people: People, drive: Drive, board: str
) -> None:
    unscheduled(sandbox)
    by_hand(drive, board)
    sandbox.clock.advance(60)
    run = ordered(drive, people, f"/tb copy {board} run clear")
    mortal = Mortal(drive, run, once(lambda _: True))
    drive.until(run, "succeeded")
    assert len(mortal.deaths) > 20
    assert begun(sandbox, board) == 2
    assert rows(sandbox, "board_ds") == 10
    assert len(sandbox.log.find("tinybird", "POST /v0/datasources/board_ds/delete")) == 1
