"""A run is aborted after each of its steps, and its workers are killed, while a copy that looks back stands still for
longer than that: whatever became of the run, the copy's target lacks no row (facts/procedures.md §2.3, §2.7)."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support import lately
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.people import People
from tests.support.sandbox import Sandbox
from tests.support.seeds import new_seed

pytestmark = [pytest.mark.faults, pytest.mark.long]

STEPS = 22
RECREATE = "/tb migrate collections add field hint text --strategy recreate"
LONG_S = 5 * 3600.0
RAN = f"tinybird POST /v0/pipes/{lately.COPY}__gap_run_{{}}/copy"


def number_of(drive: Drive, run: int, op: str) -> int:
    return next(step.number for step in drive.view(run).steps if step.op == op)


def stand_still(drive: Drive, run: int, until: int) -> None:
    """Somebody changes collections while the copy stands still, and then hours pass, if the run comes so far."""
    held = number_of(drive, run, "connect.connector.pause/1")
    drive.until_step(run, min(until, held) + 1)
    lately.change(drive.sandbox, "meanwhile")
    drive.until_step(run, until + 1)
    if held <= until:
        drive.let_pass(LONG_S)


def nothing_is_missed(drive: Drive, sandbox: Sandbox) -> None:
    drive.let_pass(lately.PERIOD_S)
    arrived = "SELECT toString(count()) AS n FROM collections FINAL WHERE slug LIKE '%meanwhile'"
    sandbox.until(lambda: sandbox.tb(arrived) == [{"n": "4"}], what="what somebody changed meanwhile")
    drive.let_pass(lately.PERIOD_S)
    assert lately.missed(sandbox, "meanwhile") == []


@pytest.mark.parametrize("done", range(STEPS))
def test_an_aborted_run_leaves_no_gap(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, done: int
) -> None:
    lately.make(sandbox)
    run = drive.run(lately.ASKED)
    assert len(drive.view(run).steps) == STEPS + 1
    stand_still(drive, run, done)
    people.ben.types(f"/tb abort {run}")
    drive()
    assert drive.state(run) in ("aborted", "failed"), drive.thread(run)  # a hold that lasts too long ends by itself
    assert lately.schedule(sandbox) == "running", drive.thread(run)
    assert lately.runs_own_pipes(sandbox) == []
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    nothing_is_missed(drive, sandbox)


@pytest.mark.parametrize("op", ["sequin.sink.pause/1", "connect.connector.pause/1"])
def test_what_waited_in_sequin_is_awaited_on_the_way_back(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, op: str
) -> None:
    """Its rows have versions of hours ago when they come."""
    lately.make(sandbox)
    run = drive.run(RECREATE)
    drive.until_step(run, number_of(drive, run, "sequin.sink.pause/1") + 1)
    lately.change(sandbox, "meanwhile")
    drive.until_step(run, number_of(drive, run, op) + 1)
    drive.let_pass(LONG_S)
    people.ben.types(f"/tb abort {run}")
    drive()
    assert lately.schedule(sandbox) == "running", drive.thread(run)
    ending.the_ledger_is_sound(run)
    nothing_is_missed(drive, sandbox)


def test_a_retry_copies_what_was_missed_since_the_first_run(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending
) -> None:
    lately.make(sandbox)
    run = drive.run(RECREATE)
    drive.until_step(run, number_of(drive, run, "sequin.sink.pause/1") + 1)
    lately.change(sandbox, "meanwhile")
    drive.until_step(run, number_of(drive, run, "proof.values/1"))
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert lately.schedule(sandbox) == "shutdown"
    left = [entry.said for entry in drive.view(run).restore if entry.state == "left"]
    assert any(said and f"{lately.COPY} stays paused" in said for said in left), left
    drive.let_pass(LONG_S)
    retry = drive.run(f"/tb retry {run}")
    drive.until(retry, "succeeded")
    assert lately.schedule(sandbox) == "running"
    assert lately.runs_own_pipes(sandbox) == []
    ending.the_ledger_is_sound(retry)
    nothing_is_missed(drive, sandbox)


@pytest.fixture
def mortal(drive: Drive, sandbox: Sandbox, ending: Ending) -> Callable[..., Mortal]:
    """Workers die at each boundary that is ``wanted``, once; the run succeeds all the same, or is put back."""

    def run_through(wanted: Callable[[object], bool], *, end: str) -> Mortal:
        lately.make(sandbox)
        run = drive.run(lately.ASKED)
        switched = number_of(drive, run, "tinybird.datasource.switch/1")
        stand_still(drive, run, switched)
        if end == "aborted":
            drive.until_step(run, number_of(drive, run, "tinybird.copy.gap-run/1"))
            drive.people.ben.types(f"/tb abort {run}")
        sandbox.knobs(tinybird__copy_rows_per_s=4.0)  # a copy lasts some looks
        after = sandbox.log.last()
        died = Mortal(drive, run, once(wanted))
        drive.until(run, end)
        had = ending.had(after=after)
        copy = lately.COPY
        assert {call: had[call] for call in had if copy in call or call == "tinybird POST /v0/pipes"} == {
            "tinybird POST /v0/pipes": 1,
            RAN.format(run): 1,
            f"tinybird DELETE /v0/pipes/{copy}__gap_run_{run}": 1 if end == "succeeded" else 2,
            f"tinybird POST /v0/pipes/{copy}/copy/resume": 1,
        }, drive.thread(run)
        assert Counter(had)["connect PUT /connectors/tinybird-sink/resume"] == (end == "succeeded")
        assert lately.runs_own_pipes(sandbox) == []
        ending.the_ledger_is_sound(run)
        nothing_is_missed(drive, sandbox)
        return died

    return run_through


@pytest.mark.parametrize("end", ["succeeded", "aborted"])
def test_killed_from_intent_to_commit_what_was_missed_is_copied_once(mortal: Callable[..., Mortal], end: str) -> None:
    seed = new_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    assert mortal(lambda at: at.matters or chance.random() < LOOKS, end=end).deaths


@pytest.mark.timeout(900)
@pytest.mark.parametrize("end", ["succeeded", "aborted"])
def test_killed_at_every_boundary_what_was_missed_is_copied_once(mortal: Callable[..., Mortal], end: str) -> None:
    assert mortal(lambda _: True, end=end).deaths
