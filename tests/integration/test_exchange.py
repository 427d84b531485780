"""Tables sorted anew by an exchange with a copy: one call, and a page that reads all the while never fails."""

import pytest

from tests.support import activities
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.outsider import reading
from tests.support.pages import Page
from tests.support.sandbox import Json, Sandbox

MEMBERS = "/tb migrate members sort by joinedAt, id"
ACTIVITIES = "/tb migrate activities sort by createdAt, id"
PEOPLE = 5_000
CALL = "POST /v0/datasources/exchange"
IDS = pytest.mark.parametrize(
    ("moved", "rewrites"),
    [
        pytest.param(False, False, marks=pytest.mark.long),
        pytest.param(True, False, marks=pytest.mark.long),
        (True, True),
    ],
    ids=["ids stay", "ids move", "ids move and pipes follow"],
)


@pytest.fixture
def ending(sandbox: Sandbox, drive: Drive) -> Ending:
    return Ending(sandbox, drive)


def enabled(sandbox: Sandbox, **more: object) -> None:
    """Support has enabled it, and a probe has found that."""
    sandbox.knobs(tinybird__exchange_enabled=True, **more)
    for name in ("exchange", "exchange-keys"):
        sandbox.ledger(
            "INSERT INTO ledger.capability (environment, name, value) VALUES ('sandbox', %s, 'accepted')", [name]
        )


def number_of(drive: Drive, run: int, op: str) -> int:
    return next(step.number for step in drive.view(run).steps if step.op == op)


def table(sandbox: Sandbox, name: str) -> Json:
    return sandbox.tinybird.get(f"/v0/datasources/{name}").json()


def names(sandbox: Sandbox) -> set[str]:
    return {each["name"] for each in sandbox.tinybird.get("/v0/datasources").json()["datasources"]}


@IDS
def test_members_change_places_and_no_read_fails(
    drive: Drive, sandbox: Sandbox, ending: Ending, moved: bool, rewrites: bool
) -> None:
    enabled(sandbox, tinybird__exchange_moves_ids=moved, tinybird__rename_rewrites_references=rewrites)
    page, before = Page(sandbox, "members"), table(sandbox, "members")
    page.publish()
    run = drive.run(MEMBERS)
    plan = drive.view(run).run.plan or {}
    assert (plan["strategy"]["name"], plan["downtime_s"]) == ("exchange", 0)
    call = number_of(drive, run, "tinybird.datasource.exchange/1")
    drive.until_step(run, call)
    with reading(drive, page.name) as seen:
        drive.until_step(run, call + 4)
    assert seen.failed == []
    assert len(page.shown(seen)) > 3  # one at least for each step of it
    assert min(page.shown(seen)) >= PEOPLE
    view, kept = drive.until(run, "succeeded"), f"members__before_run_{run}"
    assert sandbox.log.count("tinybird", CALL) == 1
    after, old = table(sandbox, "members"), table(sandbox, kept)
    assert [each["engine"]["sorting_key"] for each in (after, old)] == ["joinedAt, id", "id"]
    assert (old["id"] if moved else after["id"]) == before["id"]
    assert {key: view.run.found["kept"][key] for key in ("name", "id", "of")} == {
        "name": kept, "id": old["id"], "of": "members"
    }  # fmt: skip
    assert {name for name in names(sandbox) if name.startswith("members__")} == {kept}
    assert "members__" not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text
    assert sandbox.tb(f"SELECT uniqExact(id) >= {PEOPLE} AS kept FROM {kept}") == [{"kept": 1}]
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    ending.same_rows("displayName")


@pytest.mark.long  # the same as members, with rename's steps around it
@pytest.mark.parametrize(("moved", "rewrites"), [(False, False), (True, False), (True, True)])
def test_activities_change_places_while_the_platform_writes(
    drive: Drive, sandbox: Sandbox, moved: bool, rewrites: bool
) -> None:
    enabled(sandbox, tinybird__exchange_moves_ids=moved, tinybird__rename_rewrites_references=rewrites)
    activities.publish(sandbox)
    seeded = activities.ids(sandbox)
    sandbox.knobs(kubernetes__writes_per_s=15.0, connect__offset_flush_s=1.0)
    run = drive.run(ACTIVITIES)
    call = number_of(drive, run, "tinybird.datasource.exchange-written/1")
    drive.until_step(run, call)
    page = Page(sandbox, "activities")
    with reading(drive, page.name) as seen:
        drive.until_step(run, call + 4)
    drive.until(run, "succeeded")
    assert seen.failed == []
    assert min(page.shown(seen)) >= len(seeded)
    activities.all_is_there(sandbox, seeded, column=False)
    assert table(sandbox, "activities")["engine"]["sorting_key"] == "createdAt, id"
    assert activities.writers_run(sandbox)
    assert activities.tables(sandbox) == {"activities", f"activities__before_run_{run}"}
    assert activities.pipes(sandbox) == set()
    assert activities.ids(sandbox, f"activities__before_run_{run}") >= seeded
    assert f"activities__before_run_{run}" not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text


@pytest.mark.long
@pytest.mark.parametrize(("moved", "rewrites"), [(False, False), (True, False), (True, True)])
def test_where_a_rename_is_refused_the_old_table_is_kept_under_the_name_that_it_got(
    drive: Drive, sandbox: Sandbox, moved: bool, rewrites: bool
) -> None:
    """Nothing reads it, and it is retired by that name too."""
    enabled(sandbox, tinybird__exchange_moves_ids=moved, tinybird__rename_rewrites_references=rewrites)
    Page(sandbox, "members").publish()
    sandbox.faults.add("tinybird", "PUT /v0/datasources/*", "status:403", times=9)
    run = drive.run(MEMBERS)
    view, name = drive.until(run, "succeeded"), f"members__run_{run}"
    assert (view.run.found["kept"]["name"], view.run.found["kept"]["id"]) == (name, table(sandbox, name)["id"])
    assert table(sandbox, name)["engine"]["sorting_key"] == "id"
    assert name not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text
    retiring = drive.run(f"/tb retire {run} --note 'no more'")
    drive.until(retiring, "succeeded")
    assert {each for each in names(sandbox) if each.startswith("members")} == {"members", "members_sorted"}
    assert table(sandbox, "members")["engine"]["sorting_key"] == "joinedAt, id"


@pytest.mark.long
@pytest.mark.parametrize("moved", [False, True], ids=["ids stay", "ids move"])
def test_an_exchange_is_reverted_by_an_exchange(drive: Drive, sandbox: Sandbox, ending: Ending, moved: bool) -> None:
    enabled(sandbox, tinybird__exchange_moves_ids=moved)
    Page(sandbox, "members").publish()
    run = drive.run(MEMBERS)
    drive.until(run, "succeeded")
    back = drive.run(f"/tb revert {run} --note back")
    assert (drive.view(back).run.plan or {})["strategy"]["name"] == "exchange"
    drive.until(back, "succeeded")
    assert table(sandbox, "members")["engine"]["sorting_key"] == "id"
    kept = {f"members__before_run_{run}", f"members__before_run_{back}"}
    assert {name for name in names(sandbox) if name.startswith("members__")} == kept
    ending.same_rows("displayName")
