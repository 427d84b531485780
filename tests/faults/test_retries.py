"""A run ended before its end: `/tb retry` finishes what it left, and the end is that of a run that succeeded."""

from collections.abc import Callable

import pytest

from tests.support import activities
from tests.support.aborting import FED, TOUCHED, aborted, change
from tests.support.drive import Drive
from tests.support.ending import COPIES_OF_MEMBERS, Ending
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.faults

PROVEN = 17  # after this step of a recreate
SWEPT = 18
COPY = next(iter(COPIES_OF_MEMBERS))


@pytest.fixture
def left(watched: Drive, people: People, sandbox: Sandbox, migrate: Callable[[str], int]) -> Callable[[int], int]:
    """A recreate that Ben aborted once so many steps were done, changes having come meanwhile."""

    def made(done: int) -> int:
        run = migrate("recreate")
        aborted(watched, people, run, done)
        change(sandbox)
        unhurried(sandbox)
        return run

    return made


def titles(drive: Drive, run: int) -> list[str]:
    return [step.title for step in drive.view(run).steps]


def finished(drive: Drive, ending: Ending, run: int) -> int:
    """The run that goes on with it, to its end."""
    unhurried(drive.sandbox)
    following = drive.run(f"/tb retry {run}")
    drive.until(following, "succeeded")
    ending.it_succeeded(following)
    return following


@pytest.mark.parametrize("done", [FED, pytest.param(FED + 2, marks=pytest.mark.long)])
def test_what_an_abort_behind_the_switch_left_is_finished(
    watched: Drive, ending: Ending, left: Callable[[int], int], done: int
) -> None:
    run = left(done)
    assert "Finish what is left" in watched.card(run).buttons
    following = finished(watched, ending, run)
    assert titles(watched, following)[0] == "Start a backfill of public.members on members_sink"
    assert titles(watched, following)[-3] == f"Resume the copy pipe {COPY}"
    old = watched.card(run)
    assert f"Run {following} took up what was left" in old.text
    assert "Finish what is left" not in old.buttons


@pytest.mark.long
@pytest.mark.parametrize("done", [pytest.param(3, marks=pytest.mark.long), TOUCHED])
def test_a_run_that_left_nothing_is_planned_anew(
    watched: Drive, ending: Ending, left: Callable[[int], int], done: int
) -> None:
    run = left(done)
    following = finished(watched, ending, run)
    assert watched.view(following).run.strategy == "recreate"
    assert "Set members aside under another name" in titles(watched, following)


def test_an_alter_goes_on_where_it_ended(
    watched: Drive, people: People, ending: Ending, migrate: Callable[[str], int]
) -> None:
    run = migrate("alter")
    aborted(watched, people, run, 2)
    following = finished(watched, ending, run)
    assert titles(watched, following) == titles(watched, run)[2:]


@pytest.mark.long  # the plan alone is tried in tests/unit/runbooks/test_finish.py
def test_a_run_whose_table_is_proven_and_swept_left_nothing(
    watched: Drive, people: People, left: Callable[[int], int]
) -> None:
    run = left(SWEPT)
    people.ana.types(f"/tb retry {run}")
    watched()
    following = watched.view(run + 1).run
    assert following.state == "refused"
    assert following.reason == (
        f"Nothing of run {run} is left to finish: members is proven, and all that was stopped runs."
    )


@pytest.mark.long
def test_a_table_that_was_deleted_is_made_filled_and_read_again(
    watched: Drive, people: People, sandbox: Sandbox, ending: Ending, migrate: Callable[[str], int]
) -> None:
    """Where the workspace cannot rename, an abort between delete and create leaves sink and connector paused."""
    sandbox.ledger("INSERT INTO ledger.capability (environment, name, value) VALUES ('sandbox', 'rename', 'refused')")
    run = migrate("recreate")
    aborted(watched, people, run, TOUCHED)
    assert ending.running() == {"sink": "paused", "connector": "PAUSED"}
    change(sandbox)
    following = finished(watched, ending, run)
    assert titles(watched, following)[:2] == [
        "Create members with the new schema",
        "Give tokens their scopes on members back",
    ]
    assert titles(watched, following)[-1] == "Put the tags members, raw on members again"


@pytest.mark.long
def test_what_people_did_by_hand_meanwhile_is_found_done(
    watched: Drive, sandbox: Sandbox, ending: Ending, left: Callable[[int], int]
) -> None:
    """Somebody resumes the copy, which may not read the table yet, and starts the backfill."""
    run = left(FED)
    watched.watches.clear()  # the copy that is resumed by hand does what the run kept it from
    sandbox.tinybird.post(f"/v0/pipes/{COPY}/copy/resume")
    sandbox.sequin.post("/api/sinks/members_sink/backfills", json={"table": "public.members"})
    following = finished(watched, ending, run)
    assert titles(watched, following)[0] == f"Pause the copy pipe {COPY}"
    assert not any("Start a backfill" in title for title in titles(watched, following))


@pytest.mark.long
def test_a_retry_that_is_aborted_leaves_the_same_and_is_retried(
    watched: Drive, people: People, ending: Ending, left: Callable[[int], int]
) -> None:
    run = left(FED)
    second = watched.run(f"/tb retry {run}")
    aborted(watched, people, second, 1)
    assert [entry.op for entry in watched.view(second).restore if entry.state == "left"] == [
        "tinybird.copy.restore/1",
        "tinybird.datasource.put-back/1",
    ]
    assert ending.schedule(COPY) == "shutdown"
    third = finished(watched, ending, run)  # said of the first, it goes on with what the second left
    assert watched.view(second).followed == third


@pytest.mark.long
def test_a_worker_that_dies_in_the_middle_of_a_retry_is_taken_over(
    watched: Drive, ending: Ending, left: Callable[[int], int]
) -> None:
    run = left(FED)
    following = watched.run(f"/tb retry {run}")
    for number in range(1, len(titles(watched, following)) + 1):
        watched.until_step(following, number)
        watched.take_over()
    watched.until(following, "succeeded")
    ending.it_succeeded(following)


def test_two_who_retry_at_once_get_one_run(watched: Drive, people: People, left: Callable[[int], int]) -> None:
    run = left(FED)
    people.ana.types(f"/tb retry {run}")
    people.ben.types(f"/tb retry {run}")
    watched()
    assert watched.state(run + 1) == "proposed"
    said = f"Run {run + 1} goes on with what run {run} left already; it is being planned."
    assert said in [message.text for message in people.ben.sees()]


def test_writers_that_could_not_be_started_again_are_started_by_a_retry(
    drive: Drive, sandbox: Sandbox, people: People
) -> None:
    """The right to scale is lost while they are stopped, and somebody gives it back later."""
    run = drive.run(activities.ASKED)
    steps = drive.view(run).steps
    drive.until_step(run, next(step.number for step in steps if step.op == "kubernetes.deployment.await-gone/1"))
    sandbox.knobs(kubernetes__may_scale=False)
    people.ben.types(f"/tb abort {run}")
    drive.talk()
    drive.until(run, "aborted")
    assert not any(sandbox.replicas(name) for name in activities.WRITERS)
    sandbox.knobs(kubernetes__may_scale=True)
    unhurried(sandbox)
    following = drive.run(f"/tb retry {run}")
    assert len(titles(drive, following)) == 2 * len(activities.WRITERS), "started and awaited, and nothing else"
    drive.until(following, "succeeded")
    assert activities.writers_run(sandbox)


@pytest.mark.long
def test_what_postgres_no_longer_has_goes_though_the_run_ended_behind_its_proof(
    watched: Drive, ending: Ending, left: Callable[[int], int]
) -> None:
    run = left(PROVEN)
    following = finished(watched, ending, run)
    assert titles(watched, following) == [
        "Delete from members the rows that Postgres no longer has",
        "Prove by value that members holds what Postgres holds: 12 columns",
    ]
