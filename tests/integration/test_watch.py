"""A channel hears of a copy that failed: once, and not of what failed before anybody listened."""

from collections.abc import Callable

import pytest

import workers.context
import workers.jobs
from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox

PIPE = "members_sorted_copy_pipe"


@pytest.fixture
def fail(sandbox: Sandbox, drive: Drive) -> Callable[[], None]:
    """A copy that needs longer than it may. Only this one: schedules fire whatever the hour, and begin as usual."""
    usual = sandbox.knobs()

    def _fail() -> None:
        sandbox.knobs(tinybird__copy_timeout_s=1, tinybird__copy_rows_per_s=1.0)
        job = sandbox.tinybird.post(f"/v0/pipes/{PIPE}/copy").json()["job"]["job_id"]
        drive.let_pass(0.0)  # it has begun
        sandbox.knobs(**{name: usual[name] for name in ("tinybird.copy_timeout_s", "tinybird.copy_rows_per_s")})
        drive.let_pass(60.0)
        sandbox.until(
            lambda: sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] == "error", what="the copy's failure"
        )

    return _fail


def test_a_failed_copy_is_told_of_once(people: People, drive: Drive, fail: Callable[[], None]) -> None:
    workers.context.configure(drive.worker)
    workers.jobs.watch(0)

    fail()
    workers.jobs.watch(0)
    workers.jobs.watch(0)
    drive()

    said = [message.text for message in people.ben.sees("alerts")]
    assert len(said) == 1
    assert PIPE in said[0]


def test_what_failed_before_the_first_look_is_old_news(people: People, drive: Drive, fail: Callable[[], None]) -> None:
    workers.context.configure(drive.worker)
    fail()
    workers.jobs.watch(0)
    drive()

    assert people.ben.sees("alerts") == []
