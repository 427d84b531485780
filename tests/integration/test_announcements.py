"""Whose alarms a run sets off hear of it before, in a channel of their own, and when it is over."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from confluent_kafka.admin import AdminClient

import bot.jobs
from tests.support.aborting import aborted
from tests.support.drive import Drive, Product, driving
from tests.support.limiter import unhurried
from tests.support.people import Message, People
from tests.support.renaming import NEW, OLD
from tests.support.replicating import ALL, NOTHING, TABLE, replication
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration

WATCHERS, NOT_IN = "C0ALERTS1", "C0SECRET1"
CREATE = "kafka.topic.create/1"


Telling = Callable[[str], AbstractContextManager[Drive]]


@pytest.fixture
def telling(sandbox: Sandbox, people: People, running_product: Product) -> Telling:
    """A drive whose environment names that channel; what the run says there is sent while it goes on."""

    @contextmanager
    def made(channel: str) -> Iterator[Drive]:
        given = running_product.with_settings(channels={"announcements": channel})
        with driving(sandbox, people, given) as drive:
            drive.watches.append(lambda: publish(sandbox))
            yield drive

    return made


@pytest.fixture
def told(telling: Telling) -> Iterator[Drive]:
    with telling(WATCHERS) as drive:
        yield drive


def publish(sandbox: Sandbox) -> None:
    """As a talk worker does that was rung for them."""
    behind = "SELECT id FROM ledger.message WHERE purpose = 'announcement' AND wanted_rev > sent_rev"
    for row in sandbox.ledger(behind):
        bot.jobs.publish(row["id"])


def heard(people: People) -> list[Message]:
    """What stands in their channel, threads left out."""
    return [m for m in people.chen.sees("alerts") if "Kafka topic" in m.text and m.shown["thread_ts"] in (None, m.ts)]


def topics(sandbox: Sandbox) -> set[str]:
    return {*AdminClient({"bootstrap.servers": sandbox.ready["kafka"]}).list_topics(timeout=5).topics}


def number_of(drive: Drive, run: int, op: str) -> int:
    return next(step.number for step in drive.view(run).steps if step.op == op)


def test_a_new_topic_is_told_of_before_it_is_there_and_when_it_is_read(
    told: Drive, sandbox: Sandbox, people: People
) -> None:
    run = told.run(f"/tb replicate {TABLE}")
    told.until_step(run, number_of(told, run, CREATE))
    (said,) = heard(people)
    assert TABLE not in topics(sandbox)
    assert f"The Kafka topic {TABLE} has no consumer from about 20" in said.text
    assert "until people have merged a pull request, and for about 60 s more" in said.text
    assert f"It is of run {run}, `replicate {TABLE}`; ask ana." in said.text
    assert said.replies() == []
    told.until(run, "succeeded")
    assert [reply.text for reply in said.replies()] == [f"This is over: Kafka Connect reads the topic {TABLE}."]
    unhurried(sandbox)
    run = told.run(f"/tb unreplicate {TABLE}")
    told.until_step(run, number_of(told, run, "connect.restart/1"))
    assert len(heard(people)) == 2
    told.until(run, "succeeded")
    assert replication(sandbox) == NOTHING
    assert [reply.text for reply in heard(people)[-1].replies()] == [f"This is over: the Kafka topic {TABLE} is gone."]
    assert len(heard(people)) == 2


def test_an_abort_says_that_it_is_over_too(told: Drive, sandbox: Sandbox, people: People) -> None:
    run = told.run(f"/tb replicate {TABLE}")
    aborted(told, people, run, number_of(told, run, CREATE))
    (said,) = heard(people)
    assert [reply.text for reply in said.replies()] == [f"This is over: the Kafka topic {TABLE} is gone."]
    assert replication(sandbox) == NOTHING


@pytest.mark.long
def test_a_topic_waits_until_slack_has_taken_it_and_hears_it_once(
    told: Drive, sandbox: Sandbox, people: People
) -> None:
    run = told.run(f"/tb replicate {TABLE}")
    told.until_step(run, number_of(told, run, CREATE) - 1)
    told.watches.clear()  # nobody publishes
    for _ in range(10):
        told.move()
    assert TABLE not in topics(sandbox)
    assert heard(people) == []
    told.take_over()
    told.watches.append(lambda: publish(sandbox))
    told.until(run, "succeeded")
    assert len(heard(people)) == 1


@pytest.mark.long
def test_a_channel_that_slack_refuses_stops_no_run(telling: Telling, sandbox: Sandbox) -> None:
    with telling(NOT_IN) as drive:
        run = drive.run(f"/tb replicate {TABLE}")
        drive.until(run, "succeeded")
        assert replication(sandbox) == ALL
        (said,) = (step.said for step in drive.view(run).steps if step.op == "slack.announce.unread/1")
        assert "channel_not_found" in str(said)
        assert f"tell those who watch for {TABLE} yourself" in str(said)


@pytest.mark.long
def test_a_rename_tells_of_both_topics(told: Drive, people: People) -> None:
    told.until(told.run(f"/tb rename {OLD} to {NEW}"), "succeeded")
    new, old = heard(people)
    assert f"topic {NEW} has no consumer" in new.text
    assert f"topic {OLD} has no consumer" in old.text
    assert [r.text for said in (new, old) for r in said.replies()] == [
        f"This is over: Kafka Connect reads the topic {NEW}.",
        f"This is over: the Kafka topic {OLD} is gone.",
    ]
