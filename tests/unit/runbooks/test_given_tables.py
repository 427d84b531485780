"""A table that only the project's migrations make: what is read from them, who is to run them, what is refused."""

from dataclasses import replace

import pytest

from runbooks.datafile import read_datasource
from runbooks.ddl import Draft, NotClear, statements
from runbooks.errors import Refused
from runbooks.facts.model import Facts, ProjectFiles
from runbooks.names import Names, ProjectNames, PropertiesNames
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import MOST_READ, InProject, Shapes
from runbooks.request import Replicate, Request
from tests.support.estate import live

FOLDER = "backend/src/database/migrations"
PROJECT = ProjectNames("acme/platform")
NAMES = Names(
    connect_restart="crowd/kafka-connect-dpl",
    properties=PropertiesNames("acme/cluster", "main", "local/tinybird-sink.properties.enc"),
    project=PROJECT,
)
ASKED = Request(text="replicate orders", job=Replicate(table="orders"))
MAKES = """CREATE TABLE IF NOT EXISTS orders (
    id uuid PRIMARY KEY, amount int, "updatedAt" timestamptz NOT NULL DEFAULT now()
);"""
INDEX = 'CREATE INDEX IF NOT EXISTS ix_orders ON orders ("updatedAt", id);'
REPLICATES = "ALTER PUBLICATION sequin_pub ADD TABLE orders; ALTER TABLE orders REPLICA IDENTITY FULL;"


def given(*unread: str, **texts: str) -> Facts:
    """The estate of the tests, and these migrations in its project; ``unread`` are there too."""
    read = {f"{FOLDER}/{name}.sql": text for name, text in texts.items()}
    shas = {path: path[-9:] for path in (*read, *(f"{FOLDER}/{name}.sql" for name in unread))}
    return replace(live(), names=NAMES, history=ProjectFiles(shas, read))


def plan(facts: Facts) -> Plan:
    return make_plan(ASKED, facts)


def ops(made: Plan) -> list[str]:
    return [step.op.partition("/")[0] for step in made.steps]


def notes(made: Plan) -> list[str]:
    return [hazard.message for hazard in made.hazards if hazard.slug == "migration-waits-for-deploy"]


def refusal(facts: Facts) -> str:
    with pytest.raises(Refused) as refused:
        plan(facts)
    return refused.value.sentence


def test_one_that_may_run_again_is_run_and_the_deploy_finds_it_done() -> None:
    made = plan(given(V5__makeOrders=f"SET lock_timeout = '3s'; {MAKES} COMMENT ON TABLE orders IS 'x';", V6__ix=INDEX))
    assert ops(made)[:2] == ["postgres.table.make", "postgres.table.publish"], "the index comes with it"
    first = made.steps[0]
    assert first.gate == "approve"
    assert first.params["sql"] == [MAKES.rstrip(";"), INDEX.rstrip(";")]
    assert made.sql[:2] == (MAKES, INDEX)
    assert f"github/file/{FOLDER}/V5__makeOrders.sql/blob" in first.reads
    assert made.guards[f"github/file/{FOLDER}/V5__makeOrders.sql/blob"] == "rders.sql"
    assert made.guards["postgres/table/orders/columns"] == "absent"
    assert "`amount` Nullable(Int32) `json:$.record.amount`" in made.datafiles["orders.datasource"]
    (note,) = notes(made)
    assert "V5__makeOrders.sql and V6__ix.sql of acme/platform" in note
    assert "the deploy then finds that done" in note


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (MAKES.replace("IF NOT EXISTS ", ""), "“CREATE TABLE orders ("),
        (f"{MAKES} {INDEX.replace('IF NOT EXISTS ', '')}", "“CREATE INDEX ix_orders"),
        (f"{MAKES} CREATE INDEX CONCURRENTLY IF NOT EXISTS x ON orders (amount);", "“CREATE INDEX CONCURRENTLY"),
        (f"{MAKES} {REPLICATES}", "“ALTER PUBLICATION"),
        (f"{MAKES} INSERT INTO orders (amount) VALUES (1);", "“INSERT INTO orders"),
        (f"{MAKES} CREATE TRIGGER t AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f();", "“CREATE TRIGGER"),
        (f"{MAKES} ALTER TABLE orders ADD COLUMN note text;", "“ALTER TABLE orders ADD COLUMN"),
        (MAKES.replace("amount int", "amount int REFERENCES nowhere"), "V5__makeOrders.sql names nowhere, which"),
        (MAKES.replace("amount int", "amount money_kind"), "V5__makeOrders.sql names money_kind, which"),
    ],
)
def test_one_that_may_not_is_waited_for(sql: str, why: str) -> None:
    made = plan(given(V5__makeOrders=sql))
    assert ops(made)[0] == "postgres.table.await"
    assert made.steps[0].gate == "approve", "nothing waits for a deploy before people want it"
    (note,) = notes(made)
    assert f"The run waits for that: {why}" in note
    assert not [text for text in made.sql if "CREATE TABLE" in text]


def test_what_is_about_others_does_not_matter() -> None:
    beside = """
        CREATE TABLE lines ("order" uuid REFERENCES orders (id)); ALTER TABLE lines DROP COLUMN x;
        CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN UPDATE orders SET amount = 1; RETURN new; END $$ LANGUAGE sql;
        CREATE VIEW v AS SELECT * FROM orders; GRANT SELECT ON orders TO sequin;
        ALTER TABLE other.orders DROP COLUMN id;
    """
    made = plan(given(V5__makeOrders=MAKES, V6__more=beside))
    assert ops(made)[0] == "postgres.table.make"


def test_the_newest_word_counts() -> None:
    first = given(
        V1__makeOrders="CREATE TABLE orders (id int);", V2__x="DO $$ BEGIN ALTER TABLE orders ADD x int; END $$"
    )
    assert "not understood" in refusal(first)
    again = "DROP TABLE orders; " + MAKES
    made = plan(replace(first, history=ProjectFiles(texts={**_texts(first), f"{FOLDER}/V3__y.sql": again})))
    assert ops(made)[0] == "postgres.table.make"
    assert "no migration of acme/platform" in refusal(given(V1__makeOrders=MAKES, V2__drop="DROP TABLE orders;"))


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE orders (LIKE nowhere);",
        "CREATE TABLE orders AS SELECT 1 AS id;",
        "CREATE TABLE orders (id int) INHERITS (people);",
        "ALTER TABLE old RENAME TO orders;",
        "ALTER TABLE other.orders SET SCHEMA public;",
        "CREATE TABLE orders (id int); DROP TABLE orders; ALTER TABLE people RENAME TO orders;",
        f"{MAKES} ALTER TABLE orders ADD COLUMN x int, OWNER TO somebody;",
        f"{MAKES} ALTER TABLE orders DROP CONSTRAINT unheard_of;",
        f"{MAKES} ALTER TABLE orders DROP CONSTRAINT IF EXISTS orders_amount_not_null;",
        f"{MAKES} CREATE INDEX ON orders (lower(id::text)); DROP INDEX orders_lower_idx;",
        f"{MAKES} CREATE INDEX ix ON orders (amount); DROP INDEX IF EXISTS ix, iy;",
        f"{MAKES} CREATE INDEX ix ON ONLY orders (amount);",
        f"{MAKES} ALTER TABLE orders ALTER COLUMN amount ADD GENERATED ALWAYS AS IDENTITY;",
        f"{MAKES} DO $$ BEGIN IF true THEN ALTER TABLE orders ADD COLUMN x int; END IF; END $$;",
        f"{MAKES} DO $$ BEGIN IF true THEN DROP TABLE orders; END IF; END $$;",
        f"{MAKES} DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD x int', 'orders'); END $$;",
        f"{MAKES} ALTER TABLE orders ADD COLUMN nonsense nonsense nonsense;",
        "CREATE TABLE orders (id int, ${columns});",
        "CREATE TABLE 'orders (id int);",
    ],
)
def test_what_is_not_understood_is_refused_and_nothing_is_guessed(sql: str) -> None:
    said = refusal(given(V5__makeOrders=sql))
    assert "`V5__makeOrders.sql` of acme/platform does to it is not understood" in said
    assert said.endswith("Deploy it, then ask again: the plan is then made from what Postgres has.")


def test_one_made_like_another_is_as_postgres_has_that_one() -> None:
    facts = given(V5__makeOrders="CREATE TABLE IF NOT EXISTS orders (LIKE people INCLUDING ALL);")
    made = plan(facts)
    assert ops(made)[0] == "postgres.table.make"
    people = (facts.tables or {})["people"]
    assert [c["name"] for c in made.steps[0].params["of"]["columns"]] == [c.name for c in people.columns]
    assert tuple(made.steps[0].params["of"]["key"]) == people.primary_key


@pytest.mark.parametrize(
    "before",
    [
        "ALTER TABLE people ADD COLUMN newest text;",  # deployed or not, nobody knows
        "ALTER TABLE people DROP CONSTRAINT unheard_of;",
        "CREATE TABLE people (id int PRIMARY KEY);",  # and Postgres has another one
        "DROP TABLE people;",
    ],
)
def test_one_like_a_table_that_may_be_otherwise_by_then_is_refused(before: str) -> None:
    said = refusal(given(V4__before=before, V5__makeOrders="CREATE TABLE orders (LIKE people INCLUDING ALL);"))
    assert "what people is at that point is not certain" in said


def test_one_like_a_table_of_the_migrations_waits_for_that_one() -> None:
    lines = 'CREATE TABLE lines (id bigint PRIMARY KEY, "updatedAt" timestamptz NOT NULL DEFAULT now());'
    like = "CREATE TABLE IF NOT EXISTS orders (LIKE lines INCLUDING ALL); ALTER TABLE lines ADD COLUMN later int;"
    made = plan(given(V4__lines=lines, V5__makeOrders=like))
    assert ops(made)[0] == "postgres.table.await"
    assert [c["name"] for c in made.steps[0].params["of"]["columns"]] == ["id", "updatedAt"], "as it was at that point"
    assert "names lines, which Postgres does not have yet" in notes(made)[0]
    unread = given("V5__unread", V4__lines=lines, V6__makeOrders=like)
    assert "what lines is at that point is not certain" in refusal(unread)


def test_a_partitioned_table_is_made_with_its_partitions() -> None:
    parent = MAKES.replace("id uuid PRIMARY KEY", "id uuid").replace(
        "\n);", ", PRIMARY KEY (id)) PARTITION BY HASH (id);"
    )
    first = "CREATE TABLE IF NOT EXISTS orders_0 PARTITION OF orders FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
    made = plan(given(V5__makeOrders=f"{parent} {first}"))
    assert ops(made)[0] == "postgres.table.make"
    assert made.steps[0].params["sql"] == [parent.rstrip(";"), first.rstrip(";")]
    alone = plan(given(V5__makeOrders=parent))
    assert "no migration that was read makes a partition of orders" in notes(alone)[0]
    once = plan(given(V5__makeOrders=f"{parent} {first.replace('IF NOT EXISTS ', '')}"))
    assert ops(once)[0] == "postgres.table.await"
    attached = plan(given(V5__makeOrders=f"{parent} {first} ALTER TABLE orders ATTACH PARTITION x DEFAULT;"))
    assert ops(attached)[0] == "postgres.table.await"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE orders PARTITION OF people FOR VALUES IN (1);",
        f"{MAKES} ALTER TABLE people ATTACH PARTITION orders FOR VALUES IN (1);",
    ],
)
def test_a_partition_is_refused_and_its_table_named(sql: str) -> None:
    said = refusal(given(V5__makeOrders=sql))
    assert "`orders` will be a partition of `people`" in said
    assert said.endswith("Replicate that one.")


def test_a_table_that_leaves_the_schema_is_not_there() -> None:
    gone = given(V1__makeOrders=MAKES, V2__away="ALTER TABLE orders SET SCHEMA attic;")
    assert "no migration of acme/platform" in refusal(gone)
    back = "ALTER TABLE attic.orders SET SCHEMA public;"
    assert "is not understood" in refusal(given(V1__makeOrders=MAKES, V2__away=back))
    made = plan(given(V1__old=MAKES.replace("orders", "old"), V2__renamed="ALTER TABLE old RENAME TO orders;"))
    assert ops(made)[0] == "postgres.table.await"


def test_a_block_that_only_publishes_is_understood() -> None:
    block = """DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_publication_tables WHERE tablename = 'orders') THEN
            ALTER PUBLICATION sequin_pub ADD TABLE orders;
        END IF;
    END $$;"""
    assert ops(plan(given(V5__makeOrders=MAKES + block)))[0] == "postgres.table.await"


def test_one_that_was_made_long_ago_is_not_taken_for_all_there_is() -> None:
    made = given("V6__other", "V7__other", V5__makeOrders=MAKES, V8__x="SELECT 1;")
    assert "2 of the 3 migrations behind it were not read" in refusal(made)
    assert ops(plan(given("V4__other", V5__makeOrders=MAKES)))[0] == "postgres.table.make"


def test_every_place_that_was_looked_at_is_named() -> None:
    assert refusal(live()).startswith("There is no table `orders` in Postgres; run the migration")
    nothing = given(V5__makePeople="CREATE TABLE people (id int);")
    assert refusal(nothing) == (
        "There is no table `orders` in Postgres, and no migration of acme/platform in backend/src/database/migrations "
        "makes one; run the migration that makes it first."
    )
    away = replace(nothing, history=ProjectFiles(trouble="GitHub answered 503"))
    assert "is not known (GitHub answered 503); ask again when GitHub answers." in refusal(away)


def test_git_is_asked_only_where_postgres_lacks_the_table() -> None:
    unknown = replace(live(), names=NAMES)
    assert questions_of(ASKED, unknown) == (InProject("project", PROJECT, words=("orders",), newest=MOST_READ),)
    (then,) = questions_of(ASKED, given(V5__makeOrders=MAKES))
    assert isinstance(then, Shapes)
    known = Request(text="", job=Replicate(table="people"))
    assert all(isinstance(question, Shapes) for question in questions_of(known, unknown))
    assert questions_of(ASKED, live()) == (), "tbops.toml names no GitHub"


def test_rows_of_a_table_that_is_not_there_are_not_counted() -> None:
    """An empty data source may stand already: what fills it is the replicate itself."""
    known = given(V5__makeOrders=MAKES)
    made = read_datasource("orders", plan(known).datafiles["orders.datasource"])
    there = replace(known, datasources={**known.datasources, "orders": replace(made, rows=0)})
    assert all(isinstance(question, Shapes) for question in questions_of(ASKED, there))


def test_a_name_is_folded_as_postgres_does() -> None:
    for name, sql in (("orders", "CREATE TABLE Public.ORDERS (Id int)"), ("Orders", 'CREATE TABLE "Orders" (id int)')):
        draft = Draft("public", name)
        for statement in statements(sql):
            assert draft.take(statement) is not None
        assert draft.table is not None
        assert [column.name for column in draft.table.columns] == ["id"]
    with pytest.raises(NotClear):
        Draft("public", "Orders").take(next(iter(statements('ALTER TABLE public."Orders" ALTER COLUMN a x'))))
    assert Draft("public", "Orders").take(next(iter(statements("ALTER TABLE Orders_ ALTER COLUMN a x")))) is None


def _texts(facts: Facts) -> dict[str, str]:
    return dict(facts.history.texts) if facts.history else {}
