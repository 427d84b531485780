"""What is read from the SQL of migrations is what the catalog says once Postgres has run it."""

from collections.abc import Iterator

import pytest

from runbooks.ddl import Draft, statements
from runbooks.facts import live
from runbooks.facts.model import PgTable
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story

pytestmark = pytest.mark.integration

SCRIPTS = {
    "every type": """
        CREATE TYPE "orderState" AS ENUM ('open', 'paid');
        CREATE TABLE "orderLines" (
            a smallint, b int4, c bigint NOT NULL, d real, e float, f float(10), g double precision, h numeric,
            i numeric(10), j decimal(12, 2) DEFAULT 0, k varchar, l varchar(20) NOT NULL, m char, n char(3), o text,
            p bool NOT NULL DEFAULT false, q uuid DEFAULT gen_random_uuid(), r json, s jsonb NOT NULL DEFAULT '{}',
            t date, u timestamp, v timestamp(3), w timestamptz NOT NULL DEFAULT now(), x timestamptz(3), y time,
            z timetz, aa interval, ab bytea, ac inet, ad text[], ae varchar(10)[], af int[][], ag timestamptz[],
            ah "orderState" NOT NULL, ai public."orderState"[], aj tsvector, ak bit, al bit(3), am varbit, an money,
            ao int4range, ap name, aq oid, ar text COLLATE "C" CHECK (ar <> ''), "createdAt" timestamp with time zone
        );
    """,
    "keys of all kinds": """
        CREATE TABLE "orderLines" (
            id bigserial, "orderId" int NOT NULL UNIQUE, place int GENERATED ALWAYS AS IDENTITY, note text NULL,
            twice int GENERATED ALWAYS AS (place * 2) STORED,
            CONSTRAINT whole PRIMARY KEY (id, "orderId"), UNIQUE (place, note), CHECK (place > 0)
        );
        CREATE INDEX ON "orderLines" (note DESC NULLS LAST);
        CREATE UNIQUE INDEX IF NOT EXISTS one ON public."orderLines" USING btree (note) WHERE note IS NOT NULL;
        CREATE UNIQUE INDEX two ON "orderLines" (lower(note));
        CREATE INDEX three ON "orderLines" (note text_pattern_ops) INCLUDE (place);
        CREATE INDEX gone ON "orderLines" (place);
        DROP INDEX gone;
    """,
    "changed by and by": """
        CREATE TABLE "orderLines" (id int, old text, wide text DEFAULT 'x', gone text UNIQUE);
        ALTER TABLE ONLY "orderLines" ADD CONSTRAINT whole PRIMARY KEY (id);
        ALTER TABLE "orderLines" ADD COLUMN IF NOT EXISTS id int, ADD COLUMN IF NOT EXISTS more text[] NOT NULL;
        ALTER TABLE "orderLines" RENAME COLUMN old TO "newName";
        ALTER TABLE "orderLines" ALTER COLUMN wide TYPE varchar(9), ALTER COLUMN wide SET NOT NULL;
        ALTER TABLE "orderLines" ALTER COLUMN wide DROP DEFAULT, ALTER COLUMN more DROP NOT NULL;
        ALTER TABLE "orderLines" ALTER COLUMN id SET DEFAULT 7;
        ALTER TABLE "orderLines" ADD CONSTRAINT two UNIQUE ("newName", wide), ADD UNIQUE (more);
        ALTER TABLE "orderLines" DROP COLUMN gone;
        ALTER TABLE "orderLines" REPLICA IDENTITY FULL;
        ALTER PUBLICATION sequin_pub ADD TABLE "orderLines";
        GRANT SELECT ON "orderLines" TO sequin;
        COMMENT ON TABLE "orderLines" IS 'not; two';
        INSERT INTO "orderLines" (id, wide) VALUES (1, 'a;b');
    """,
    "made a second time": """
        CREATE TABLE "orderLines" (id int PRIMARY KEY);
        CREATE INDEX first ON "orderLines" (id);
        DROP TABLE "orderLines";
        CREATE TABLE IF NOT EXISTS "orderLines" (key text PRIMARY KEY, at timestamptz);
        CREATE TABLE IF NOT EXISTS "orderLines" (another int);
        CREATE TEMP TABLE orderlines (id int);
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_publication_tables WHERE tablename = 'orderLines') THEN
                ALTER PUBLICATION sequin_pub ADD TABLE "orderLines";
            END IF;
        END $$;
    """,
    "partitioned": """
        CREATE TABLE "orderLines" (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE "orderLines_2026" PARTITION OF "orderLines" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    """,
}


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    with story(sandbox) as told:
        yield told


def shape(table: PgTable) -> list[object]:
    """A default is in Postgres' own words: only whether there is one can be compared."""
    columns = [(c.name, c.type, c.nullable, c.default is not None) for c in table.columns]
    return [columns, table.primary_key, sorted(table.unique), sorted(table.indexes), table.partitioned]


@pytest.mark.parametrize("about", SCRIPTS)
def test_sql_is_read_as_postgres_runs_it(sandbox: Sandbox, run: Story, about: str) -> None:
    draft = Draft("public", "orderLines")
    for statement in statements(SCRIPTS[about]):
        draft.take(statement)
    sandbox.pg(SCRIPTS[about])
    found = run.base.postgres.catalog(publication="sequin_pub", role="sequin")["orderLines"]
    assert draft.table is not None
    assert shape(draft.table) == shape(live.table(found))
