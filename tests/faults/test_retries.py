"""A run ended before its end: `/tb retry` finishes what it left, and the end is that of a run that succeeded."""

from collections.abc import Callable

import pytest

from tests.faults.test_aborts import FED, TOUCHED, aborted, change, watched
from tests.support.drive import Drive
from tests.support.ending import COPIES_OF_MEMBERS, Ending
from tests.support.people import People
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.faults

__all__ = ["watched"]  # a fixture

PROVEN = 17  # after this step of a recreate
COPY = next(iter(COPIES_OF_MEMBERS))


@pytest.fixture
def left(watched: Drive, people: People, sandbox: Sandbox, migrate: Callable[[str], int]) -> Callable[[int], int]:
    """A recreate that Ben aborted once so many steps were done, changes having come meanwhile."""

    def made(done: int) -> int:
        run = migrate("recreate")
        aborted(watched, people, run, done)
        change(sandbox)
        return run

    return made


def titles(drive: Drive, run: int) -> list[str]:
    return [step.title for step in drive.view(run).steps]


def finished(drive: Drive, ending: Ending, run: int) -> int:
    """The run that goes on with it, to its end."""
    following = drive.run(f"/tb retry {run}")
    drive.until(following, "succeeded")
    ending.it_succeeded(following)
    return following


@pytest.mark.parametrize("done", [FED, FED + 2])
def test_what_an_abort_behind_the_switch_left_is_finished(
    watched: Drive, ending: Ending, left: Callable[[int], int], done: int
) -> None:
    run = left(done)
    assert "Finish what is left" in watched.card(run).buttons
    following = finished(watched, ending, run)
    assert titles(watched, following)[0] == "Start a backfill of public.members on members_sink"
    assert titles(watched, following)[-2] == f"Resume the copy pipe {COPY}"
    old = watched.card(run)
    assert f"Run {following} goes on with what was left" in old.text
    assert "Finish what is left" not in old.buttons
