"""Rows travel from Postgres through the slot, Sequin, Kafka and Connect into Tinybird."""

import pytest

from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration

ANNA = "11111111-1111-4111-8111-111111111111"


def _insert(sandbox: Sandbox, name: str = "Änne", member: str = ANNA) -> None:
    sandbox.pg('INSERT INTO members (id, "displayName", "joinedAt") VALUES (%s, %s, now())', (member, name))


def _name_in_tinybird(sandbox: Sandbox, member: str = ANNA) -> str | None:
    rows = sandbox.tb(f"SELECT displayName FROM members FINAL WHERE id = '{member}'")
    return rows[0]["displayName"] if rows else None


def test_the_seed_is_the_same_on_both_sides(sandbox: Sandbox) -> None:
    for table in ("members", "organizations", "insightsProjects", "activityRelations"):
        key = '"activityId"' if table == "activityRelations" else "id"
        there = sandbox.pg(f'SELECT count(*) AS n, min({key}::text) AS first FROM "{table}"')[0]
        here = sandbox.tb(f"SELECT toInt64(uniqExact({key})) AS n, min({key}) AS first FROM {table}")[0]
        assert (int(here["n"]), here["first"]) == (there["n"], there["first"]), table


def test_an_insert_arrives(sandbox: Sandbox) -> None:
    _insert(sandbox)
    sandbox.until(lambda: _name_in_tinybird(sandbox) == "Änne")


def test_an_update_replaces_the_row(sandbox: Sandbox) -> None:
    _insert(sandbox)
    sandbox.pg('UPDATE members SET "displayName" = %s, "updatedAt" = now() WHERE id = %s', ("Ann", ANNA))
    sandbox.until(lambda: _name_in_tinybird(sandbox) == "Ann")


def test_a_delete_comes_as_one_more_row(sandbox: Sandbox) -> None:
    """Deletes never propagate: the old row is inserted again (facts/estate.md §0.3)."""
    _insert(sandbox)
    sandbox.pg("DELETE FROM members WHERE id = %s", (ANNA,))
    sandbox.until(
        lambda: [e for e in sandbox.log.find("tinybird", "POST /v0/events") if '"action":"delete"' in e["body"]]
    )
    sandbox.until(lambda: _name_in_tinybird(sandbox) == "Änne", what="the deleted row, once more")


def test_a_pause_holds_rows_back_and_a_resume_delivers_them(sandbox: Sandbox) -> None:
    sandbox.set_sink("members_sink", "paused")
    assert sandbox.sink("members_sink")["health"]["status"] == "paused"
    _insert(sandbox)
    organization = sandbox.pg("INSERT INTO organizations (\"displayName\") VALUES ('Later') RETURNING id::text AS id")
    found = f"SELECT count() AS n FROM organizations WHERE id = '{organization[0]['id']}'"
    sandbox.until(lambda: int(sandbox.tb(found)[0]["n"]) == 1, what="another sink goes on")
    assert _name_in_tinybird(sandbox) is None
    sandbox.set_sink("members_sink", "active")
    sandbox.until(lambda: _name_in_tinybird(sandbox) == "Änne")


def test_changes_of_one_row_arrive_in_their_order(sandbox: Sandbox) -> None:
    """With equal versions the last inserted row wins, so the order is visible."""
    _insert(sandbox)
    for n in range(30):
        sandbox.pg('UPDATE members SET "displayName" = %s WHERE id = %s', (f"name {n}", ANNA))
    sandbox.until(lambda: _name_in_tinybird(sandbox) == "name 29")


def test_a_connector_pause_holds_rows_in_kafka(sandbox: Sandbox) -> None:
    assert sandbox.connect.put("/connectors/tinybird-sink/pause").status_code == 202
    sandbox.until(lambda: sandbox.connector()["tasks"][0]["state"] == "PAUSED")
    posted = sandbox.log.count("tinybird", "POST /v0/events")
    _insert(sandbox)
    sandbox.clock.advance(120)
    assert _name_in_tinybird(sandbox) is None
    assert sandbox.log.count("tinybird", "POST /v0/events") == posted
    assert sandbox.connect.put("/connectors/tinybird-sink/resume").status_code == 202
    sandbox.until(lambda: _name_in_tinybird(sandbox) == "Änne")


def test_a_reset_brings_the_seed_back(sandbox: Sandbox) -> None:
    _insert(sandbox)
    sandbox.until(lambda: _name_in_tinybird(sandbox) == "Änne")
    sandbox.reset()
    assert _name_in_tinybird(sandbox) is None
    assert sandbox.pg("SELECT 1 FROM members WHERE id = %s", (ANNA,)) == []
    _insert(sandbox, "Again")
    sandbox.until(lambda: _name_in_tinybird(sandbox) == "Again")
