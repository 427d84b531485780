"""Pools of workers come and go: one ends when it is told to, two work side by side, one follows another."""

import pytest

from tests.support.people import People
from tests.support.processes import RECREATED, Crew, Job, effects, everything_arrived, holding_drains
from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.faults, pytest.mark.process]


@pytest.mark.long
def test_pools_side_by_side_and_one_after_the_other_do_each_thing_once(
    sandbox: Sandbox, crew: Crew, people: People
) -> None:
    """A rolling restart in the middle of a run: the second pool comes, the first ends when told to."""
    with holding_drains(sandbox):  # a pool takes longer to start than a run to end, where many share the machine
        job = Job(sandbox, people, "recreate")
        job.reaches("stream.drain")
        second = crew.start("worker")
        assert crew.pool.stop() == 0, "told to end, it ends well"
        old = job.row()
        sandbox.until(lambda: job.row()["fence"] > old["fence"], what="the second pool's tick")
        assert job.row()["op"] == "stream.drain"
    assert job.ends() == "succeeded"
    assert second.runs
    assert effects(sandbox) == RECREATED
    everything_arrived(sandbox)


@pytest.mark.long
def test_who_waits_for_a_worker_is_told_so_once(sandbox: Sandbox, crew: Crew, people: People) -> None:
    crew.pool.stop()
    crew.start("worker", "work")
    asked = people.ana.types("/tb runs")
    waiting = "I have it, no worker has taken it yet."

    def told() -> int:
        return sum(waiting in message.text for message in people.ana.sees())

    assert "Got it" in asked.ack
    sandbox.until(told, what="the bot's own answer")
    assert told() == 1
    crew.start("worker", "talk")
    handled = "SELECT id FROM ledger.inbox WHERE handled_at IS NOT NULL"
    sandbox.until(lambda: sandbox.ledger(handled), what="the command, handled at last")
    assert told() == 1
