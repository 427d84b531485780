"""A channel hears of a copy that failed: once, and when it is over; not of what was over before anybody listened."""

from collections.abc import Callable

import pytest

from tests.support.drive import Drive
from tests.support.looking import PIPE, fail, look
from tests.support.people import People
from tests.support.sandbox import Sandbox

__all__ = ["fail", "look"]  # fixtures


@pytest.fixture
def run(sandbox: Sandbox, drive: Drive) -> Callable[[], None]:
    """A copy is run to its end."""

    def _run() -> None:
        job = sandbox.tinybird.post(f"/v0/pipes/{PIPE}/copy").json()["job"]["job_id"]
        drive.let_pass(60.0)
        sandbox.until(
            lambda: sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] in ("done", "error"), what="its end"
        )

    return _run


def state(sandbox: Sandbox) -> list[tuple[str, str, str]]:
    found = sandbox.ledger("SELECT kind, name, state FROM ledger.incident ORDER BY id")
    return [(row["kind"], row["name"], row["state"]) for row in found]


def test_a_failed_copy_is_told_of_once(
    sandbox: Sandbox, people: People, drive: Drive, fail: Callable[[], None], look: Callable[[], None]
) -> None:
    look()

    fail()
    look()
    look()
    drive()

    assert state(sandbox) == [("failed", PIPE, "open")]
    (card,) = people.ben.sees("alerts")
    assert PIPE in card.text


def test_what_has_failed_and_not_recovered_is_told_of_by_the_first_look(
    sandbox: Sandbox, people: People, drive: Drive, fail: Callable[[], None], look: Callable[[], None]
) -> None:
    fail()
    look()
    drive()

    assert state(sandbox) == [("failed", PIPE, "open")]


def test_what_was_over_before_the_first_look_is_old_news(
    sandbox: Sandbox, people: People, drive: Drive, fail: Callable[[], None], run: Callable[[], None],
    look: Callable[[], None],
) -> None:  # fmt: skip
    fail()
    run()
    look()
    drive()

    assert state(sandbox) == []
    assert people.ben.sees("alerts") == []


def test_a_recovered_copy_closes_its_incident(
    sandbox: Sandbox, fail: Callable[[], None], run: Callable[[], None], look: Callable[[], None]
) -> None:
    look()
    fail()
    look()
    run()
    look()

    assert state(sandbox) == [("failed", PIPE, "closed")]
    (said,) = sandbox.ledger("SELECT said FROM ledger.incident_event WHERE what = 'closed'")
    assert f"The copy {PIPE} ran well at" in said["said"]
