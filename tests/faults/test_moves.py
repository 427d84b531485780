"""Readers are moved to a mirror and back while the table is replaced: aborted after each step, workers killed."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support import collections
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.people import People
from tests.support.sandbox import SETTLE_S, Sandbox
from tests.support.seams import Boundary
from tests.support.seeds import new_seed

pytestmark = pytest.mark.faults

SEED = new_seed()
SWAPPED = "/tb migrate collections sort by slug, id"
REBUILT = "/tb migrate collections add field note text --strategy pipe-by-pipe"
STEPS = {SWAPPED: 30, REBUILT: 33}
NEW = {SWAPPED: 23, REBUILT: 23}  # after this step the new table stands and takes rows
PROVEN = {SWAPPED: 16, REBUILT: 26}  # after this one the new rows are proven
CHOSEN = {(REBUILT, 24)}  # the others lie between two like them; for time alone


def every() -> list[object]:
    cases = [(asked, done) for asked in STEPS for done in range(1, STEPS[asked])]
    names = {SWAPPED: "swapped", REBUILT: "rebuilt"}
    return [
        pytest.param(*case, id=f"{names[case[0]]}-{case[1]}", marks=() if case in CHOSEN else pytest.mark.long)
        for case in cases
    ]


@pytest.fixture
def read_always(drive: Drive, sandbox: Sandbox) -> Drive:
    """After each move of a run the page answers."""

    def answers() -> None:
        assert collections.page(sandbox) is not None

    drive.watches.append(answers)
    return drive


@pytest.mark.parametrize(("asked", "done"), every())
def test_an_aborted_run_leaves_readers_where_rows_are(
    read_always: Drive, people: People, sandbox: Sandbox, ending: Ending, asked: str, done: int
) -> None:
    drive, before = read_always, collections.nodes(sandbox)
    table = sandbox.tinybird.get("/v0/datasources/collections").json()["id"]
    run = drive.run(asked)
    assert len(drive.view(run).steps) == STEPS[asked], drive.thread(run)
    drive.until_step(run, done // 2 + 1)
    collections.change(sandbox, "0 meanwhile")
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    same = sandbox.tinybird.get("/v0/datasources/collections").json()["id"] == table
    assert same == (done < NEW[asked]), drive.thread(run)
    assert ending.running() == {"sink": "active", "connector": "RUNNING"}
    if same or done >= PROVEN[asked]:
        assert collections.nodes(sandbox) == before, drive.thread(run)
        assert collections.strays(sandbox) == (set() if same else {f"collections__before_run_{run}"})
        ending.nothing_is_paused()
        ending.the_ledger_is_sound(run)
    else:
        assert f"collections__mirror_run_{run}" in collections.nodes(sandbox)[0]
        assert ending.schedule(collections.COPY) == "shutdown"
        assert f"{collections.READER} goes on reading the mirror" in drive.card(run).words
        following = drive.run(f"/tb retry {run}")
        drive.until(following, "succeeded")
        assert collections.nodes(sandbox) == before
        assert collections.strays(sandbox) == {f"collections__before_run_{run}"}
        ending.nothing_is_paused()
        ending.the_ledger_is_sound(following)
    sandbox.clock.advance(5.0, settle_s=SETTLE_S)
    collections.same_rows(sandbox, "name", "slug")
    assert "0 meanwhile" in str(collections.page(sandbox))


@pytest.fixture
def mortal(read_always: Drive, sandbox: Sandbox, ending: Ending) -> Callable[..., Mortal]:
    """A run whose workers die at each boundary that is ``wanted``, once; it succeeds all the same."""

    def run_through(wanted: Callable[[Boundary], bool]) -> Mortal:
        drive, before = read_always, collections.nodes(sandbox)
        run = drive.run(SWAPPED)
        after = sandbox.log.last()
        died = Mortal(drive, run, once(wanted))
        drive.until(run, "succeeded")
        print(f"{len(died.deaths)} deaths in {len({death.place for death in died.deaths})} places")
        copy, mirror = f"collections__copy_run_{run}", f"collections__mirror_copy_run_{run}"
        feed = f"/v0/pipes/collections__feed_run_{run}"
        moved = [call for call in ending.changes(after=after) if "/nodes/" in call and call.endswith("PUT") is False]
        had = Counter(_plain(call) for call in ending.had(after=after).elements())
        assert had == Counter([
            "tinybird POST /v0/datasources", "tinybird POST /v0/datasources",
            "tinybird POST /v0/pipes", "tinybird POST /v0/pipes", "tinybird POST /v0/pipes",
            f"tinybird POST /v0/pipes/{mirror}/copy", f"tinybird DELETE /v0/pipes/{mirror}",
            "tinybird PUT a node", "tinybird PUT a node",
            f"tinybird POST /v0/pipes/{copy}/copy", f"tinybird POST /v0/pipes/{copy}/copy",
            f"tinybird DELETE /v0/pipes/{copy}",
            f"tinybird POST /v0/pipes/{collections.COPY}/copy/pause",
            "connect PUT /connectors/tinybird-sink/pause",
            "tinybird DELETE a node", f"tinybird DELETE {feed}",
            f"tinybird PUT /v0/datasources/collections__before_run_{run}", "tinybird PUT /v0/datasources/collections",
            "tinybird PUT /v0/tokens/connect",
            "connect PUT /connectors/tinybird-sink/resume",
            "tinybird DELETE a data source",
            f"tinybird POST /v0/pipes/{collections.COPY}/copy",
            f"tinybird POST /v0/pipes/{collections.COPY}/copy/resume",
            "tinybird PUT /v0/tags/collections", "tinybird PUT /v0/tags/raw",
        ]), drive.thread(run)  # fmt: skip
        assert moved
        assert collections.nodes(sandbox) == before
        ending.nothing_is_paused()
        ending.the_ledger_is_sound(run)
        collections.same_rows(sandbox, "name", "slug")
        return died

    return run_through


def _plain(call: str) -> str:
    """Nodes and tables that are gone have ids that no test knows."""
    system, method, path = call.split(" ", 2)
    if "/nodes/" in path:
        return f"{system} {method} a node"
    gone = method == "DELETE" and path.startswith("/v0/datasources/")
    return f"{system} {method} a data source" if gone else call


@pytest.mark.long
def test_killed_from_intent_to_commit_readers_are_moved_once_each_way(mortal: Callable[..., Mortal]) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    died = mortal(lambda at: at.matters or chance.random() < LOOKS)
    assert any(death.effect for death in died.deaths)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_at_every_boundary_readers_are_moved_once_each_way(mortal: Callable[..., Mortal]) -> None:
    assert mortal(lambda _: True).deaths
