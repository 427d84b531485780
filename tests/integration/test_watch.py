"""A channel hears of a copy that failed: once, and not of what failed before anybody listened."""

import pytest

import workers.context
import workers.jobs
from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox

PIPE = "members_sorted_copy_pipe"


def _fail(sandbox: Sandbox) -> None:
    """A copy that needs longer than it may."""
    sandbox.knobs(tinybird__copy_timeout_s=1, tinybird__copy_rows_per_s=1.0)
    job = sandbox.tinybird.post(f"/v0/pipes/{PIPE}/copy").json()["job"]["job_id"]
    sandbox.clock.advance(60)
    sandbox.until(lambda: sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] == "error")


@pytest.mark.long  # fails: other copies fail too when the clock moves
def test_a_failed_copy_is_told_of_once(sandbox: Sandbox, people: People, drive: Drive) -> None:
    workers.context.configure(drive.worker)
    workers.jobs.watch(0)

    _fail(sandbox)
    workers.jobs.watch(0)
    workers.jobs.watch(0)
    drive()

    said = [message.text for message in people.ben.sees("alerts")]
    assert len(said) == 1
    assert PIPE in said[0]


def test_what_failed_before_the_first_look_is_old_news(sandbox: Sandbox, people: People, drive: Drive) -> None:
    workers.context.configure(drive.worker)
    _fail(sandbox)
    workers.jobs.watch(0)
    drive()

    assert people.ben.sees("alerts") == []
