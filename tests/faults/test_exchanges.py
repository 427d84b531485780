"""An exchange of members, or of activities, is aborted after each of its steps, and its workers are killed: two tables
that change places twice are as they were, so that nothing may be asked for twice."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support import activities
from tests.support.drive import Drive
from tests.support.ending import COPIES_OF_MEMBERS, Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.people import People
from tests.support.sandbox import SETTLE_S, Sandbox
from tests.support.seams import Boundary
from tests.support.seeds import new_seed

pytestmark = pytest.mark.faults

SEED = new_seed()
MEMBERS = "/tb migrate members sort by joinedAt, id --strategy exchange"
ACTIVITIES = "/tb migrate activities sort by createdAt, id --strategy exchange"
CALL = "POST /v0/datasources/exchange"
STEPS, EXCHANGED, FED = 19, 10, 14  # of members; after the last two the new table stands, and takes rows
WRITTEN_STEPS, WRITTEN_FED = 30, 20  # of activities
PIPE = next(iter(COPIES_OF_MEMBERS))
WAYS = {"ids stay": (False, False), "ids move": (True, False), "pipes follow": (True, True)}
CHOSEN = ("pipes follow", EXCHANGED)  # the others lie around it; for time alone


def aborts(steps: int) -> list[object]:
    return [
        pytest.param(*WAYS[way], done, id=f"{way}-{done}", marks=[] if (way, done) == CHOSEN else pytest.mark.long)
        for way in WAYS
        for done in range(steps)
    ]


def enabled(sandbox: Sandbox, *, moved: bool, rewrites: bool) -> None:
    sandbox.knobs(
        tinybird__exchange_enabled=True,
        tinybird__exchange_moves_ids=moved,
        tinybird__rename_rewrites_references=rewrites,
    )
    for name in ("exchange", "exchange-keys"):
        sandbox.ledger(
            "INSERT INTO ledger.capability (environment, name, value) VALUES ('sandbox', %s, 'accepted')", [name]
        )


def change(sandbox: Sandbox) -> None:
    sandbox.pg(
        'UPDATE members SET "displayName" = \'meanwhile\', "updatedAt" = clock_timestamp()'
        " WHERE id IN (SELECT id FROM members ORDER BY id LIMIT 3)"
    )


def stands(sandbox: Sandbox, name: str) -> tuple[str, str]:
    """By which key the table is sorted, and its id."""
    found = sandbox.tinybird.get(f"/v0/datasources/{name}").json()
    return found["engine"]["sorting_key"], found["id"]


def made(sandbox: Sandbox, name: str) -> set[str]:
    """What runs made beside the table."""
    names = {each["name"] for each in sandbox.tinybird.get("/v0/datasources").json()["datasources"]}
    return {each for each in names if each.startswith(f"{name}__")}


@pytest.mark.parametrize(("moved", "rewrites", "done"), aborts(STEPS))
def test_an_aborted_exchange_leaves_everything_running_on_the_old_table_or_the_new(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, moved: bool, rewrites: bool, done: int
) -> None:
    enabled(sandbox, moved=moved, rewrites=rewrites)
    _, before = stands(sandbox, "members")
    run = drive.run(MEMBERS)
    drive.until_step(run, done // 2 + 1)
    change(sandbox)
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    new, kept = done >= FED, f"members__before_run_{run}"
    assert stands(sandbox, "members")[0] == ("joinedAt, id" if new else "id"), drive.thread(run)
    assert (stands(sandbox, "members")[1] == before) == (not (new and moved))
    assert made(sandbox, "members") == ({kept} if new else set())
    if new:
        assert stands(sandbox, kept)[0] == "id"
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    assert "members__" not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text
    arrived = "SELECT toString(count()) AS n FROM members FINAL WHERE displayName = 'meanwhile'"
    sandbox.clock.advance(5.0, settle_s=SETTLE_S)
    sandbox.until(lambda: sandbox.tb(arrived) == [{"n": "3"}], what="what somebody changed meanwhile")
    ending.same_rows("displayName")


def test_an_exchange_that_was_answered_is_never_asked_for_again(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending
) -> None:
    """Nothing of it is to be seen: had it only come late, a second one would undo it."""
    enabled(sandbox, moved=False, rewrites=False)
    run = drive.run(MEMBERS)
    sandbox.faults.add("tinybird", CALL, "status:200")
    drive.until(run, "held")
    assert "it was answered as done, and nothing of it is to be seen" in drive.view(run).run.reason
    assert sandbox.log.count("tinybird", CALL) == 1
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert sandbox.log.count("tinybird", CALL) == 1
    assert stands(sandbox, "members")[0] == "id"
    assert made(sandbox, "members") == set()
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)


@pytest.mark.long
@pytest.mark.parametrize("moved", [False, True], ids=["ids stay", "ids move"])
def test_what_a_person_let_run_again_keeps_the_new_table_and_the_old_one_under_the_name_that_it_got(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, moved: bool
) -> None:
    """An abort between the exchange and the rename: once rows may have come, neither table is deleted."""
    enabled(sandbox, moved=moved, rewrites=False)
    run = drive.run(MEMBERS)
    drive.until_step(run, EXCHANGED + 1)
    sandbox.connector_is("RUNNING")
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert stands(sandbox, "members")[0] == "joinedAt, id"
    assert made(sandbox, "members") == {f"members__run_{run}"}
    assert stands(sandbox, f"members__run_{run}")[0] == "id"
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    following = drive.run(f"/tb retry {run} --note 'on'")
    drive.until(following, "succeeded")
    assert made(sandbox, "members") == {f"members__run_{run}"}
    ending.nothing_is_paused()
    ending.same_rows("displayName")


@pytest.fixture
def seeded(sandbox: Sandbox) -> set[str]:
    """What is there before; writers write from now on, and a page reads the table."""
    activities.publish(sandbox)
    found = activities.ids(sandbox)
    sandbox.knobs(kubernetes__writes_per_s=5.0)
    return found


@pytest.mark.long
@pytest.mark.parametrize(("moved", "rewrites", "done"), aborts(WRITTEN_STEPS))
def test_an_aborted_exchange_of_what_writers_write_loses_no_row_and_leaves_nothing_stopped(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, seeded: set[str], moved: bool, rewrites: bool,
    done: int,
) -> None:  # fmt: skip
    enabled(sandbox, moved=moved, rewrites=rewrites)
    run = drive.run(ACTIVITIES)
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    new = done >= WRITTEN_FED
    assert stands(sandbox, "activities")[0] == ("createdAt, id" if new else "id"), drive.thread(run)
    assert activities.tables(sandbox) == {"activities", *([f"activities__before_run_{run}"] if new else [])}
    assert activities.pipes(sandbox) == set()
    assert activities.writers_run(sandbox)
    assert ending.schedule(activities.COPY) == "running"
    assert ending.running()["connector"] == "RUNNING"
    ending.the_ledger_is_sound(run)
    assert activities.shown(sandbox) is not None
    activities.all_is_there(sandbox, seeded, column=False)


@pytest.fixture
def mortal(drive: Drive, sandbox: Sandbox, ending: Ending) -> Callable[..., Mortal]:
    """An exchange whose workers die at each boundary that is ``wanted``, once; it succeeds all the same."""

    def run_through(wanted: Callable[[Boundary], bool], moved: bool) -> Mortal:
        enabled(sandbox, moved=moved, rewrites=False)
        run = drive.run(MEMBERS)
        after = sandbox.log.last()
        died = Mortal(drive, run, once(wanted))
        drive.until(run, "succeeded")
        print(f"{len(died.deaths)} deaths in {len({death.place for death in died.deaths})} places")
        copying = f"tinybird POST /v0/pipes/members__copy_run_{run}/copy"
        had = ending.had(after=after)
        assert had.pop(copying) >= 6  # five ranges at least, and the catch-up
        by_id = ("tokens/connect", "tags/members", "tags/raw") if moved else ()  # else they never left the name
        assert had == Counter([
            "tinybird POST /v0/datasources",
            "tinybird POST /v0/pipes",
            f"tinybird POST /v0/pipes/{PIPE}/copy/pause",
            "connect PUT /connectors/tinybird-sink/pause",
            f"tinybird DELETE /v0/pipes/members__copy_run_{run}",
            f"tinybird {CALL}",
            f"tinybird PUT /v0/datasources/members__before_run_{run}",
            *(f"tinybird PUT /v0/{each}" for each in by_id),
            "connect PUT /connectors/tinybird-sink/resume",
            f"tinybird POST /v0/pipes/{PIPE}/copy",
            f"tinybird POST /v0/pipes/{PIPE}/copy/resume",
        ]), drive.thread(run)  # fmt: skip
        assert stands(sandbox, "members")[0] == "joinedAt, id"
        ending.nothing_is_paused()
        ending.the_ledger_is_sound(run)
        ending.same_rows("displayName")
        return died

    return run_through


@pytest.mark.long
@pytest.mark.parametrize("moved", [False, True], ids=["ids stay", "ids move"])
def test_killed_from_intent_to_commit_an_exchange_has_each_effect_once(
    mortal: Callable[..., Mortal], moved: bool
) -> None:
    """At every boundary of the exchange itself, and at some that matter elsewhere."""
    print(f"seed {SEED}")
    chance, exchange = random.Random(SEED), f"plan {EXCHANGED},"
    died = mortal(lambda at: at.place.startswith(exchange) or at.matters or chance.random() < LOOKS, moved)
    assert any(CALL.removeprefix("POST ") in death.effect for death in died.deaths)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moved", [False, True], ids=["ids stay", "ids move"])
def test_killed_at_every_boundary_an_exchange_has_each_effect_once(mortal: Callable[..., Mortal], moved: bool) -> None:
    assert mortal(lambda _: True, moved).deaths


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", WAYS)
def test_killed_while_it_is_put_back_an_exchange_is_undone_once(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, way: str
) -> None:
    """Aborted right behind the exchange, and killed at every boundary from then on."""
    moved, rewrites = WAYS[way]
    enabled(sandbox, moved=moved, rewrites=rewrites)
    before, run = stands(sandbox, "members"), drive.run(MEMBERS)
    drive.until_step(run, EXCHANGED + 1)
    people.ben.types(f"/tb abort {run}")
    drive.talk()
    died = Mortal(drive, run, once(lambda _: True))
    drive.until(run, "aborted")
    assert any("restore" in death.place for death in died.deaths)
    assert sandbox.log.count("tinybird", CALL) == 2
    assert stands(sandbox, "members") == before
    assert made(sandbox, "members") == set()
    assert "members__" not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    ending.same_rows("displayName")
