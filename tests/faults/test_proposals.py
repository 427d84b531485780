"""An offer that is aborted after each of its steps: nothing of it stays open, and it can be made again."""

import pytest

from tests.support.aborting import aborted
from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.project import REPO, in_main
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.faults

LINE = "/tb migrate members add field nickname text"
MIGRATION = "__add_nickname_to_members.sql"
STEPS = 5
MERGED = 4  # after this one it is in main


def open_pulls(sandbox: Sandbox) -> int:
    return len(sandbox.github.get(f"{REPO}/pulls", params={"state": "open"}).json())


@pytest.mark.long
@pytest.mark.parametrize("done", range(STEPS))
def test_an_aborted_offer_leaves_no_branch_and_no_pull_request(
    drive: Drive, people: People, sandbox: Sandbox, done: int
) -> None:
    run = drive.run(LINE)
    drive.until(run, "succeeded")
    unhurried(sandbox)
    before = in_main(sandbox)
    offered = drive.run(f"/tb propose {run}")
    assert len(drive.view(offered).steps) == STEPS
    unhurried(sandbox)
    aborted(drive, people, offered, done)
    after = in_main(sandbox)
    assert any(path.endswith(MIGRATION) for path in after) == (done >= MERGED)
    assert (after == before) == (done < MERGED)
    assert open_pulls(sandbox) == 0
    assert sandbox.github.get(f"{REPO}/git/ref/heads/tbops/run-{offered}").status_code == 404
    unhurried(sandbox)
    people.ana.types(f"/tb retry {offered}")
    drive()
    again = offered + 1
    unhurried(sandbox)
    if done < MERGED:
        drive.approve(again)
        unhurried(sandbox)
        drive.until(again, "succeeded")
        assert any(path.endswith(MIGRATION) for path in in_main(sandbox))
    else:
        assert drive.view(again).run.reason.startswith("There is nothing to do")
