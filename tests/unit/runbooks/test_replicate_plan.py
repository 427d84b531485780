"""The plan of a replicate: what is lacking of a table's way to Tinybird, in the order that loses nothing."""

from dataclasses import replace

import pytest

from runbooks.datafile import read_datasource
from runbooks.errors import Refused
from runbooks.facts.model import Facts, PgColumn, PgTable, Sink, Token
from runbooks.names import Names, PropertiesNames
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import Count, Shapes
from runbooks.request import Replicate, Request, Unreplicate
from runbooks.tables.hazards import FILLED
from systems.kafka_model import TopicShape
from tests.support.estate import live

TIME = "timestamp with time zone"
COLUMNS = (
    PgColumn("id", "uuid", nullable=False),
    PgColumn("url", "text", nullable=False),
    PgColumn("stars", "integer", nullable=True),
    PgColumn("archived", "boolean", nullable=False),
    PgColumn("known", "boolean", nullable=True),
    PgColumn("topics", "text[]", nullable=False),
    PgColumn("cost", "numeric(12,2)", nullable=True),
    PgColumn("type", "text", nullable=False),
    PgColumn("raw", "bytea", nullable=True),
    PgColumn("updatedAt", TIME, nullable=False),
    PgColumn("deletedAt", TIME, nullable=True),
)
REPOS = PgTable("public", "repos", COLUMNS, ("id",), (("id",),), (("id",),), rows=50)
NAMES = Names(
    connect_restart="crowd/kafka-connect-dpl",
    properties=PropertiesNames("acme/cluster", "main", "local/tinybird-sink.properties.enc"),
)
SHAPE = TopicShape(3, 2, {"retention.ms": "1000"})


def facts(table: PgTable = REPOS, names: Names = NAMES) -> Facts:
    """The estate of the tests with one table more, which is not replicated."""
    known = live()
    token = Token("connect", (("DATASOURCES:APPEND", "people"),))
    return replace(
        known,
        tables={**(known.tables or {}), table.name: table},
        names=names,
        tokens=(token,),
        topics={"people": SHAPE},
    )


def plan(known: Facts, table: str = "repos", name: str | None = None) -> Plan:
    return make_plan(Request(text=f"replicate {table}", job=Replicate(table=table, datasource=name)), known)


def ops(made: Plan) -> list[str]:
    return [step.op.partition("/")[0] for step in made.steps]


def counts(known: Facts) -> list[Count]:
    asked = questions_of(Request(text="…", job=Replicate(table="repos")), known)
    return [question for question in asked if isinstance(question, Count)]


def refusal(known: Facts, table: str = "repos", name: str | None = None) -> str:
    with pytest.raises(Refused) as refused:
        plan(known, table, name)
    return refused.value.sentence


def slugs(made: Plan) -> dict[str, str]:
    return {hazard.slug: hazard.level for hazard in made.hazards}


def test_nothing_is_sent_before_all_that_takes_it_is_there() -> None:
    made = ops(plan(facts()))
    assert made == [
        "postgres.index.create",
        "postgres.table.publish",
        "kafka.topic.create",
        "tinybird.datasource.create-new",
        "tinybird.token.grant-append",
        "github.properties.commit",
        "github.pull.open",
        "github.properties.merge",
        "connect.restart",
        "connect.topic.await-tracked",
        "sequin.tables.refresh",
        "sequin.sink.create",
        "sequin.backfill.create",
        "sequin.backfill.await",
        "stream.await-delivery",
        "proof.values",
        "stream.check-flow",
        "github.branch.delete",
    ]


def test_the_data_source_is_derived_from_the_catalog() -> None:
    made = plan(facts())
    file = made.datafiles["repos.datasource"]
    for line in (
        "`id` String `json:$.record.id`,",
        "`url` String `json:$.record.url` DEFAULT '',",
        "`stars` Nullable(Int32) `json:$.record.stars`,",
        "`archived` UInt8 `json:$.record.archived` DEFAULT 0,",
        "`known` Nullable(UInt8) `json:$.record.known`,",
        "`topics` Array(String) `json:$.record.topics[:]` DEFAULT [],",
        "`cost` String `json:$.record.cost` DEFAULT '',",
        "`type` LowCardinality(String) `json:$.record.type` DEFAULT '',",
        "`updatedAt` DateTime64(3) `json:$.record.updatedAt`,",
        "`deletedAt` Nullable(DateTime64(3)) `json:$.record.deletedAt`",
        "ENGINE ReplacingMergeTree",
        "ENGINE_SORTING_KEY id",
        "ENGINE_VER updatedAt",
    ):
        assert line in file
    assert "raw" not in file
    assert any("raw (bytea)" in said for said in made.inferred)
    assert made.diffs["repos.datasource"].count("\n+") >= len(COLUMNS) - 1


def test_what_tinybird_or_sequin_has_no_word_for_is_left_out_or_travels_as_text() -> None:
    odd = (
        PgColumn("my col", "text", nullable=True),
        PgColumn("moods", "mood[]", nullable=True),
        PgColumn("sizes", "integer[]", nullable=True),
    )
    made = plan(facts(replace(REPOS, columns=(*COLUMNS, *odd))))
    file = made.datafiles["repos.datasource"]
    assert "`moods` String `json:$.record.moods` DEFAULT ''" in file
    assert "`sizes` Array(Int32) `json:$.record.sizes[:]` DEFAULT []" in file
    assert "my col" not in file
    assert "left out, as Tinybird takes no column of that name: my col" in made.inferred


def test_rows_without_a_version_are_counted_and_forbid_it() -> None:
    columns = tuple(replace(c, nullable=True) if c.name == "updatedAt" else c for c in COLUMNS)
    known = facts(replace(REPOS, columns=columns))
    asked = counts(known)
    assert [q.sql for q in asked] == ['SELECT count(*) FROM "public"."repos" WHERE "updatedAt" IS NULL']
    lost = plan(replace(known, answers={asked[0].key: 3}))
    assert "3 rows have none" in next(h.message for h in lost.blocked if h.slug == "version-column-missing")
    assert slugs(plan(replace(known, answers={asked[0].key: 0})))["version-column-missing"] == "warning"
    assert counts(facts()) == []


def test_the_topic_is_like_a_neighbours_and_only_made_where_kafka_makes_none() -> None:
    (created,) = (step for step in plan(facts()).steps if step.op.startswith("kafka.topic.create"))
    assert (created.params["partitions"], created.params["replication"]) == (3, 2)
    assert created.params["config"] == {"retention.ms": "1000"}
    by_itself = plan(facts(names=replace(NAMES, creates_topics=True)))
    assert "kafka.topic.create" not in ops(by_itself)
    assert any("makes the topic repos by itself" in reason for reason in by_itself.strategy.reasons)
    assert questions_of(Request(text="", job=Replicate(table="repos")), facts()) == (
        Shapes("topics", ("repos", "people")),
    )


def test_a_channel_hears_of_a_topic_right_before_it_is_made_and_of_nothing_where_none_is() -> None:
    told = plan(facts(names=replace(NAMES, announces=True)))
    made = ops(told)
    assert made[made.index("kafka.topic.create") - 1] == "slack.announce.unread"
    assert made[made.index("connect.topic.await-tracked") + 1] == "slack.announce.over"
    (said, create) = (s for s in told.steps if s.op in ("slack.announce.unread/1", "kafka.topic.create/1"))
    assert (said.block, said.gate, create.gate) == (create.block, "approve", "none"), "one click for both"
    by_itself = plan(facts(names=replace(NAMES, announces=True, creates_topics=True)))
    assert not [op for op in ops(by_itself) if op.startswith("slack.")]
    assert {h.fix for h in told.hazards if h.slug == "topic-without-consumer"} == {
        "The run says so in Slack beforehand."
    }


def test_a_table_without_a_version_gets_one_and_people_hear_who_must_move_it() -> None:
    bare = replace(REPOS, columns=tuple(c for c in COLUMNS if c.name != "updatedAt"))
    made = plan(facts(bare))
    assert ops(made)[0] == "postgres.migrate"
    assert slugs(made)["version-column-missing"] == "warning"
    assert '"updatedAt" timestamptz NOT NULL DEFAULT now()' in made.sql[0]
    snake = (*(c for c in COLUMNS if c.name != "updatedAt"), PgColumn("updated_at", TIME, nullable=False))
    assert "ENGINE_VER updated_at" in plan(facts(replace(REPOS, columns=snake))).datafiles["repos.datasource"]


def test_a_unique_index_becomes_the_key_and_without_one_it_is_refused() -> None:
    unique = plan(facts(replace(REPOS, primary_key=(), unique=(("url",),))))
    assert "postgres.primary-key.add" in ops(unique)
    assert "ENGINE_SORTING_KEY url" in unique.datafiles["repos.datasource"]
    assert "no primary key" in refusal(facts(replace(REPOS, primary_key=(), unique=())))
    assert "no primary key" in refusal(facts(replace(REPOS, primary_key=(), unique=(("stars",),)))), "NULLs are no key"


def test_what_is_there_is_left_alone() -> None:
    done = replace(REPOS, identity="f", published=True, granted=True, indexes=(("updatedAt", "id"),))
    made = ops(plan(facts(done)))
    assert "postgres.table.publish" not in made
    assert "postgres.index.create" not in made
    half = plan(facts(replace(done, identity="d")))
    assert "postgres.table.publish" in ops(half)
    assert half.sql == ('ALTER TABLE "public"."repos" REPLICA IDENTITY FULL;',)


def test_when_all_is_there_nothing_is_to_do() -> None:
    done = replace(REPOS, identity="f", published=True, granted=True, indexes=(("updatedAt", "id"),))
    known = facts(done)
    file = plan(known).datafiles["repos.datasource"]
    connector = known.connector
    assert connector is not None
    there = replace(
        known,
        datasources={**known.datasources, "repos": read_datasource("repos", file)},
        sinks={**known.sinks, "repos_sink": Sink("repos_sink", "public.repos", "repos", "active", "healthy", "main")},
        connector=replace(connector, topics=(*connector.topics, "repos")),
        tokens=(Token("connect", (("DATASOURCES:APPEND", "people"), ("DATASOURCES:APPEND", "repos"))),),
        topics={"people": SHAPE, "repos": SHAPE},
    )
    assert "There is nothing to do" in refusal(there)
    paused = Sink("repos_sink", "public.repos", "repos", "paused", "paused", "main")
    said = refusal(replace(there, sinks={**known.sinks, paused.name: paused}))
    assert "All of the way of `repos` is there" in said
    assert "repos_sink is paused" in said
    empty = replace(there, datasources={**there.datasources, "repos": replace(there.datasources["repos"], rows=0)})
    (asked,) = (question for question in counts(empty) if question.key == FILLED)
    assert "There is nothing to do" in refusal(replace(empty, answers={asked.key: 0}))
    filled = plan(replace(empty, answers={asked.key: 1}))
    assert ops(filled) == [
        "sequin.backfill.create", "sequin.backfill.await", "stream.await-delivery", "proof.values", "stream.check-flow",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "slug", "said"),
    [
        (replace(REPOS, published=True, published_columns=("id", "url")), "publication-column-list", "(id, url)"),
        (replace(REPOS, published=True, row_filter="(stars > 9)"), "publication-row-filter", "(stars > 9)"),
        (replace(REPOS, heirs=("old_repos",)), "inherited-table", "old_repos"),
        (replace(REPOS, unsent=("full_name",), refuses_unsent=True), "generated-column", "full_name"),
    ],
)
def test_what_would_keep_changes_back_or_end_the_applications_writes_forbids_it(
    table: PgTable, slug: str, said: str
) -> None:
    (hazard,) = (h for h in plan(facts(table)).blocked if h.slug == slug)
    assert said in hazard.message
    assert (
        plan(facts(replace(table, published_columns=None, row_filter="", heirs=(), refuses_unsent=False))).blocked == ()
    )


def test_rows_that_row_security_hides_are_told_of() -> None:
    """From Sequin they are missed by the proof; from us they would be proven unseen."""
    assert slugs(plan(facts(replace(REPOS, veiled_there=True))))["row-security"] == "warning"
    assert slugs(plan(facts(replace(REPOS, veiled=True, veiled_there=True))))["row-security"] == "error"


def test_a_sink_that_somebody_stopped_forbids_a_backfill_on_it() -> None:
    known = facts()
    paused = Sink("repos_sink", "public.repos", "repos", "paused", "paused", "main")
    assert slugs(plan(replace(known, sinks={**known.sinks, paused.name: paused})))["sink-paused-already"] == "error"


def test_what_postgres_generates_is_left_out_as_changes_come_without_it() -> None:
    made = PgColumn("full_name", "text", nullable=True, default="(url || type)", generated=True)
    planned = plan(facts(replace(REPOS, columns=(*COLUMNS, made), unsent=("full_name",))))
    assert "full_name" not in planned.datafiles["repos.datasource"]
    assert "left out, as a change need not bring what Postgres generates: full_name" in planned.inferred


def test_a_publication_that_sends_partitions_under_their_own_names_forbids_a_partitioned_table() -> None:
    known = facts(replace(REPOS, partitioned=True))
    (asked,) = counts(known)
    assert asked.sql == "SELECT count(*) FROM pg_publication WHERE pubname = E'sequin_pub' AND NOT pubviaroot"
    (said,) = (h for h in plan(replace(known, answers={asked.key: 1})).blocked if h.slug == "publication-by-partition")
    assert "publish_via_partition_root = true" in said.fix
    assert "publication-by-partition" not in slugs(plan(replace(known, answers={asked.key: 0})))
    assert counts(facts(replace(REPOS, partitioned=True, published=True))) == []


def test_a_partitioned_table_gets_its_index_partition_by_partition() -> None:
    made = plan(facts(replace(REPOS, partitioned=True)))
    assert "postgres.index.create" not in ops(made)
    assert "postgres.index.create-partitioned" in ops(made)
    (index,) = (sql for sql in made.sql if "INDEX" in sql)
    assert "ON ONLY" in index
    keyless = replace(REPOS, partitioned=True, primary_key=(), unique=(("id",),))
    assert "no index of a partitioned table can be made one" in refusal(facts(keyless))


def test_names_that_mean_something_else_are_refused() -> None:
    known = facts()
    other = Sink("repos_sink", "public.other", "repos", "active", "healthy", "main")
    assert "`public.other`" in refusal(replace(known, sinks={**known.sinks, "repos_sink": other}))
    assert "is not fed from Postgres" in refusal(known, name="people_sorted")
    assert "did you mean `repos`?" in refusal(known, table="repo")
    assert "does not own `repos`" in refusal(facts(replace(REPOS, owned=False)))
    assert "Postgres was not asked" in refusal(replace(known, tables=None))


def test_another_name_is_topic_and_data_source_alike() -> None:
    made = plan(facts(), name="sources")
    by_op = {step.op.partition("/")[0]: step.params for step in made.steps}
    assert by_op["kafka.topic.create"]["topic"] == "sources"
    assert by_op["sequin.sink.create"]["sink"] == "sources_sink"
    assert by_op["sequin.sink.create"]["table"] == "public.repos"
    assert "sources.datasource" in made.datafiles


def test_a_table_that_is_sent_elsewhere_already_is_told_of() -> None:
    known = facts()
    other = Sink("sources_sink", "public.repos", "sources", "active", "healthy", "main")
    assert slugs(plan(replace(known, sinks={**known.sinks, other.name: other})))["table-sent-twice"] == "warning"
    assert "table-sent-twice" not in slugs(plan(known))


def test_what_would_not_arrive_forbids_it() -> None:
    known = facts()
    assert known.connector is not None
    failed = replace(known, connector=replace(known.connector, tasks=("FAILED",)))
    assert slugs(plan(failed))["connector-not-running"] == "error"
    assert slugs(plan(facts(names=replace(NAMES, connect_restart=""))))["connect-restart-unknown"] == "error"
    assert slugs(plan(facts(replace(REPOS, rows=10**9))))["backfill-too-long"] == "error"
    assert slugs(plan(replace(known, slot=None)))["slot-unhealthy"] == "error"


def test_its_migration_runs_where_all_of_it_was_done_and_where_nothing_was() -> None:
    made = plan(facts())
    (name,) = (file for file in made.datafiles if file.endswith(".sql"))
    text = made.datafiles[name]
    assert name == "V{epoch}__replicate_repos.sql"
    assert "CREATE INDEX IF NOT EXISTS" in text
    assert text.index("REPLICA IDENTITY FULL") < text.index("ADD TABLE"), "else an update is refused meanwhile"
    assert "IF NOT EXISTS (SELECT FROM pg_publication_tables" in text
    assert not [slug for slug, level in slugs(made).items() if level == "error"]


def test_an_unreplicate_takes_the_way_down_from_its_beginning() -> None:
    known = facts(replace(REPOS, identity="f", published=True, granted=True))
    file = plan(known).datafiles["repos.datasource"]
    assert known.connector is not None
    there = replace(
        known,
        datasources={**known.datasources, "repos": replace(read_datasource("repos", file), id="t_1")},
        sinks={**known.sinks, "repos_sink": Sink("repos_sink", "public.repos", "repos", "active", "healthy", "main")},
        connector=replace(known.connector, topics=(*known.connector.topics, "repos")),
        tokens=(Token("connect", (("DATASOURCES:APPEND", "repos"),)),),
        topics={"repos": SHAPE},
    )
    made = make_plan(Request(text="unreplicate repos", job=Unreplicate(table="repos")), there)
    assert ops(made) == [
        "tinybird.pipe.check-unread",
        "sequin.sink.delete",
        "postgres.table.withdraw",
        "stream.await-delivery",
        "github.properties.commit",
        "github.pull.open",
        "github.properties.merge",
        "connect.restart",
        "connect.topic.await-untracked",
        "tinybird.token.revoke-append",
        "kafka.topic.delete",
        "tinybird.datasource.drop-replica",
        "github.branch.delete",
    ]
    assert "strong" in {step.gate for step in made.steps}
    with pytest.raises(Refused, match="nothing to do"):
        make_plan(Request(text="", job=Unreplicate(table="repos")), facts())


def test_what_is_published_with_all_tables_cannot_be_taken_out_alone() -> None:
    request = Request(text="", job=Unreplicate(table="repos"))
    whole = make_plan(request, facts(replace(REPOS, identity="f", published=True, wholesale=True)))
    assert whole.sql == (
        'ALTER TABLE "public"."repos" REPLICA IDENTITY DEFAULT;',
        'REVOKE SELECT ON "public"."repos" FROM "sequin";',
    )
    with pytest.raises(Refused, match="nothing to do"):
        make_plan(request, facts(replace(REPOS, published=True, wholesale=True)))


def test_an_unreplicate_takes_the_tables_name_where_the_data_source_has_another() -> None:
    known = facts()
    assert known.connector is not None
    sink = Sink("stores_sink", "public.repos", "stores", "active", "healthy", "main")
    tracked = replace(known.connector, topics=(*known.connector.topics, "stores"))
    there = replace(known, sinks={**known.sinks, sink.name: sink}, connector=tracked)
    with pytest.raises(Refused, match=r"the table `repos` is sent to.*did you mean `repos`"):
        make_plan(Request(text="unreplicate stores", job=Unreplicate(table="stores")), there)
    assert make_plan(Request(text="unreplicate repos", job=Unreplicate(table="repos")), there).target == "stores"
