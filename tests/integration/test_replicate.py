"""`/tb replicate <table>`: a table of Postgres comes to Tinybird, and its changes with it."""

from collections import Counter
from pathlib import Path

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


def test_no_secret_is_left_anywhere(drive: Drive, sandbox: Sandbox, people: People) -> None:
    """What the connector's file holds passes through memory; so do tokens and passwords."""
    run = drive.run(f"/tb replicate {TABLE}")
    drive.until(run, "succeeded")
    tables = sandbox.ledger("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'ledger'")
    rows = [str(sandbox.ledger(f"SELECT to_jsonb(t)::text AS row FROM ledger.{table['name']} t")) for table in tables]
    messages = [message.words for person in (people.ana, people.ben) for message in person.sees()]
    replies = [reply.words for reply in drive.card(run).replies()]
    files = [str(sandbox.control.get("/sandbox/log", params={"after": 0}).json())]
    everything = "\n".join([*rows, *messages, *replies, *files])
    assert "tinybird-sink.properties.enc" in everything
    secrets = {
        "the connector's token": sandbox.ready["tinybird"]["append_token"],
        "the workspace's token": sandbox.ready["tinybird"]["token"],
        "Sequin's token": sandbox.ready["sequin"]["token"],
        "GitHub's token": sandbox.ready["github"]["token"],
        "the key of the file": Path(sandbox.ready["github"]["identity_file"]).read_text().strip(),
    }
    assert [name for name, secret in secrets.items() if secret in everything] == []


@pytest.mark.long
def test_two_that_were_planned_at_once_both_come(drive: Drive, sandbox: Sandbox) -> None:
    """The first changes what both write: the token's list, the publication, the sealed file, the connector."""
    sandbox.pg(
        'CREATE TABLE notes (id uuid PRIMARY KEY, body text NOT NULL, "updatedAt" timestamptz NOT NULL DEFAULT now());'
        "INSERT INTO notes SELECT gen_random_uuid(), 'note ' || n FROM generate_series(1, 50) n"
    )
    runs = [drive.run(f"/tb replicate {table}") for table in (TABLE, "notes")]
    for run in runs:
        drive.until(run, "succeeded")
    for table in (TABLE, "notes"):
        there = sandbox.pg(f"SELECT count(*)::text AS n FROM {table}")
        assert sandbox.tb(f"SELECT toString(count()) AS n FROM {table} FINAL") == there


@pytest.mark.long
def test_it_asks_no_more_of_the_systems_than_it_needs(drive: Drive, sandbox: Sandbox) -> None:
    """Calls of one replicate, planning included; what moves rows asks for itself and is not counted."""
    after = sandbox.log.last()
    drive.until(drive.run(f"/tb replicate {TABLE}"), "succeeded")
    movers = ("POST /v0/events",)
    calls = Counter(
        entry["system"]
        for entry in sandbox.log.entries(after=after)
        if entry["system"] != "slack" and not any(f"{entry['method']} {entry['path']}".startswith(m) for m in movers)
    )
    most = {"github": 100, "sequin": 80, "connect": 120, "kubernetes": 30, "tinybird": 90}
    assert {system: n for system, n in calls.items() if n > most[system]} == {}
