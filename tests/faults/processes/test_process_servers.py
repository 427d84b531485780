"""Redis, Postgres or the broker goes away in the middle of a run: nothing is lost, nothing is done twice."""

import time

import pytest
from redis import Redis

from systems.errors import SystemsError
from systems.kafka import Kafka
from tests.support.paces import FAST, SLOW
from tests.support.people import People
from tests.support.processes import (
    ALTERED,
    RECREATED,
    Crew,
    Job,
    effects,
    everything_arrived,
    holding_drains,
)
from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.faults, pytest.mark.process]

AWAY_S = 17.0  # waits that double from 1 s end after 15 s and after 31 s
SOON_S = 8.0


@pytest.mark.long
def test_redis_flushed_in_the_middle(sandbox: Sandbox, crew: Crew, people: People) -> None:
    def flush(at: str) -> None:
        job.reaches(at)
        with Redis.from_url(sandbox.ready["redis"]) as redis:
            redis.flushall()

    sandbox.knobs(**SLOW)
    with holding_drains(sandbox):
        job = Job(sandbox, people, "recreate")
        flush("stream.drain")
    flush("sequin.backfill.await")
    sandbox.knobs(**FAST)
    assert job.ends() == "succeeded"
    assert effects(sandbox) == RECREATED
    everything_arrived(sandbox)


def test_redis_away_and_empty_when_it_is_back(sandbox: Sandbox, crew: Crew, people: People) -> None:
    with holding_drains(sandbox):
        job = Job(sandbox, people, "recreate")
        job.reaches("stream.drain")
        sandbox.take_away("redis")
        asked = people.chen.types("/tb runs")
        assert "Got it" in asked.ack, "a command is acknowledged while Redis is away"
        sandbox.bring_back("redis")
    sandbox.until(
        lambda: any(asked.ack not in seen.text and seen.shown["ephemeral"] for seen in people.chen.sees()),
        what="the answer, once Redis is back: the sweep rings again",
    )
    assert job.ends() == "succeeded"
    assert effects(sandbox) == RECREATED
    assert sandbox.ledger("SELECT count(*) AS n FROM ledger.run") == [{"n": 1}]
    everything_arrived(sandbox)


@pytest.mark.long
def test_postgres_crashes_in_the_middle(sandbox: Sandbox, crew: Crew, people: People) -> None:
    with holding_drains(sandbox):
        job = Job(sandbox, people, "recreate")
        job.reaches("stream.drain")
        sandbox.take_away("postgres")
        sandbox.bring_back("postgres")
    assert job.ends() == "succeeded"
    assert effects(sandbox) == RECREATED
    everything_arrived(sandbox)


@pytest.mark.long  # the outage is the machine's time; what went away for a moment is above
@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_what_was_long_away_is_found_soon_after_it_is_back(
    sandbox: Sandbox, crew: Crew, people: People, server: str
) -> None:
    """Seen to fail for Postgres with the pool's own settings: its waits double, so it slept as long again."""
    with holding_drains(sandbox):
        job = Job(sandbox, people, "recreate")
        job.reaches("stream.drain")
        sandbox.take_away(server)
        began = time.monotonic()
        while time.monotonic() - began < AWAY_S:
            sandbox.log.entries(after=sandbox.log.last(), wait_s=1.0)
        sandbox.bring_back(server)
        fence = job.row()["fence"]
        sandbox.until(lambda: job.row()["fence"] > fence, patience_s=SOON_S, what="the next tick")
    assert job.ends() == "succeeded"
    assert effects(sandbox) == RECREATED


def test_a_click_while_the_ledger_is_away_is_answered_and_works_afterwards(
    sandbox: Sandbox, crew: Crew, people: People
) -> None:
    card = people.ana.types("/tb migrate members add field nickname text --strategy alter").card()
    card = card.until(lambda m: "Approve up to step 5" in m.buttons)
    sandbox.take_away("postgres")
    click = people.ben.clicks("Approve up to step 5", on=card)
    assert "could not store" in click.ephemeral().text
    sandbox.bring_back("postgres")
    assert sandbox.ledger("SELECT state FROM ledger.run") == [{"state": "proposed"}]
    before = sandbox.ledger("SELECT count(*) AS n FROM ledger.inbox")

    def stored() -> bool:
        """The bot may be waiting a moment before it connects again, and then says once more what it said."""
        people.ben.clicks("Approve up to step 5", on=card)
        return sandbox.ledger("SELECT count(*) AS n FROM ledger.inbox") != before

    sandbox.until(stored, what="a click that is stored")
    sandbox.until(lambda: sandbox.ledger("SELECT id FROM ledger.run WHERE state = 'succeeded'"), what="success")
    assert effects(sandbox) == ALTERED


def test_a_restarted_broker_is_asked_anew(sandbox: Sandbox) -> None:
    """Seen to fail with the old client kept: the former coordinator never answered again."""
    kafka = Kafka(sandbox.ready["kafka"], call_s=2.0)

    def answered() -> bool:
        try:
            return kafka.committed("connect-tinybird-sink", "members") == {}
        except SystemsError:
            return False

    sandbox.until(answered, what="the group's offsets")
    sandbox.reset()  # a new broker at the old place
    sandbox.until(answered, what="the group's offsets, asked of the new one")
