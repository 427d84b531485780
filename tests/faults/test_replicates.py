"""A replicate that is aborted after each of its steps: what it made is gone or said to be there, nothing that ran
before stands still, and the same request goes on from there."""

import pytest

from tests.support import project
from tests.support.aborting import aborted
from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.mortal import Mortal, once
from tests.support.people import People
from tests.support.replicating import ALL, NOTHING, TABLE, replication
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.faults

STEPS = 17
MERGED, TRACKED, PROVEN = 7, 8, 15  # after these steps
IN_CI = (14,)


@pytest.mark.parametrize("done", [n if n in IN_CI else pytest.param(n, marks=pytest.mark.long) for n in range(STEPS)])
def test_an_aborted_replicate_leaves_nothing_unsaid_and_is_gone_on_with(
    drive: Drive, people: People, sandbox: Sandbox, done: int
) -> None:
    assert replication(sandbox) == NOTHING
    run = drive.run(f"/tb replicate {TABLE}")
    assert len(drive.view(run).steps) == STEPS
    aborted(drive, people, run, done)
    found, card = replication(sandbox), drive.card(run).words
    if done >= PROVEN:
        assert found == ALL
    elif done >= TRACKED:  # the connector reads it, so what takes its rows must stay
        assert found == {**NOTHING, "datasource": True, "scope": True, "tracked": True}
        assert "reads the topic" in card
    else:
        assert found == NOTHING
        assert ("lists repositories now" in card) == (done >= MERGED), card
    assert all(sandbox.sink(name)["status"] == "active" for name in ("members_sink", "segments_sink"))
    assert sandbox.connector()["connector"]["state"] == "RUNNING"
    unhurried(sandbox)
    if done < PROVEN:
        again = drive.run(f"/tb replicate {TABLE}")
        drive.until(again, "succeeded")
        assert replication(sandbox) == ALL


OFF_THE_LIST, DROPPED = 7, 12  # after these steps of unreplicate


@pytest.mark.parametrize(
    "done", [n if n == OFF_THE_LIST else pytest.param(n, marks=pytest.mark.long) for n in range(13)]
)
def test_an_aborted_unreplicate_is_gone_on_with(drive: Drive, people: People, sandbox: Sandbox, done: int) -> None:
    drive.until(drive.run(f"/tb replicate {TABLE}"), "succeeded")
    unhurried(sandbox)
    run = drive.run(f"/tb unreplicate {TABLE}")
    aborted(drive, people, run, done)
    while sandbox.connect.get("/connectors/tinybird-sink/config").status_code != 200:  # the new pod is starting
        sandbox.clock.advance(2.0)
    found, card = replication(sandbox), drive.card(run).words
    assert found["datasource"] == (done < DROPPED)
    assert found["published"] == (done < DROPPED), "published as long as there is what it could feed"
    assert found["pulls"] == 0
    assert ("does not list repositories now" in card) == (OFF_THE_LIST <= done < DROPPED), card
    assert sandbox.connector()["connector"]["state"] == "RUNNING"
    unhurried(sandbox)
    if done < DROPPED:
        drive.until(drive.run(f"/tb unreplicate {TABLE}"), "succeeded")
    assert replication(sandbox) == NOTHING


EFFECTS = (
    ("tinybird", "POST /v0/datasources"),
    ("tinybird", "PUT /v0/tokens/*"),
    ("github", "POST /repos/*/pulls"),
    ("github", "PUT /repos/*/pulls/*/merge"),
    ("github", "DELETE /repos/*/git/refs/heads/*"),
    ("kubernetes", "PATCH /apis/apps/v1/namespaces/*/deployments/kafka-connect-dpl"),
    ("sequin", "POST /api/sinks"),
    ("sequin", f"POST /api/sinks/{TABLE}_sink/backfills"),
)


@pytest.mark.long
def test_killed_at_every_boundary_a_replicate_has_each_effect_once(drive: Drive, sandbox: Sandbox) -> None:
    run = drive.run(f"/tb replicate {TABLE}")
    after = sandbox.log.last()
    mortal = Mortal(drive, run, once(lambda boundary: boundary.matters))
    drive.until(run, "succeeded")
    print(f"{len(mortal.deaths)} deaths in {len({death.place for death in mortal.deaths})} places")
    assert len(mortal.deaths) > STEPS
    assert replication(sandbox) == ALL
    had = {f"{system} {call}": sandbox.log.count(system, call, after=after) for system, call in EFFECTS}
    assert had == dict.fromkeys(had, 1)


MAKES = 'CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY, "updatedAt" timestamptz NOT NULL DEFAULT now());'


@pytest.mark.long
def test_a_table_that_was_made_stays_after_an_abort_and_the_same_request_goes_on(
    drive: Drive, people: People, sandbox: Sandbox
) -> None:
    """It is in the project's history and would be made by its deploy anyway."""
    project.migration(sandbox, "V1790000000__makeOrders.sql", MAKES)
    run = drive.run("/tb replicate orders")
    aborted(drive, people, run, 1)
    words = drive.card(run).words
    assert "What was added stays: Postgres has the table orders, as it is in V1790000000__makeOrders.sql" in words
    again = drive.run("/tb replicate orders")
    assert drive.view(again).steps[0].op.startswith("postgres.index.create"), "it is there now"
    drive.until(again, "succeeded")


@pytest.mark.long
def test_killed_at_every_boundary_a_table_is_made_once(drive: Drive, sandbox: Sandbox) -> None:
    project.migration(sandbox, "V1790000000__makeOrders.sql", MAKES)
    run = drive.run("/tb replicate orders")
    mortal = Mortal(drive, run, once(lambda boundary: boundary.matters))
    drive.until_step(run, 2)
    assert mortal.deaths
    assert sandbox.pg("SELECT attname FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0") == [
        {"attname": "id"},
        {"attname": "updatedAt"},
    ]
