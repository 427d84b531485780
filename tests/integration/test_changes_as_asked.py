"""Changes as people ask for them: typed, approved, carried out by the engine, and what the systems say at the end."""

import pytest

from tests.support.drive import Drive
from tests.support.mortal import Mortal, once
from tests.support.people import People
from tests.support.sandbox import Sandbox


def nothing_is_paused(sandbox: Sandbox, sink: str) -> None:
    assert sandbox.sink(sink)["status"] == "active"
    assert sandbox.connector()["connector"]["state"] == "RUNNING"


def types(sandbox: Sandbox, column: str) -> tuple[str, str]:
    """A column of organizations in Postgres and in Tinybird."""
    sql = (
        "SELECT data_type AS t FROM information_schema.columns WHERE table_name = 'organizations' AND column_name = %s"
    )
    columns = sandbox.tinybird.get("/v0/datasources/organizations").json()["columns"]
    there = next(c["type"] for c in columns if c["name"] == column)
    return sandbox.pg(sql, [column])[0]["t"], there.removeprefix("Nullable(").removesuffix(")")


def test_segments_sorted_by_slug_and_id(drive: Drive, sandbox: Sandbox) -> None:
    """Sorted by the slug alone, segments that share one have replaced each other until now."""
    counted = "SELECT toString(count()) AS n FROM segments FINAL"
    there = sandbox.pg("SELECT count(*)::text AS n FROM segments")
    assert sandbox.tb(counted) != there
    run = drive.run("/tb migrate segments sort by slug, id")
    drive.until(run, "succeeded")
    assert sandbox.tb(counted) == there
    assert sandbox.tinybird.get("/v0/datasources/segments").json()["engine"]["engine_sorting_key"] == "slug, id"
    nothing_is_paused(sandbox, "segments_sink")


def test_a_field_that_is_read_cannot_be_removed_and_one_that_is_not_can(
    drive: Drive, people: People, sandbox: Sandbox
) -> None:
    blocked = drive.run("/tb migrate collections remove field description", approve=False)
    assert "collections_list reads description" in drive.card(blocked).text
    assert not [label for label in drive.card(blocked).buttons if label.startswith("Approve")]
    people.ben.types(f"/tb reject {blocked}")
    drive()
    before = sandbox.pg("SELECT id::text AS id, starred FROM collections ORDER BY id")
    run = drive.run("/tb migrate collections remove field starred")
    drive.until(run, "succeeded")
    kept = f"SELECT id::text AS id, starred FROM collections__starred_before_run_{run} ORDER BY id"
    assert sandbox.pg(kept) == before
    columns = "SELECT column_name AS c FROM information_schema.columns WHERE table_name = 'collections'"
    assert "starred" not in {row["c"] for row in sandbox.pg(columns)}
    assert "starred" not in {c["name"] for c in sandbox.tinybird.get("/v0/datasources/collections").json()["columns"]}
    assert sandbox.tinybird.get("/v0/pipes/collections_list.json").json()["rows"] > 0
    sandbox.pg("INSERT INTO collections (name, slug) VALUES ('new', 'new')")
    sandbox.until(lambda: sandbox.tb("SELECT id FROM collections FINAL WHERE slug = 'new'"), what="a row without it")
    nothing_is_paused(sandbox, "collections_sink")


def test_a_type_given_up_while_ingestion_is_held_is_what_it_was(drive: Drive, people: People, sandbox: Sandbox) -> None:
    run = drive.run("/tb migrate organizations change field employees to bigint")
    rewrite = next(s.number for s in drive.view(run).steps if s.op == "postgres.rewrite/1")
    drive.until_step(run, rewrite + 1)
    assert types(sandbox, "employees") == ("bigint", "Int32")
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert types(sandbox, "employees") == ("integer", "Int32")
    assert {entry.state for entry in drive.view(run).restore} <= {"struck", "done"}, drive.thread(run)
    nothing_is_paused(sandbox, "organizations_sink")


@pytest.mark.long
def test_given_up_once_the_new_table_is_fed_the_rest_is_finished_by_a_retry(
    drive: Drive, people: People, sandbox: Sandbox
) -> None:
    run = drive.run("/tb migrate organizations change field employees to bigint --strategy recreate")
    fed = next(s.number for s in drive.view(run).steps if s.op == "sequin.backfill.await/1")
    drive.until_step(run, fed + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert types(sandbox, "employees") == ("bigint", "Int64")
    assert "stays bigint in Postgres" in drive.thread(run)
    again = drive.run(f"/tb retry {run}")
    drive.until(again, "succeeded")
    counted = "SELECT toString(count()) AS n, toString(sum(employees)) AS s FROM organizations FINAL"
    here = sandbox.pg("SELECT count(*)::text AS n, sum(employees)::text AS s FROM organizations")
    assert sandbox.tb(counted) == here
    nothing_is_paused(sandbox, "organizations_sink")


@pytest.mark.long
@pytest.mark.parametrize("line", ["change field employees to bigint", "set default employees 7"])
def test_killed_right_behind_each_effect_it_is_found_done(drive: Drive, sandbox: Sandbox, line: str) -> None:
    sandbox.pg("UPDATE organizations SET employees = 1 WHERE employees IS NULL")
    if line.startswith("set"):
        drive.until(drive.run("/tb migrate organizations change field employees to Int32 default 0"), "succeeded")
    run = drive.run(f"/tb migrate organizations {line}")
    mortal = Mortal(drive, run, once(lambda at: bool(at.effect)))
    drive.until(run, "succeeded")
    assert mortal.deaths
    counted = "SELECT toString(count()) AS n, toString(sum(employees)) AS s FROM organizations FINAL"
    here = sandbox.pg("SELECT count(*)::text AS n, sum(employees)::text AS s FROM organizations")
    assert sandbox.tb(counted) == here
    nothing_is_paused(sandbox, "organizations_sink")


def test_a_field_of_several_tables_comes_with_one_run(drive: Drive, sandbox: Sandbox) -> None:
    tables = ("members", "organizations", "collections")
    run = drive.run(f"/tb migrate {', '.join(tables)} add field remark text default 'none'")
    drive.until(run, "succeeded")
    for table in tables:
        assert sandbox.pg(f"SELECT count(*)::text AS n FROM {table} WHERE remark = 'none'") == sandbox.tb(
            f"SELECT toString(countIf(remark = 'none')) AS n FROM {table} FINAL"
        )
    card = drive.card(run).text
    assert all(table in card for table in tables)
    assert sandbox.log.count("sequin", "POST /api/postgres_databases/*/refresh_tables") == 1
