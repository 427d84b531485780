"""The watch looks when a test says so, and a copy fails when a test says so."""

from collections.abc import Callable

import pytest

import workers.context
import workers.jobs
from tests.support.drive import Drive
from tests.support.sandbox import Sandbox

PIPE = "members_sorted_copy_pipe"

Look = Callable[[], None]


@pytest.fixture
def look(drive: Drive) -> Look:
    """The watch looks once."""

    def _look() -> None:
        workers.context.configure(drive.worker)
        workers.jobs.watch(0)

    return _look


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
