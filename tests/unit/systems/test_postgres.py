"""The Postgres client on a real Postgres: its catalog, migrations that do not queue, and words without passwords."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from systems.errors import NotPermitted, SystemsError
from systems.permit import read_only
from systems.postgres import Postgres
from systems.postgres_model import IndexInfo
from tests.support.ledger_server import ledger_server
from tests.support.sandbox import PATIENCE_S

pytestmark = pytest.mark.xdist_group("postgres")

TABLES = """
CREATE TABLE "activityRelations" ("activityId" uuid PRIMARY KEY, "memberId" uuid, note varchar(255) DEFAULT 'x',
    score int NOT NULL);
CREATE UNIQUE INDEX ON "activityRelations" ("memberId") WHERE score > 0;
CREATE UNIQUE INDEX ON "activityRelations" ("memberId", "activityId") INCLUDE (score);
CREATE INDEX ON "activityRelations" (lower(note));
ALTER TABLE "activityRelations" REPLICA IDENTITY FULL;
CREATE TABLE plain (id int PRIMARY KEY, secret text);
CREATE TABLE apart (id int);
CREATE TABLE heir (name text) INHERITS (apart);
DO $$ BEGIN CREATE ROLE sequin; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT SELECT ON plain TO sequin;
CREATE PUBLICATION sequin_pub FOR TABLE "activityRelations", plain (id);
"""


def allowed(system: str, call: str) -> None:
    """Everything may be changed here."""


def once(ask: Callable[[], IndexInfo | None], wanted: Callable[[IndexInfo], bool]) -> IndexInfo:
    """Ask until it is so: Postgres goes on by itself, and to wait for a lock of the table is to stand in its way."""
    deadline = time.monotonic() + PATIENCE_S
    while not ((found := ask()) and wanted(found)):
        assert time.monotonic() < deadline, found
    return found


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with ledger_server() as server:
        made = server.empty()
        with psycopg.connect(made, autocommit=True) as connection:
            connection.execute(TABLES.encode())
        yield made


def test_the_catalog_tells_what_plans_rely_on(dsn: str) -> None:
    tables = Postgres(dsn, read_only).catalog(publication="sequin_pub", role="sequin")
    relations, plain, apart = tables["activityRelations"], tables["plain"], tables["apart"]
    assert [(c.name, c.type, c.nullable) for c in relations.columns][1:] == [
        ("memberId", "uuid", True),
        ("note", "character varying(255)", True),
        ("score", "integer", False),
    ]
    assert relations.primary_key == ("activityId",)
    assert set(relations.unique) == {("activityId",), ("memberId", "activityId")}  # the partial one is no key
    assert (relations.identity, relations.published, relations.published_columns, relations.granted) == (
        "f",
        True,
        None,
        False,
    )
    assert (plain.published, plain.published_columns, plain.granted) == (True, ("id",), True)
    assert (apart.published, apart.primary_key, apart.heirs) == (False, (), ("heir",))


def test_a_role_that_does_not_exist_has_no_grant(dsn: str) -> None:
    assert not Postgres(dsn, read_only).catalog(publication="sequin_pub", role="nobody_at_all")["plain"].granted


def test_a_migration_gives_up_on_a_lock_and_says_who_holds_it(dsn: str) -> None:
    client = Postgres(dsn, allowed)
    with psycopg.connect(dsn, application_name="a long report") as reader:
        reader.execute("SELECT * FROM plain")  # its transaction stays open
        with pytest.raises(SystemsError) as error:
            client.migrate("ALTER TABLE plain ADD COLUMN nickname text", lock_s=0.1)
        assert "SQLSTATE 55P03" in error.value.said  # lock_not_available
        assert error.value.retryable
        assert "a long report" in str(client.blockers("plain")[0])
    assert "nickname" not in client.columns("plain")
    client.migrate(
        "ALTER TABLE plain ADD COLUMN IF NOT EXISTS nickname text;\nALTER TABLE plain ADD COLUMN IF NOT EXISTS x int"
    )
    assert {"nickname", "x"} <= set(client.columns("plain"))


def test_half_a_migration_is_none(dsn: str) -> None:
    client = Postgres(dsn, allowed)
    with pytest.raises(SystemsError) as error:
        client.migrate("ALTER TABLE apart ADD COLUMN a int;\nALTER TABLE apart ADD COLUMN id int")
    assert not error.value.retryable
    assert "a" not in client.columns("apart")


def test_a_migration_asks_the_permit_and_a_question_cannot_write(dsn: str) -> None:
    with pytest.raises(NotPermitted):
        Postgres(dsn, read_only).migrate("CREATE TABLE t (id int)")
    with pytest.raises(SystemsError, match="read-only transaction"):
        Postgres(dsn, read_only).read("CREATE TABLE t (id int)")


def test_a_server_that_is_away_may_come_back_and_no_password_is_told() -> None:
    client = Postgres("postgresql://tbops:hunter2secret@127.0.0.1:1/cm", read_only)
    with pytest.raises(SystemsError) as error:
        client.columns("members")
    assert error.value.retryable
    assert "hunter2secret" not in str(error.value)


def test_how_far_a_table_is_on_its_way_into_the_publication(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)")
        connection.execute("CREATE TABLE parts_old PARTITION OF parts DEFAULT")
        connection.execute("ALTER TABLE parts REPLICA IDENTITY FULL")
    client = Postgres(dsn, read_only)
    found = client.replication("parts", publication="sequin_pub", role="sequin")
    assert found is not None
    assert (found.full, found.partitioned, found.partitions) == (True, True, ("public.parts_old",))
    assert [found.published, found.granted, found.via_root] == [False, False, False]
    assert client.catalog(publication="sequin_pub", role="sequin")["parts"].identity == "d", "its rows are elsewhere"
    plain = client.replication("plain", publication="sequin_pub", role="nobody_at_all")
    assert plain is not None
    assert (plain.published, plain.granted, plain.role_exists) == (True, False, False)
    assert client.replication("nothing", publication="sequin_pub", role="sequin") is None


def test_what_changes_come_without_is_told_and_postgres_would_refuse_to_write_it(dsn: str) -> None:
    client = Postgres(dsn, read_only)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE summed (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED,"
            " thrice int GENERATED ALWAYS AS (a * 3) VIRTUAL)"
        )
        connection.execute("INSERT INTO summed (id, a) VALUES (1, 1)")
        connection.execute("CREATE PUBLICATION some_of FOR TABLE summed (id, a) WHERE (id < 9)")
        found = client.replication("summed", publication="some_of", role="sequin")
        assert found is not None
        assert (found.listed, found.unsent, found.refuses_unsent) == (True, ("twice", "thrice"), True)
        assert found.alone
        known = client.catalog(publication="some_of", role="sequin")["summed"]
        assert (known.published_columns, known.row_filter) == (("id", "a"), "(id < 9)")
        assert (known.unsent, known.refuses_unsent) == (("twice", "thrice"), True)
        connection.execute("ALTER TABLE summed REPLICA IDENTITY FULL")
        with pytest.raises(psycopg.Error, match="does not cover the replica identity"):
            connection.execute("UPDATE summed SET a = 2")
        connection.execute("DROP PUBLICATION some_of")
        connection.execute("CREATE PUBLICATION some_of FOR TABLE summed WITH (publish_generated_columns = stored)")
        with pytest.raises(psycopg.Error, match="unpublished generated columns"):
            connection.execute("UPDATE summed SET a = 2")
        stored = client.replication("summed", publication="some_of", role="sequin")
        assert stored is not None
        assert (stored.listed, stored.unsent) == (False, ("thrice",))
        connection.execute("ALTER TABLE summed DROP COLUMN thrice")
        connection.execute("UPDATE summed SET a = 2")
        assert client.catalog(publication="some_of", role="sequin")["summed"].unsent == ()
        connection.execute("CREATE PUBLICATION all_of FOR TABLES IN SCHEMA public")
        among = client.replication("summed", publication="all_of", role="sequin")
        assert among is not None
        assert (among.published, among.alone) == (True, False)
        assert client.catalog(publication="all_of", role="sequin")["summed"].wholesale
        assert not client.catalog(publication="some_of", role="sequin")["summed"].wholesale
        connection.execute("DROP PUBLICATION all_of")


def test_whose_rows_row_security_chooses_is_told(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE secured (id int PRIMARY KEY)")
        connection.execute("CREATE ROLE keeper")
        connection.execute("ALTER TABLE secured OWNER TO keeper")
        connection.execute("ALTER TABLE secured ENABLE ROW LEVEL SECURITY")

    def veiled(role: str) -> tuple[bool, bool]:
        known = Postgres(dsn, read_only).catalog(publication="sequin_pub", role=role)["secured"]
        return known.veiled, known.veiled_there

    assert veiled("sequin") == (False, True)  # those who ask here are superusers
    assert veiled("keeper") == (False, False)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE secured FORCE ROW LEVEL SECURITY")
        assert veiled("keeper") == (False, True)
        connection.execute("ALTER ROLE keeper BYPASSRLS")
        assert veiled("keeper") == (False, False)
        connection.execute("DROP TABLE secured; DROP ROLE keeper")


def test_an_index_is_built_by_postgres_itself_when_it_takes_long(dsn: str) -> None:
    """A transaction that is older than the index holds it up; the client is away long before it is done."""
    client = Postgres(dsn, allowed)
    with psycopg.connect(dsn) as older:
        older.execute("UPDATE apart SET id = id")  # what it may have written must be waited for
        Postgres(dsn, allowed, read_s=0.2).begin("CREATE INDEX CONCURRENTLY ix_apart_id ON apart (id)")
        begun = once(lambda: client.index("ix_apart_id"), lambda found: found.blocks_done is not None)
        assert not begun.valid, "somebody builds it"
    assert once(lambda: client.index("ix_apart_id"), lambda found: found.valid)
    client.begin("DROP INDEX CONCURRENTLY ix_apart_id")
    assert client.index("ix_apart_id") is None
    with pytest.raises(SystemsError, match='relation "nowhere" does not exist'):
        client.begin("CREATE INDEX CONCURRENTLY x ON nowhere (id)")
    with pytest.raises(NotPermitted):
        Postgres(dsn, read_only).begin("DROP INDEX CONCURRENTLY IF EXISTS x")


def test_a_unique_index_that_could_be_the_key_is_found(dsn: str) -> None:
    client = Postgres(dsn, read_only)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE keyless (a int NOT NULL, b int NOT NULL, c int)")
        connection.execute("CREATE UNIQUE INDEX ix_ab ON keyless (a, b)")
        connection.execute("CREATE UNIQUE INDEX ix_c ON keyless (c)")
        connection.execute("CREATE UNIQUE INDEX ix_some ON keyless (b) WHERE a > 0")
        connection.execute("ALTER TABLE keyless ADD UNIQUE (a)")
        connection.execute("CREATE TABLE pointing (a int, b int, FOREIGN KEY (a, b) REFERENCES keyless (a, b))")
    assert client.unique_index("keyless", ("a", "b")) == "ix_ab"
    assert client.unique_index("keyless", ("b", "a")) is None
    assert client.unique_index("keyless", ("c",)) is None, "it may hold NULLs"
    assert client.unique_index("keyless", ("b",)) is None, "it does not hold every row"
    assert client.unique_index("keyless", ("a",)) is None, "it is a constraint's own"
