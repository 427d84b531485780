"""`/tb unreplicate <table>`: nothing of its way is left behind, and nothing is sent to what is gone."""

import pytest
from confluent_kafka.admin import AdminClient

from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.replicating import ALL, NOTHING, TABLE, replication
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration


def test_what_was_replicated_leaves_nothing_behind(drive: Drive, sandbox: Sandbox, people: People) -> None:
    drive.until(drive.run(f"/tb replicate {TABLE}"), "succeeded")
    assert replication(sandbox) == ALL
    before = sandbox.pg(f"SELECT count(*) AS n FROM {TABLE}")
    unhurried(sandbox)
    run = drive.run(f"/tb unreplicate {TABLE}")
    drive.until(run, "succeeded")
    assert replication(sandbox) == NOTHING
    assert TABLE not in AdminClient({"bootstrap.servers": sandbox.ready["kafka"]}).list_topics(timeout=5).topics
    assert sandbox.pg(f"SELECT count(*) AS n FROM {TABLE}") == before
    people.ana.types(f"/tb unreplicate {TABLE}")
    drive()
    assert "nothing to do" in str(drive.view(run + 1).run.reason)


def test_what_is_read_is_not_taken_away(drive: Drive, people: People) -> None:
    people.ana.types("/tb unreplicate members")
    drive()
    refused = drive.view(1).run
    assert refused.state == "refused"
    assert "`members_sorted_copy_pipe`" in str(refused.reason)
