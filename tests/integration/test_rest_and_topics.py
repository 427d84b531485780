"""Environments of another kind: Kafka makes topics by itself, and Kafka Connect is told by REST what to read."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from tests.support.aborting import aborted
from tests.support.drive import Drive, Product, driving
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.renaming import GONE, NEW, OLD, READERS, THERE, answers, reading, way
from tests.support.replicating import ALL, NOTHING, TABLE, replication
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration


@pytest.fixture
def by_rest(sandbox: Sandbox, people: People, running_product: Product) -> Iterator[Drive]:
    """A distributed worker: its list lives in Kafka, so that no file of a repository holds it."""
    sandbox.knobs(connect__mode="distributed")
    given = running_product.with_settings(connect={"restart": "rest"}, github={"properties": None})
    with driving(sandbox, people, given) as drive:
        yield drive


@pytest.fixture
def by_itself(sandbox: Sandbox, people: People, running_product: Product) -> Iterator[Drive]:
    """Kafka makes a topic with the first message for it."""
    sandbox.knobs(kafka__creates_topics=True)
    with driving(sandbox, people, running_product.with_settings(kafka={"creates_topics": True})) as drive:
        yield drive


def topics(sandbox: Sandbox) -> set[str]:
    return {*AdminClient({"bootstrap.servers": sandbox.ready["kafka"]}).list_topics(timeout=5).topics}


def rows_are_there_and_follow(sandbox: Sandbox) -> None:
    there = sandbox.pg(f"SELECT count(*) AS n, min(id::text) AS id FROM {TABLE}")[0]
    assert sandbox.tb(f"SELECT toString(count()) AS n FROM {TABLE} FINAL") == [{"n": str(there["n"])}]
    sandbox.pg(f"""UPDATE {TABLE} SET stars = 4711, "updatedAt" = now() WHERE id = %s RETURNING id""", [there["id"]])
    starred = f"SELECT toString(count()) AS n FROM {TABLE} FINAL WHERE stars = 4711"
    sandbox.until(lambda: sandbox.tb(starred) == [{"n": "1"}], what="a change of Postgres")


def test_a_table_comes_and_goes_where_connect_is_told_by_rest(by_rest: Drive, sandbox: Sandbox) -> None:
    after = sandbox.log.last()
    by_rest.until(by_rest.run(f"/tb replicate {TABLE}"), "succeeded")
    assert replication(sandbox) == ALL
    rows_are_there_and_follow(sandbox)
    unhurried(sandbox)
    by_rest.until(by_rest.run(f"/tb unreplicate {TABLE}"), "succeeded")
    assert replication(sandbox) == NOTHING
    assert sandbox.log.count("connect", "PUT /connectors/tinybird-sink/config", after=after) == 2
    assert sandbox.log.count("kubernetes", "PATCH *", after=after) == 0
    assert sandbox.log.count("github", "POST *", after=after) == 0


@pytest.mark.long
@pytest.mark.parametrize("done", range(12))
def test_an_aborted_replicate_takes_the_topic_off_the_list_again(
    by_rest: Drive, sandbox: Sandbox, people: People, done: int
) -> None:
    """Unlike a file that people merge, the list is the run's own to put back."""
    run = by_rest.run(f"/tb replicate {TABLE}")
    proven = next(step.number for step in by_rest.view(run).steps if step.op.startswith("proof."))
    aborted(by_rest, people, run, done)
    assert replication(sandbox) == (ALL if done >= proven else NOTHING), by_rest.thread(run)
    assert sandbox.connector()["connector"]["state"] == "RUNNING"


@pytest.mark.long
def test_a_data_source_is_renamed_where_connect_is_told_by_rest(by_rest: Drive, sandbox: Sandbox) -> None:
    before, after = answers(sandbox), sandbox.log.last()
    by_rest.until(by_rest.run(f"/tb rename {OLD} to {NEW}"), "succeeded")
    assert (way(sandbox, OLD), way(sandbox, NEW)) == (GONE, THERE)
    assert (reading(sandbox, OLD), reading(sandbox, NEW)) == (set(), {*READERS})
    assert answers(sandbox) == before
    assert sandbox.log.count("connect", "PUT /connectors/tinybird-sink/config", after=after) == 2
    assert sandbox.log.count("kubernetes", "PATCH *", after=after) == 0


@pytest.mark.long
def test_a_table_comes_and_goes_where_kafka_makes_its_topic(by_itself: Drive, sandbox: Sandbox) -> None:
    run = by_itself.run(f"/tb replicate {TABLE}", approve=False)
    assert f"Kafka makes the topic {TABLE} by itself" in by_itself.card(run).words
    by_itself.approve(run)
    by_itself.until(run, "succeeded")
    assert replication(sandbox) == ALL
    assert TABLE in topics(sandbox)
    rows_are_there_and_follow(sandbox)
    unhurried(sandbox)
    by_itself.until(by_itself.run(f"/tb unreplicate {TABLE}"), "succeeded")
    assert replication(sandbox) == NOTHING
    assert TABLE not in topics(sandbox)
