"""`/tb replicate <table>`: a table of Postgres comes to Tinybird, and its changes with it."""

import pytest

from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration

TABLE = "repositories"


def rows(sandbox: Sandbox) -> int:
    return int(sandbox.tb(f"SELECT count() AS n FROM {TABLE} FINAL FORMAT JSON")[0]["n"])


def test_a_table_comes_to_tinybird_with_its_changes(drive: Drive, sandbox: Sandbox, people: People) -> None:
    run = drive.run(f"/tb replicate {TABLE}")
    assert "CREATE" not in drive.card(run).text
    drive.until(run, "succeeded")
    there = sandbox.pg(f"SELECT count(*) AS n, min(id::text) AS id FROM {TABLE}")[0]
    assert rows(sandbox) == there["n"] > 0
    sandbox.pg(f"""UPDATE {TABLE} SET stars = 4711, "updatedAt" = now() WHERE id = %s RETURNING id""", [there["id"]])
    starred = f"SELECT count() AS n FROM {TABLE} FINAL WHERE stars = 4711 FORMAT JSON"
    sandbox.until(lambda: int(sandbox.tb(starred)[0]["n"]) == 1, what="a change of Postgres")
    people.ana.types(f"/tb replicate {TABLE}")
    drive()
    again = drive.view(run + 1).run
    assert again.state == "refused"
    assert "There is nothing to do" in str(again.reason)
