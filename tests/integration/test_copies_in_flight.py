"""A copy that is under way reads the table to its end before the table goes away (facts/procedures.md §2.4)."""

from tests.support.drive import Drive
from tests.support.sandbox import Sandbox

PIPE = "/v0/pipes/members_sorted_copy_pipe/copy"
ROWS_PER_S = 40.0  # of the platform's clock: a run of the copy lasts more than a minute


def test_a_waiting_run_is_cancelled_and_a_working_one_awaited(sandbox: Sandbox, drive: Drive) -> None:
    before = copied(sandbox)
    sandbox.knobs(tinybird__copy_rows_per_s=ROWS_PER_S)
    run = drive.run("/tb migrate members add field nickname text --strategy recreate")
    pause = next(step.number for step in drive.view(run).steps if step.op == "tinybird.copy.pause/1")
    drive.until_step(run, pause)
    working, waiting = (by_hand(sandbox) for _ in range(2))
    sandbox.until(lambda: status(sandbox, working) == "working", what="the run that has begun")
    assert status(sandbox, waiting) == "waiting"
    began = sandbox.clock.time()

    drive.until_step(run, pause + 1)
    assert status(sandbox, waiting) == "cancelled"
    assert status(sandbox, working) == "done"
    assert sandbox.clock.time() - began > 30, "the working run was not awaited"
    assert copied(sandbox) >= before


def by_hand(sandbox: Sandbox) -> str:
    return str(sandbox.tinybird.post(PIPE).json()["job"]["id"])


def status(sandbox: Sandbox, job: str) -> str:
    return str(sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"])


def copied(sandbox: Sandbox) -> int:
    return int(sandbox.tb("SELECT count() AS n FROM members_sorted")[0]["n"])
