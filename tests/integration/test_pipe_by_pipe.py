"""A table that endpoints read is replaced while they read a mirror of it: no read fails (facts/procedures.md §4)."""

import pytest

from tests.support import activities, collections
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.outsider import reading
from tests.support.sandbox import Sandbox

SORTED = "/tb migrate collections sort by slug, id"


@pytest.fixture
def ending(sandbox: Sandbox, drive: Drive) -> Ending:
    return Ending(sandbox, drive)


def engine(sandbox: Sandbox, table: str) -> dict[str, str]:
    return sandbox.tinybird.get(f"/v0/datasources/{table}").json()["engine"]


def step(drive: Drive, run: int, op: str) -> int:
    """The first step of the kind."""
    return next(each.number for each in drive.view(run).steps if each.op == op)


def said(drive: Drive, run: int, op: str) -> str:
    return next(each.said for each in drive.view(run).steps if each.op == op) or ""


def test_a_replicated_table_is_replaced_while_its_page_is_read(drive: Drive, sandbox: Sandbox, ending: Ending) -> None:
    before = collections.nodes(sandbox)
    run = drive.run(SORTED, approve=False)
    plan = drive.view(run).run.plan or {}
    assert plan["strategy"]["name"] == "pipe-by-pipe"
    assert "FROM collections__mirror_run_{run} AS collections FINAL" in plan["diffs"][collections.READER]
    assert "collections__mirror_run_{run} AS collections" in drive.card(run).words
    drive.approve(run)
    with reading(drive, collections.PAGE) as outsider:
        drive.until(run, "succeeded")
    seen = outsider.answers[collections.PAGE]
    assert outsider.failed == []
    assert len(seen) > 20
    assert all(answer == seen[0] for answer in seen)
    assert "collections_list answers the same 10 rows" in said(drive, run, "tinybird.pipe.move/1")
    assert collections.nodes(sandbox) == before
    assert collections.strays(sandbox) == {f"collections__before_run_{run}"}
    assert "collections__" not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text
    assert engine(sandbox, "collections")["sorting_key"] == "slug, id"
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)


@pytest.mark.long
def test_what_is_written_meanwhile_is_read_in_the_mirror_and_in_the_new_table(drive: Drive, sandbox: Sandbox) -> None:
    """By a rebuild from Postgres, in whose midst the mirror stands still."""
    run = drive.run("/tb migrate collections add field note text --strategy pipe-by-pipe")
    drive.until_step(run, step(drive, run, "tinybird.pipe.move/1") + 1)
    assert any("collections__mirror_run" in sql for sql in collections.nodes(sandbox))
    collections.change(sandbox, "0 first of all")
    sandbox.until(lambda: "0 first of all" in str(collections.page(sandbox)), what="a change, shown by the mirror")
    drive.until_step(run, step(drive, run, "tinybird.datasource.set-aside/1") + 1)
    assert "0 first of all" in str(collections.page(sandbox))
    collections.change(sandbox, "00 meanwhile")
    with reading(drive, collections.PAGE) as outsider:
        drive.until(run, "succeeded")
    assert outsider.failed == []
    assert "00 meanwhile" in str(collections.page(sandbox))
    assert collections.strays(sandbox) == {f"collections__before_run_{run}"}
    collections.same_rows(sandbox, "name", "note")


@pytest.mark.long  # its steps are those of the first test here and of rename
def test_a_table_with_writers_of_its_own_is_replaced_while_its_page_is_read(drive: Drive, sandbox: Sandbox) -> None:
    activities.publish(sandbox)
    seeded = activities.ids(sandbox)
    sandbox.knobs(kubernetes__writes_per_s=15.0, connect__offset_flush_s=1.0)
    run = drive.run("/tb migrate activities sort by platform, id")
    assert (drive.view(run).run.plan or {})["strategy"]["name"] == "pipe-by-pipe"
    with reading(drive, activities.PAGE) as outsider:
        drive.until(run, "succeeded")
    assert outsider.failed == []
    shown = [int(answer[0]["n"]) for answer in outsider.answers[activities.PAGE]]
    assert shown == sorted(shown)  # nobody ever saw fewer
    activities.all_is_there(sandbox, seeded, column=False)
    assert activities.writers_run(sandbox)
    assert activities.tables(sandbox) == {"activities", f"activities__before_run_{run}"}
    assert collections.strays(sandbox, "activities") == {f"activities__before_run_{run}"}
    assert engine(sandbox, "activities")["sorting_key"] == "platform, id"


@pytest.mark.long
def test_an_endpoint_that_came_to_read_the_table_since_holds_the_run_before_it_is_touched(
    drive: Drive, sandbox: Sandbox
) -> None:
    run = drive.run(SORTED)
    drive.until_step(run, step(drive, run, "tinybird.datasource.switch/1") - 1)
    pushed = {"name": "late", "nodes": [{"name": "late_rows", "sql": "SELECT id FROM collections FINAL"}]}
    assert sandbox.tinybird.post("/v0/pipes", json=pushed).is_success
    drive.until(run, "held")
    assert "late, node late_rows, reads collections" in drive.view(run).run.reason
    assert engine(sandbox, "collections")["sorting_key"] == "id"
    drive.people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert collections.strays(sandbox) == set()


@pytest.mark.long
def test_an_answer_that_changes_by_the_move_is_left_to_people(drive: Drive, sandbox: Sandbox) -> None:
    """The table has rows of several versions, and an endpoint counts them all: the mirror has each key once."""
    counting = {"name": "counted", "nodes": [{"name": "counted_rows", "sql": "SELECT count() AS n FROM collections"}]}
    assert sandbox.tinybird.post("/v0/pipes", json=counting).is_success
    assert sandbox.tinybird.post("/v0/pipes/counted/nodes/counted_rows/endpoint").is_success
    for text in ("once", "twice"):
        collections.change(sandbox, text)
    collections.same_rows(sandbox, "name")
    before = collections.nodes(sandbox, "counted")
    run = drive.run(SORTED)
    drive.until(run, "held")
    assert "counted answers something else since (1 row; before: 1 row)" in drive.view(run).run.reason
    drive.people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert collections.nodes(sandbox, "counted") == before
    assert collections.strays(sandbox) == set()
