"""A swap of members is aborted after each of its steps, and its workers are killed: no row of Postgres is lost."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.drive import Drive
from tests.support.ending import COPIES_OF_MEMBERS, Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.people import People
from tests.support.sandbox import SETTLE_S, Sandbox
from tests.support.seams import Boundary
from tests.support.seeds import new_seed

pytestmark = pytest.mark.faults

SEED = new_seed()
ASKED = "/tb migrate members sort by joinedAt, id"
STEPS = 18
FED = 13  # after this one the new table stands and takes rows
CHOSEN = (13,)  # the others lie between two like them; for time alone
COPY = "members__copy_run_{}"
PIPE = next(iter(COPIES_OF_MEMBERS))


def change(sandbox: Sandbox) -> None:
    sandbox.pg(
        'UPDATE members SET "displayName" = \'meanwhile\', "updatedAt" = clock_timestamp()'
        " WHERE id IN (SELECT id FROM members ORDER BY id LIMIT 3)"
    )


@pytest.mark.parametrize("rewrites", [False, pytest.param(True, marks=pytest.mark.long)], ids=["stay", "rewritten"])
@pytest.mark.parametrize("done", [n if n in CHOSEN else pytest.param(n, marks=pytest.mark.long) for n in range(STEPS)])
def test_an_aborted_swap_leaves_everything_running_on_the_old_table_or_the_new(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, done: int, rewrites: bool
) -> None:
    sandbox.knobs(tinybird__rename_rewrites_references=rewrites)
    before = sandbox.tinybird.get("/v0/datasources/members").json()["id"]
    run = drive.run(ASKED)
    drive.until_step(run, done // 2 + 1)
    change(sandbox)
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    new = done >= FED
    assert (sandbox.tinybird.get("/v0/datasources/members").json()["id"] != before) == new, drive.thread(run)
    names = {each["name"] for each in sandbox.tinybird.get("/v0/datasources").json()["datasources"]}
    assert {n for n in names if n.startswith("members__")} == ({f"members__before_run_{run}"} if new else set())
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    assert "members__" not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text
    arrived = "SELECT toString(count()) AS n FROM members FINAL WHERE displayName = 'meanwhile'"
    sandbox.clock.advance(5.0, settle_s=SETTLE_S)
    sandbox.until(lambda: sandbox.tb(arrived) == [{"n": "3"}], what="what somebody changed meanwhile")
    ending.same_rows("displayName")


@pytest.fixture
def mortal(drive: Drive, sandbox: Sandbox, ending: Ending) -> Callable[..., Mortal]:
    """A swap whose workers die at each boundary that is ``wanted``, once; it succeeds all the same."""

    def run_through(wanted: Callable[[Boundary], bool]) -> Mortal:
        run = drive.run(ASKED)
        after = sandbox.log.last()
        died = Mortal(drive, run, once(wanted))
        drive.until(run, "succeeded")
        print(f"{len(died.deaths)} deaths in {len({death.place for death in died.deaths})} places")
        copying = f"tinybird POST /v0/pipes/{COPY.format(run)}/copy"
        had = ending.had(after=after)
        assert had.pop(copying) >= 6  # five ranges at least, and the catch-up
        assert had == Counter([
            "tinybird POST /v0/datasources",
            "tinybird POST /v0/pipes",
            f"tinybird POST /v0/pipes/{PIPE}/copy/pause",
            "connect PUT /connectors/tinybird-sink/pause",
            f"tinybird DELETE /v0/pipes/{COPY.format(run)}",
            f"tinybird PUT /v0/datasources/members__before_run_{run}",
            "tinybird PUT /v0/datasources/members",
            "tinybird PUT /v0/tokens/connect",
            "connect PUT /connectors/tinybird-sink/resume",
            f"tinybird POST /v0/pipes/{PIPE}/copy",
            f"tinybird POST /v0/pipes/{PIPE}/copy/resume",
            "tinybird PUT /v0/tags/members",
            "tinybird PUT /v0/tags/raw",
        ]), drive.thread(run)  # fmt: skip
        ending.nothing_is_paused()
        ending.the_ledger_is_sound(run)
        ending.same_rows("displayName")
        return died

    return run_through


@pytest.mark.long
def test_killed_from_intent_to_commit_a_swap_has_each_effect_once(mortal: Callable[..., Mortal]) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    died = mortal(lambda at: at.matters or chance.random() < LOOKS)
    assert any(death.effect for death in died.deaths)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_at_every_boundary_a_swap_has_each_effect_once(mortal: Callable[..., Mortal]) -> None:
    assert mortal(lambda _: True).deaths
