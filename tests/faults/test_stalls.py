"""A backfill that stands still has people called, and one that they have tried again gets its patience anew."""

from collections.abc import Callable

import pytest

from runbooks.steps.backfills import STALLED_S
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.people import People
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.faults

AWAITED = 15  # the step of a recreate that waits for the backfill
LATE_S = STALLED_S + 300.0


@pytest.mark.long
def test_a_backfill_that_stood_still_is_waited_for_again_when_people_have_it_tried_again(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, migrate: Callable[[str], int]
) -> None:
    sandbox.knobs(sequin__backfill_start_delay_s=LATE_S)
    run = migrate("recreate")
    drive.until_step(run, AWAITED)
    drive.move()
    drive.let_pass(STALLED_S + 1.0)
    drive.until(run, "held")
    assert "has sent nothing for 15 min" in drive.card(run).text
    people.ben.types(f"/tb retry {run}")
    drive.talk()
    drive.move()  # looks: nothing has been sent yet
    assert drive.state(run) == "running", drive.thread(run)
    drive.let_pass(LATE_S - STALLED_S)
    drive.until(run, "succeeded")
    ending.it_succeeded(run)
