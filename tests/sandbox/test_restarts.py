"""A restart of the slot loses no row, whatever the mover was doing when it came."""

import random

import pytest

from tests.support.sandbox import Json, Sandbox
from tests.support.seeds import new_seed

pytestmark = pytest.mark.integration

PAGE_ROWS = 100
RESTARTS = 60


def _status(sandbox: Sandbox, backfill: Json) -> Json:
    return sandbox.backfill("members_sink", backfill["id"])


@pytest.mark.long
def test_restarts_at_any_moment_of_a_backfill_leave_no_row_out(
    sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    """Small pages, one at a time, and a restart at a random distance from the last: each page is hit somewhere."""
    seed = new_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    restarts = RESTARTS * (5 if request.config.getoption("--long") else 1)
    sandbox.knobs(
        sequin__slot_restart_s=0.0,
        sequin__backfill_start_delay_s=0.0,
        sequin__backfill_page_rows=PAGE_ROWS,
        sequin__backfill_rows_per_s=1e9,
    )
    ids = {row["id"] for row in sandbox.pg("SELECT id::text AS id FROM members")}
    sandbox.set_sink("members_sink", "paused")
    started = sandbox.backfill("members_sink")
    for n in range(restarts):
        sandbox.log.entries(after=sandbox.log.last(), wait_s=chance.random() * 0.05)
        if chance.random() < 0.3:
            one = chance.choice(sorted(ids))
            sandbox.pg("UPDATE members SET score = %s WHERE id = %s", (n, one))
        # every change of any sink restarts the slot for all (facts/systems.md §1.5)
        sandbox.set_sink("segments_sink" if chance.random() < 0.7 else "members_sink", "active")
    sandbox.until(lambda: _status(sandbox, started)["state"] == "completed", patience_s=60)
    sandbox.until(lambda: {m["record"]["id"] for m in sandbox.messages("members")} >= ids)


def test_a_change_goes_before_what_a_backfill_had_read_of_the_row(sandbox: Sandbox) -> None:
    """Pages wait in memory while the sink is paused; a change that comes meanwhile must not be overwritten by them."""
    sandbox.knobs(sequin__slot_restart_s=0.0, sequin__backfill_start_delay_s=0.0, sequin__backfill_rows_per_s=50.0)
    started = sandbox.backfill("collections_sink")
    sandbox.until(lambda: sandbox.backfill("collections_sink", started["id"])["rows_initial_count"] == 20)
    sandbox.pg("UPDATE collections SET name = 'newest' WHERE slug = 'collection-1'")
    sandbox.until(lambda: sandbox.backfill("collections_sink", started["id"])["state"] == "completed")
    sandbox.until(lambda: len(sandbox.messages("collections")) >= 20)
    of_it = [m for m in sandbox.messages("collections") if m["record"]["slug"] == "collection-1"]
    assert of_it[-1]["record"]["name"] == "newest"


def test_the_slot_is_held_while_sequin_runs(sandbox: Sandbox) -> None:
    query = "SELECT active, confirmed_flush_lsn >= %s::pg_lsn AS there FROM pg_replication_slots"
    sandbox.pg("UPDATE collections SET name = 'seen' WHERE slug = 'collection-1'")
    end = sandbox.pg("SELECT pg_current_wal_insert_lsn()::text AS lsn")[0]["lsn"]
    sandbox.until(lambda: sandbox.pg(query, (end,))[0] == {"active": True, "there": True})
    sandbox.knobs(sequin__slot_restart_s=1e6)
    sandbox.set_sink("members_sink", "active")
    sandbox.until(lambda: not sandbox.pg(query, (end,))[0]["active"], what="a restart lets go of the slot")
