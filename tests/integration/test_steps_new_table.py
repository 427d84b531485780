"""A table comes to be replicated and ceases to be, by the steps for it one after another; and what keeps each back."""

from collections.abc import Iterator
from dataclasses import replace

import javaproperties
import psycopg
import pytest

from runbooks.guards import ABSENT, digest_of
from runbooks.step import Astray, Done, Step, Todo
from runbooks.steps.append_scope import GrantAppend, RevokeAppend, TakeBackAppend
from runbooks.steps.backfills import AwaitBackfill, CreateBackfill
from runbooks.steps.connect_restart import AwaitTracked, AwaitUntracked, RestartConnect, TrackTopic, UntrackTopic
from runbooks.steps.delivery import AwaitDelivery
from runbooks.steps.postgres_index import AddPrimaryKey
from runbooks.steps.postgres_migrate import RefreshTables
from runbooks.steps.publication import Published, PublishTable, WithdrawTable
from runbooks.steps.sink_create import CreateSink, DeleteSink, RemoveSink
from runbooks.steps.topics import CreateTopic, DeleteTopic, RemoveEmptyTopic
from systems.errors import SystemsError
from systems.kafka_model import TopicShape
from systems.tinybird_model import NewDatasource
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story

NAME, SINK, CONNECTOR, POD = "releases", "releases_sink", "tinybird-sink", "kafka-connect-dpl"
GRANT = GrantAppend(token="connect", datasource=NAME)
REVOKE = RevokeAppend(token="connect", datasource=NAME)
RESTART = RestartConnect(connector=CONNECTOR, topics_with=NAME)
RESTART_WITHOUT = RestartConnect(connector=CONNECTOR, topics_without=NAME)
CREATE_SINK = CreateSink(sink=SINK, table="public.releases", topic=NAME, like="members_sink")
DELETE_SINK = DeleteSink(sink=SINK, table="public.releases", topic=NAME)
FILL: tuple[Step, ...] = (
    CreateBackfill(sink=SINK, table="public.releases"),
    AwaitBackfill(sink=SINK, table="public.releases"),
    AwaitDelivery(topic=NAME),
)


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    sandbox.knobs(kubernetes__pod_end_s=1.0, kubernetes__pod_start_s=1.0, sequin__slot_restart_s=1.0)
    sandbox.knobs(sequin__backfill_start_delay_s=1.0, connect__offset_flush_s=2.0)
    with story(sandbox) as told:
        yield told


def table(sandbox: Sandbox) -> None:
    """In Postgres, with rows, published; it is another step's to bring that about."""
    sandbox.pg('CREATE TABLE releases (id int PRIMARY KEY, url text NOT NULL, "updatedAt" timestamptz NOT NULL)')
    sandbox.pg("INSERT INTO releases SELECT n, 'https://example/' || n, now() FROM generate_series(1, 300) n")
    sandbox.pg("ALTER TABLE releases REPLICA IDENTITY FULL")
    sandbox.pg("ALTER PUBLICATION sequin_pub ADD TABLE releases")
    sandbox.pg("GRANT SELECT ON releases TO sequin")


def datasource(run: Story) -> None:
    columns = ("id Int32", "url String", "updatedAt DateTime64(3)")
    schema = ", ".join(f"`{c.split()[0]}` {c.split()[1]} `json:$.record.{c.split()[0]}`" for c in columns)
    run.base.tinybird.create_datasource(
        NewDatasource(NAME, schema, "ReplacingMergeTree", sorting_key="id", version="updatedAt")
    )


def topic(run: Story) -> CreateTopic:
    shape = run.base.kafka.topic_shape("members")
    assert shape is not None
    return CreateTopic.of(NAME, "members", shape)


def deploy(sandbox: Sandbox, *, tracked: bool) -> None:
    """The file as a merged pull request brings it to the cluster."""
    config = sandbox.connect.get(f"/connectors/{CONNECTOR}/config").json()
    topics = [each for each in config["topics"].split(",") if each != NAME] + ([NAME] if tracked else [])
    text = javaproperties.dumps({**config, "topics": ",".join(topics)}, timestamp=None)
    sandbox.knobs(connect__properties=text)


def interrupted(sandbox: Sandbox, run: Story, step: Step, system: str, match: str) -> None:
    """The act takes, its answer is lost, and another worker looks: it is done, and done once."""
    seen = step.look(run.at())
    assert isinstance(seen, Todo), seen
    sandbox.faults.add(system, match, "drop_after")
    with pytest.raises(SystemsError):
        step.act(run.at(seen.memo))
    done = sandbox.until(lambda: isinstance(step.look(run.at(seen.memo)), Done))
    assert done
    assert sandbox.log.count(system, match) == 1


def reason(step: Step, run: Story) -> str:
    seen = step.look(run.at())
    assert isinstance(seen, Astray), seen
    return seen.reason


def rows(sandbox: Sandbox) -> int:
    return int(sandbox.tb(f"SELECT toString(uniqExact(id)) AS n FROM {NAME}")[0]["n"])


def test_a_table_is_replicated_and_replicated_no_more(sandbox: Sandbox, run: Story) -> None:
    table(sandbox)
    scopes = {str(s) for t in run.base.tinybird.tokens() if t.name == "connect" for s in t.scopes}
    assert digest_of(run.at(), f"kafka/topic/{NAME}/partitions") == ABSENT
    assert digest_of(run.at(), f"sequin/sink/{SINK}/source") == ABSENT
    assert run.take(RefreshTables(database="cm-local"), topic(run)), run.astray
    datasource(run)
    interrupted(sandbox, run, GRANT, "tinybird", "PUT /v0/tokens/*")
    deploy(sandbox, tracked=True)
    interrupted(sandbox, run, RESTART, "kubernetes", f"PATCH /apis/*/{POD}")
    assert run.take(AwaitTracked(connector=CONNECTOR, topic=NAME)), run.astray
    interrupted(sandbox, run, CREATE_SINK, "sequin", "POST /api/sinks")
    assert run.take(*FILL), run.astray
    assert rows(sandbox) == 300

    sandbox.pg("UPDATE releases SET url = 'moved', \"updatedAt\" = now() WHERE id = 7")
    sandbox.pg("INSERT INTO releases VALUES (301, 'new', now())")
    sandbox.until(lambda: rows(sandbox) == 301, what="a row that came later")
    sandbox.until(lambda: sandbox.tb(f"SELECT id FROM {NAME} FINAL WHERE url = 'moved'"), what="a row that changed")

    before = sandbox.log.last()
    assert run.take(topic(run), GRANT, RESTART, AwaitTracked(connector=CONNECTOR, topic=NAME), CREATE_SINK)
    assert {e["method"] for e in sandbox.log.entries(after=before)} == {"GET"}, "done twice is done once"

    assert "the Sequin sink releases_sink writes to it" in reason(DeleteTopic(topic=NAME), run)
    assert "still reads the topic" in reason(REVOKE, run)
    assert run.take(AwaitDelivery(topic=NAME)), run.astray
    interrupted(sandbox, run, DELETE_SINK, "sequin", "DELETE /api/sinks/*")
    assert "the connector tinybird-sink reads it" in reason(DeleteTopic(topic=NAME), run)
    deploy(sandbox, tracked=False)
    assert run.take(RESTART_WITHOUT, AwaitUntracked(connector=CONNECTOR, topic=NAME), REVOKE), run.astray
    assert {str(s) for t in run.base.tinybird.tokens() if t.name == "connect" for s in t.scopes} == scopes
    assert run.take(DeleteTopic(topic=NAME)), run.astray
    assert NAME not in run.base.kafka.topics()


def test_what_was_made_goes_again_on_a_way_out(sandbox: Sandbox, run: Story) -> None:
    table(sandbox)
    run.take(RefreshTables(database="cm-local"), topic(run))
    datasource(run)
    run.take(GRANT, CREATE_SINK)
    assert [type(entry.step) for entry in run.entries] == [RemoveEmptyTopic, TakeBackAppend, RemoveSink]
    proven = replace(run.at(), proven=frozenset({NAME}))
    assert [type(entry.step.look(proven)) for entry in run.entries] == [Done, Done, Done], "nothing is left listed"
    run.put_back()
    assert [(entry.state, entry.reason) for entry in run.entries if entry.state != "done"] == []
    assert run.base.sequin.find_sink(SINK) is None
    assert NAME not in run.base.kafka.topics()
    assert isinstance(GRANT.look(run.at()), Todo)


@pytest.mark.long
def test_a_topic_that_is_otherwise_or_in_use_is_left_alone(sandbox: Sandbox, run: Story) -> None:
    run.base.kafka.create_topic(NAME, TopicShape(3, 1))
    assert "with 3 partitions, and 2 were planned" in reason(topic(run), run)
    assert "the Sequin sink members_sink writes to it" in reason(DeleteTopic(topic="members"), run)
    sandbox.pg("UPDATE segments SET name = name")
    sandbox.until(lambda: sum(run.base.kafka.end_offsets("segments").values()) > 0)
    assert "stays: it has taken" in reason(RemoveEmptyTopic(topic="segments"), run)
    sandbox.connect.put(f"/connectors/{CONNECTOR}/pause")
    sandbox.until(lambda: run.base.connect.status(CONNECTOR).paused)
    run.base.kafka.delete_topic(NAME)
    assert "a restart would start it again" in reason(RESTART, run)


@pytest.mark.long
def test_nothing_comes_before_what_it_needs(sandbox: Sandbox, run: Story) -> None:
    assert "there is no Kafka topic releases" in reason(CREATE_SINK, run)
    assert "there is no Kafka topic releases" in reason(RESTART, run)
    assert "there is no data source releases" in reason(GRANT, run)
    run.take(topic(run))
    assert "there is no data source releases" in reason(RESTART, run)
    datasource(run)
    assert "may not append to releases" in reason(RESTART, run)
    rival = CreateSink(sink="second_sink", table="public.members", topic="members", like="members_sink")
    assert "members_sink writes to the topic members already" in reason(rival, run)
    other = CreateSink(sink="members_sink", table="public.releases", topic=NAME, like="segments_sink")
    assert "there is a Sequin sink members_sink that sends public.members" in reason(other, run)
    refused = sandbox.control.post(
        f"{sandbox.ready['tinybird']['url']}/v0/events?name={NAME}",
        content='{"record": {"id": 1}}',
        headers={"Authorization": f"Bearer {sandbox.ready['tinybird']['append_token']}"},
    )
    assert refused.status_code == 403


def test_an_identity_that_would_end_the_applications_writes_is_not_given(sandbox: Sandbox, run: Story) -> None:
    """Postgres 18 refuses every UPDATE where a generated column of it is not sent, and every one a list of columns."""
    sandbox.pg("CREATE TABLE releases (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a + 1) STORED)")
    sandbox.pg("INSERT INTO releases VALUES (1, 1)")
    of = Published(table=NAME, feeds=NAME, publication="sequin_pub", role="sequin")
    assert "does not send b of releases" in reason(PublishTable(of=of), run)
    sandbox.pg("ALTER TABLE releases DROP COLUMN b")
    sandbox.pg("ALTER PUBLICATION sequin_pub ADD TABLE releases (id)")
    assert "lists the columns of releases" in reason(PublishTable(of=of), run)
    assert sandbox.pg("UPDATE releases SET a = 2 RETURNING a") == [{"a": 2}]


def test_a_publication_of_all_tables_keeps_what_is_withdrawn(sandbox: Sandbox, run: Story) -> None:
    """Postgres would refuse to take one out of it, and nobody sends on what it says of that one."""
    table(sandbox)
    with psycopg.connect(sandbox.ready["postgres"], user="postgres", autocommit=True) as admin:
        admin.execute("DROP PUBLICATION sequin_pub")
        admin.execute("CREATE PUBLICATION sequin_pub FOR ALL TABLES")
    step = WithdrawTable(of=Published(table=NAME, feeds=NAME, publication="sequin_pub", role="sequin"))
    assert isinstance(step.look(run.at()), Todo)
    step.act(run.at())
    seen = step.look(run.at())
    assert isinstance(seen, Done), seen
    assert "with all others" in seen.said
    assert sandbox.pg("SELECT relreplident::text AS i FROM pg_class WHERE relname = 'releases'") == [{"i": "d"}]


@pytest.mark.long
def test_by_rest_only_the_list_is_changed_and_it_can_be_changed_back(sandbox: Sandbox, run: Story) -> None:
    sandbox.knobs(connect__mode="distributed")
    run.base = replace(run.base, names=replace(run.base.names, connect_restart="rest"))
    run.take(topic(run))
    datasource(run)
    run.take(GRANT)
    before = sandbox.connect.get(f"/connectors/{CONNECTOR}/config").json()
    track = TrackTopic(connector=CONNECTOR, topic=NAME)
    interrupted(sandbox, run, track, "connect", f"PUT /connectors/{CONNECTOR}/config")
    assert run.take(AwaitTracked(connector=CONNECTOR, topic=NAME)), run.astray
    after = sandbox.connect.get(f"/connectors/{CONNECTOR}/config").json()
    assert {key for key in after if after[key] != before.get(key)} == {"topics"}
    run.take(RestartConnect(connector=CONNECTOR))
    assert sandbox.log.count("connect", f"POST /connectors/{CONNECTOR}/restart") == 1
    run.take(UntrackTopic(connector=CONNECTOR, topic=NAME), AwaitUntracked(connector=CONNECTOR, topic=NAME))
    assert sandbox.connect.get(f"/connectors/{CONNECTOR}/config").json() == before


@pytest.mark.long
def test_a_file_that_connect_cannot_take_and_a_task_that_fails_are_told(sandbox: Sandbox, run: Story) -> None:
    run.take(topic(run))
    datasource(run)
    run.take(GRANT)
    sandbox.knobs(connect__properties="name=tinybird-sink\ntopics=")
    assert run.take(RESTART), "way backs are looked at while Connect is away"
    sandbox.clock.advance(700)
    sandbox.until(lambda: "CrashLoopBackOff" in str(AwaitTracked(connector=CONNECTOR, topic=NAME).look(run.at())))
    sandbox.knobs(connect__properties="", connect__task_fails_on_restart=True)
    failed = "task 0 is FAILED: org.apache.kafka.connect.errors.ConnectException"
    sandbox.until(lambda: failed in str(AwaitTracked(connector=CONNECTOR, topic=NAME).look(run.at())))


def test_a_unique_constraint_stays_beside_the_key_over_the_same_columns(sandbox: Sandbox, run: Story) -> None:
    """Its index cannot become the key's: another one is built beside the writers first."""
    sandbox.pg("CREATE TABLE orders (code text NOT NULL UNIQUE, place int NOT NULL)")
    assert run.take(AddPrimaryKey(table="orders", columns=("code",))), run.astray
    names = sandbox.pg("SELECT conname, contype::text FROM pg_constraint WHERE conrelid = 'orders'::regclass")
    assert {row["contype"]: row["conname"] for row in names if row["contype"] in "pu"} == {
        "p": "ix_orders_code_key",
        "u": "orders_code_key",
    }
    assert not run.take(AddPrimaryKey(table="orders", columns=("place",)))
