"""A copy and switch of activities is aborted after each of its steps, and its workers are killed at its boundaries.

Whatever happens the writers write again, no row of theirs is lost, the table is the old one or the new one, and
nothing that was made for the run is left.
"""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support import activities
from tests.support.activities import ASKED, COPY, WRITERS
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.people import People
from tests.support.sandbox import Sandbox
from tests.support.seams import Boundary
from tests.support.seeds import new_seed

pytestmark = pytest.mark.faults

SEED = new_seed()
STEPS = 29
SWITCHED, FED = 16, 19  # after these the new table stands, and takes rows
CHOSEN = (19,)  # the others lie between two like them; for time alone


@pytest.fixture
def seeded(sandbox: Sandbox) -> set[str]:
    """What is there before; writers write from now on, and a page reads the table."""
    activities.publish(sandbox)
    found = activities.ids(sandbox)
    sandbox.knobs(kubernetes__writes_per_s=5.0)
    return found


@pytest.mark.parametrize("rewrites", [False, pytest.param(True, marks=pytest.mark.long)], ids=["stay", "rewritten"])
@pytest.mark.parametrize("done", [n if n in CHOSEN else pytest.param(n, marks=pytest.mark.long) for n in range(STEPS)])
def test_an_aborted_rename_loses_no_row_and_leaves_nothing_stopped(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, seeded: set[str], done: int, rewrites: bool
) -> None:
    sandbox.knobs(tinybird__rename_rewrites_references=rewrites)
    before = sandbox.tinybird.get("/v0/datasources/activities").json()["id"]
    run = drive.run(ASKED)
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    new = done >= FED
    assert (sandbox.tinybird.get("/v0/datasources/activities").json()["id"] != before) == new, drive.thread(run)
    assert activities.tables(sandbox) == {"activities", *([f"activities__before_run_{run}"] if new else [])}
    assert activities.pipes(sandbox) == set()
    assert activities.writers_run(sandbox)
    assert ending.schedule(COPY) == "running"
    assert ending.running()["connector"] == "RUNNING"
    ending.the_ledger_is_sound(run)
    assert activities.shown(sandbox) is not None
    activities.all_is_there(sandbox, seeded, column=new)


def planned(run: int) -> Counter[str]:
    """How often each call that changes something is had."""
    scale = "kubernetes PATCH /apis/apps/v1/namespaces/{}/deployments/{}/scale"
    return Counter([
        "tinybird POST /v0/datasources",
        "tinybird POST /v0/pipes",
        f"tinybird POST /v0/pipes/{COPY}/copy/pause",
        *(scale.format("production", name) for name in 2 * WRITERS),  # stopped, started
        f"tinybird DELETE /v0/pipes/activities__copy_run_{run}",
        "connect PUT /connectors/tinybird-sink/pause",
        f"tinybird PUT /v0/datasources/activities__before_run_{run}",  # by their ids
        "tinybird PUT /v0/datasources/activities",
        "tinybird PUT /v0/tokens/connect",
        "connect PUT /connectors/tinybird-sink/resume",
        f"tinybird POST /v0/pipes/{COPY}/copy",
        f"tinybird POST /v0/pipes/{COPY}/copy/resume",
        "tinybird PUT /v0/tags/activities",
        "tinybird PUT /v0/tags/raw",
    ])  # fmt: skip


@pytest.fixture
def mortal(drive: Drive, sandbox: Sandbox, ending: Ending, seeded: set[str]) -> Callable[..., Mortal]:
    """A run whose workers die at each boundary that is ``wanted``, once; it succeeds all the same."""

    def run_through(wanted: Callable[[Boundary], bool]) -> Mortal:
        run = drive.run(ASKED)
        after = sandbox.log.last()
        died = Mortal(drive, run, once(wanted))
        drive.until(run, "succeeded")
        print(f"{len(died.deaths)} deaths in {len({death.place for death in died.deaths})} places")
        had = Counter({call.replace(sandbox.namespace, "production"): n for call, n in ending.had(after=after).items()})
        copying = f"tinybird POST /v0/pipes/activities__copy_run_{run}/copy"
        ranges = [e["query"] for e in sandbox.log.find(*copying.split(" ", 1), after=after) if (e["status"] or 0) < 400]
        assert had.pop(copying) == len(ranges) == len(set(ranges)) >= 4, ranges  # three ranges at least, the catch-up
        assert had == planned(run), drive.thread(run)
        ending.the_ledger_is_sound(run)
        assert activities.writers_run(sandbox)
        activities.all_is_there(sandbox, seeded)
        return died

    return run_through


@pytest.mark.long
def test_killed_while_names_are_switched_a_rename_has_each_effect_once(mortal: Callable[..., Mortal]) -> None:
    """At every boundary of the switch itself, and at some that matter elsewhere."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    switch = f"plan {SWITCHED},"
    died = mortal(lambda at: at.place.startswith(switch) or (at.matters and chance.random() < 0.12))
    assert any(death.effect for death in died.deaths)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_from_intent_to_commit_a_rename_has_each_effect_once(mortal: Callable[..., Mortal]) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    died = mortal(lambda at: at.matters or chance.random() < LOOKS)
    assert any(death.effect for death in died.deaths)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_at_every_boundary_a_rename_has_each_effect_once(mortal: Callable[..., Mortal]) -> None:
    assert mortal(lambda _: True).deaths
