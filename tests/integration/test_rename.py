"""A field computed for activities by a copy and a switch of names, while the platform writes (procedures.md §4)."""

import pytest

from tests.support import activities
from tests.support.activities import ASKED
from tests.support.drive import Drive
from tests.support.sandbox import Sandbox

SWITCH = "tinybird.datasource.switch-written/1"


@pytest.fixture
def seeded(sandbox: Sandbox) -> set[str]:
    """The activities that are there before; the writers write from now on, and a page reads the table."""
    activities.publish(sandbox)
    found = activities.ids(sandbox)
    sandbox.knobs(kubernetes__writes_per_s=15.0, connect__offset_flush_s=1.0)
    return found


def number_of(drive: Drive, run: int, op: str) -> int:
    return next(step.number for step in drive.view(run).steps if step.op == op)


@pytest.mark.parametrize(
    "rewrites", [pytest.param(False, marks=pytest.mark.long), True], ids=["names stay", "rename rewrites"]
)
def test_nothing_is_lost_and_everything_runs_again(
    drive: Drive, sandbox: Sandbox, seeded: set[str], rewrites: bool
) -> None:
    sandbox.knobs(tinybird__rename_rewrites_references=rewrites)
    run = drive.run(ASKED)
    broken = 0

    def page_is_read() -> None:
        nonlocal broken
        broken += activities.shown(sandbox) is None

    drive.watches.append(page_is_read)
    view = drive.until(run, "succeeded")
    activities.all_is_there(sandbox, seeded)
    assert activities.writers_run(sandbox)
    assert activities.tables(sandbox) == {"activities", f"activities__before_run_{run}"}
    assert activities.pipes(sandbox) == set()
    assert activities.ids(sandbox, f"activities__before_run_{run}") >= seeded
    assert sandbox.connector()["connector"]["state"] == "RUNNING"
    assert sandbox.tinybird.get(f"/v0/pipes/{activities.COPY}").json()["schedule"]["status"] == "running"
    assert f"activities__before_run_{run}" not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text
    assert broken <= 1  # a look between the two renames, at most
    assert view.run.found["proven"] == ["activities"]


def test_a_crash_between_the_two_renames_is_mended_at_the_next_look(
    drive: Drive, sandbox: Sandbox, seeded: set[str]
) -> None:
    run = drive.run(ASKED)
    drive.until_step(run, number_of(drive, run, SWITCH))
    sandbox.faults.add("tinybird", "PUT /v0/datasources/*", "drop_after")
    while activities.shown(sandbox) is not None:
        drive.move()
    drive.take_over()  # the worker that made the first rename never heard of it
    looks = 0
    while activities.shown(sandbox) is None:
        drive.move()
        looks += 1
    assert looks <= 2, "the first finds it, the next one goes on"
    drive.until(run, "succeeded")
    activities.all_is_there(sandbox, seeded)


@pytest.mark.long  # the next one finds such a writer earlier
def test_rows_of_a_writer_that_nobody_named_stop_the_run_before_the_switch(
    drive: Drive, sandbox: Sandbox, seeded: set[str]
) -> None:
    run = drive.run(ASKED)
    drive.until_step(run, number_of(drive, run, SWITCH))
    row = activities.written(sandbox)[-1] | {"id": "nobody-knows-from-where"}
    assert sandbox.tinybird.post("/v0/events", params={"name": "activities", "wait": "true"}, json=row).is_success
    drive.until(run, "held")
    assert "unknown-writer: 1 row came into activities" in drive.view(run).run.reason
    assert activities.tables(sandbox) == {"activities", f"activities__run_{run}"}
    drive.people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert activities.writers_run(sandbox)
    activities.all_is_there(sandbox, seeded | {row["id"]}, column=False)


@pytest.mark.long
def test_a_writer_that_nobody_named_is_found_while_the_table_should_be_at_rest(
    drive: Drive, sandbox: Sandbox, seeded: set[str]
) -> None:
    run = drive.run(ASKED)
    drive.until_step(run, number_of(drive, run, "stream.still/1"))
    row = activities.written(sandbox)[-1]
    sent = 0

    def nightly_job() -> None:
        nonlocal sent
        sent += 1
        body = row | {"id": f"nightly-{sent}"}
        assert sandbox.tinybird.post("/v0/events", params={"name": "activities", "wait": "true"}, json=body).is_success

    drive.watches.append(nightly_job)
    drive.until(run, "held")
    assert "unknown-writer: activities still grows" in drive.view(run).run.reason
