"""What is read from the SQL of migrations is what the catalog says once Postgres has run it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString, cast

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from runbooks.ddl import Past
from runbooks.facts import live
from runbooks.facts.model import PgTable
from systems.postgres import Postgres
from tests.support.sandbox import Sandbox
from tests.support.steps_story import allowed

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
    "partitioned, and changed": """
        CREATE TABLE IF NOT EXISTS "orderLines" (id bigint NOT NULL, kind text NOT NULL, "updatedAt" timestamptz)
            PARTITION BY LIST (kind);
        CREATE TABLE IF NOT EXISTS lines_a PARTITION OF "orderLines" FOR VALUES IN ('a', 'b');
        CREATE TABLE IF NOT EXISTS lines_rest PARTITION OF "orderLines" DEFAULT;
        CREATE INDEX IF NOT EXISTS ix ON "orderLines" ("updatedAt", id);
        CREATE INDEX IF NOT EXISTS only_here ON lines_a (id);
        ALTER TABLE "orderLines" ADD COLUMN IF NOT EXISTS note text DEFAULT '';
    """,
    "partitioned twice, one attached": """
        CREATE TABLE "orderLines" (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE lines_26 PARTITION OF "orderLines" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
            PARTITION BY HASH (id);
        CREATE TABLE lines_26_0 PARTITION OF lines_26 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        CREATE TABLE lines_27 (id int NOT NULL, at date NOT NULL, PRIMARY KEY (id, at));
        ALTER TABLE "orderLines" ATTACH PARTITION lines_27 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
        ALTER TABLE "orderLines" DETACH PARTITION lines_26;
    """,
    "a primary key that goes": """
        CREATE TABLE "orderLines" (id int PRIMARY KEY, other text NOT NULL, third int);
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_pkey";
    """,
    "another primary key in one statement": """
        CREATE TABLE "orderLines" (id int, "newId" bigint NOT NULL, note text);
        ALTER TABLE "orderLines" ADD CONSTRAINT "PK_lines" PRIMARY KEY (id);
        ALTER TABLE "orderLines" ADD CONSTRAINT "orderLines_pkey" PRIMARY KEY ("newId"), DROP CONSTRAINT "PK_lines";
    """,
    "constraints by the names that Postgres gives": """
        CREATE TABLE other (id int PRIMARY KEY);
        CREATE TABLE "orderLines" (
            id int UNIQUE, f int PRIMARY KEY UNIQUE, a text UNIQUE, b int CHECK (b > 0), c int REFERENCES other (id),
            d int, e text,
            UNIQUE (a, e), UNIQUE (a, e), CHECK (b < d), CHECK (d > 1), FOREIGN KEY (d) REFERENCES other (id)
        );
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_a_key";
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_a_e_key";
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_b_check", DROP CONSTRAINT "orderLines_check";
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_d_check", DROP CONSTRAINT "orderLines_c_fkey";
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_d_fkey" CASCADE;
        ALTER TABLE IF EXISTS "orderLines" DROP CONSTRAINT IF EXISTS was_never_there;
        ALTER TABLE "orderLines" DROP CONSTRAINT IF EXISTS "orderLines_id_key", ADD UNIQUE (id), ADD UNIQUE (id);
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_id_key1", DROP CONSTRAINT "orderLines_pkey";
        ALTER TABLE "orderLines" ADD PRIMARY KEY (id);
    """,
    "a name that is cut": """
        CREATE TABLE "orderLines" (
            "aColumnWithANameThatIsLongerThanAnybodyWouldEverWrite" int,
            "anotherColumnWithANameThatIsLongerThanAnybodyWouldEver" int,
            UNIQUE ("aColumnWithANameThatIsLongerThanAnybodyWouldEverWrite"),
            UNIQUE ("aColumnWithANameThatIsLongerThanAnybodyWouldEverWrite",
                    "anotherColumnWithANameThatIsLongerThanAnybodyWouldEver")
        );
        ALTER TABLE "orderLines"
            DROP CONSTRAINT IF EXISTS "orderLines_aColumnWithANameThatIsLongerThanAnybodyWoul_key";
        ALTER TABLE "orderLines"
            DROP CONSTRAINT IF EXISTS "orderLines_aColumnWithANameThatIsLongerThanAnybodyWould_key";
    """,
    "indexes by the names that Postgres gives": """
        CREATE TABLE "orderLines" (a int, b int, c int);
        CREATE INDEX ON "orderLines" (a);
        CREATE INDEX ON "orderLines" (a);
        CREATE UNIQUE INDEX ON "orderLines" (a, b) INCLUDE (c);
        CREATE INDEX named ON "orderLines" (c);
        DROP INDEX "orderLines_a_idx1";
        DROP INDEX IF EXISTS "orderLines_a_b_c_idx";
        ALTER INDEX named RENAME TO "Renamed";
        DROP INDEX "Renamed";
    """,
    "columns that go, and what goes with them": """
        CREATE TABLE "orderLines" (a int, b int, c int, d int, e int, PRIMARY KEY (a, b), UNIQUE (c) INCLUDE (d));
        CREATE INDEX i1 ON "orderLines" (e) INCLUDE (d);
        CREATE INDEX i2 ON "orderLines" (e) WHERE d > 0;
        CREATE INDEX i3 ON "orderLines" (e, c);
        ALTER TABLE "orderLines" DROP COLUMN d, DROP COLUMN IF EXISTS nowhere, DROP COLUMN a;
    """,
    "like another": """
        CREATE TYPE kind AS ENUM ('x', 'y');
        CREATE TABLE other (
            id bigserial PRIMARY KEY, "Name" text NOT NULL DEFAULT 'x' UNIQUE, of kind, tags text[] DEFAULT '{}',
            twice int GENERATED ALWAYS AS (7 * 2) STORED, nr int GENERATED BY DEFAULT AS IDENTITY, CHECK (id > 0)
        );
        CREATE INDEX ON other ("Name", id);
        CREATE UNIQUE INDEX ON other (tags);
        CREATE TABLE "orderLines" (LIKE other INCLUDING ALL);
        ALTER TABLE other ADD COLUMN later int;
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_Name_key";
        DROP INDEX "orderLines_tags_idx";
    """,
    "like another, and not in all": """
        CREATE TABLE other (id int PRIMARY KEY, a text DEFAULT 'x' NOT NULL, b int GENERATED ALWAYS AS (1) STORED);
        CREATE TABLE "orderLines" (
            first int, LIKE other INCLUDING DEFAULTS INCLUDING CONSTRAINTS, last int, UNIQUE (a)
        );
        ALTER TABLE "orderLines" ADD PRIMARY KEY (id);
    """,
    "like another without its indexes": """
        CREATE TABLE other (id int PRIMARY KEY, a text DEFAULT 'x', b int GENERATED ALWAYS AS (1) STORED);
        CREATE TABLE IF NOT EXISTS "orderLines" (
            LIKE public.other INCLUDING ALL EXCLUDING INDEXES EXCLUDING GENERATED, "updatedAt" timestamptz
        );
    """,
    "like one that is like another": """
        CREATE TABLE root (id uuid DEFAULT gen_random_uuid() PRIMARY KEY);
        CREATE TABLE stem (LIKE root INCLUDING INDEXES, at timestamptz DEFAULT now());
        ALTER TABLE stem ALTER COLUMN id TYPE text;
        CREATE TABLE "orderLines" (LIKE stem INCLUDING DEFAULTS INCLUDING INDEXES, more int);
    """,
    "renamed into it": """
        CREATE TABLE old (id serial PRIMARY KEY, note text UNIQUE);
        ALTER TABLE old RENAME COLUMN note TO "Note";
        ALTER TABLE old RENAME TO "orderLines";
        ALTER TABLE "orderLines" DROP CONSTRAINT old_note_key;
    """,
    "moved into the schema": """
        CREATE SCHEMA attic;
        CREATE TABLE attic."orderLines" (id int PRIMARY KEY, "atThat" date NOT NULL);
        CREATE INDEX ix ON attic."orderLines" ("atThat");
        ALTER TABLE attic."orderLines" SET SCHEMA public;
        ALTER TABLE "orderLines" ADD COLUMN note text;
    """,
    "made again where it was moved away": """
        CREATE SCHEMA attic;
        CREATE TABLE "orderLines" (old int);
        ALTER TABLE "orderLines" SET SCHEMA attic;
        CREATE TABLE "orderLines" (id uuid PRIMARY KEY);
    """,
    "quoted names": """
        CREATE TABLE public."orderLines" (
            "id" serial PRIMARY KEY, "Mixed Case" text, "select" int, "with.dot" jsonb, "üml" text, "quo""te" int
        );
        CREATE UNIQUE INDEX "Index Of It" ON "public"."orderLines" ("Mixed Case", "select");
        ALTER TABLE ONLY "public"."orderLines" RENAME COLUMN "select" TO SELECTED;
        COMMENT ON COLUMN "orderLines"."Mixed Case" IS 'it''s; said';
    """,
    "numbers": """
        CREATE TABLE "orderLines" (
            a numeric(38,9) NOT NULL, b numeric(5), c decimal, d numeric(3, 0), e smallserial, f bigserial UNIQUE,
            g int8 GENERATED BY DEFAULT AS IDENTITY (START WITH 10 INCREMENT BY 2) PRIMARY KEY, h double precision[]
        );
    """,
    "defaults that are calls": """
        CREATE TABLE "orderLines" (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(), a timestamptz DEFAULT timezone('utc', now()),
            b timestamp DEFAULT CURRENT_TIMESTAMP, c date DEFAULT (now() AT TIME ZONE 'utc')::date,
            d text DEFAULT md5(random()::text), e jsonb DEFAULT '{"a": [1]}'::jsonb, f text[] DEFAULT ARRAY['a', 'b'],
            g interval DEFAULT '1 day', h text DEFAULT NULL, i bool DEFAULT (NOT false)
        );
    """,
    "generated from others": """
        CREATE TABLE "orderLines" (
            id int PRIMARY KEY, price numeric(10, 2), n int, total numeric GENERATED ALWAYS AS (price * n) STORED,
            word tsvector GENERATED ALWAYS AS (to_tsvector('simple', 'x')) STORED
        );
        ALTER TABLE "orderLines" ADD COLUMN half int GENERATED ALWAYS AS (n / 2) STORED;
        ALTER TABLE "orderLines" DROP COLUMN half;
    """,
    "in a transaction of its own": """
        BEGIN;
        SET LOCAL lock_timeout = '2s';
        CREATE TABLE "orderLines" (id int NOT NULL, "createdAt" timestamptz NOT NULL DEFAULT now());
        CREATE UNIQUE INDEX u ON "orderLines" (id);
        COMMIT;
        BEGIN;
        ALTER TABLE "orderLines" ADD CONSTRAINT k PRIMARY KEY (id, "createdAt");
        COMMIT;
    """,
    "all of it may run again": """
        CREATE TABLE IF NOT EXISTS "orderLines" (id int PRIMARY KEY, note text CHECK (note <> ''));
        ALTER TABLE "orderLines" ADD COLUMN IF NOT EXISTS at timestamptz NOT NULL DEFAULT now();
        ALTER TABLE "orderLines" ALTER COLUMN note SET DEFAULT 'x';
        ALTER TABLE "orderLines" DROP COLUMN IF EXISTS gone;
        ALTER TABLE "orderLines" DROP CONSTRAINT IF EXISTS "orderLines_note_check";
        CREATE INDEX IF NOT EXISTS ix ON "orderLines" (at, id);
    """,
    "triggers, rules and rights beside it": """
        CREATE TABLE "orderLines" (id int PRIMARY KEY, "updatedAt" timestamptz);
        CREATE OR REPLACE FUNCTION touch() RETURNS trigger AS $$
            BEGIN NEW."updatedAt" = now(); RETURN NEW; END
        $$ LANGUAGE plpgsql;
        CREATE TRIGGER touch BEFORE UPDATE ON "orderLines" FOR EACH ROW EXECUTE FUNCTION touch();
        ALTER TABLE "orderLines" ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON "orderLines" USING (id > 0);
        CREATE STATISTICS s ON id, "updatedAt" FROM "orderLines";
        CREATE VIEW v AS SELECT * FROM "orderLines";
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'sequin') THEN
                GRANT SELECT ON "orderLines" TO sequin;
            END IF;
        END $$;
    """,
    "exclusions": """
        CREATE TABLE "orderLines" (id int PRIMARY KEY, during tstzrange, EXCLUDE USING gist (during WITH &&));
        ALTER TABLE "orderLines" ADD CONSTRAINT no_two EXCLUDE USING gist (during WITH -|-) WHERE (id > 3);
        ALTER TABLE "orderLines" DROP CONSTRAINT "orderLines_during_excl";
    """,
}


@contextmanager
def place(sandbox: Sandbox, schema: str) -> Iterator[str]:
    """A schema of its own, found without naming it, as public is: by a DSN."""
    sandbox.pg(f'CREATE SCHEMA "{schema}"')
    try:
        yield make_conninfo(sandbox.ready["postgres"], options=f"-csearch_path={schema}")
    finally:
        sandbox.pg(f'DROP SCHEMA "{schema}" CASCADE; DROP SCHEMA IF EXISTS attic CASCADE')


def ran(dsn: str, schema: str, script: str) -> PgTable:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(cast(LiteralString, script))
    return live.table(Postgres(dsn, allowed, schema=schema).catalog(publication="", role="")["orderLines"])


def shape(table: PgTable) -> list[object]:
    """A default is in Postgres' own words: only whether there is one can be compared."""
    columns = [(c.name, c.type, c.nullable, c.default is not None, c.generated) for c in table.columns]
    return [columns, table.primary_key, sorted(table.unique), sorted(table.indexes), table.partitioned]


def test_sql_is_read_as_postgres_runs_it(sandbox: Sandbox) -> None:
    """And what is said to run a second time without harm does."""
    again = 0
    for number, (about, script) in enumerate(SCRIPTS.items()):
        schema = f"ddl_{number}"
        script = re.sub(r"\bpublic\b", schema, script)
        told = Past.of(schema, [("V1__it.sql", script)], lambda *_: True, {}).of_table("orderLines")
        assert told.unclear is None, (about, told.unclear)
        assert told.draft.table is not None, about
        with place(sandbox, schema) as dsn:
            assert shape(told.draft.table) == shape(ran(dsn, schema, script)), about
            if all(part.again for _, part in told.parts):
                again += 1
                twice = "; ".join(part.text for _, part in told.parts)
                assert shape(told.draft.table) == shape(ran(dsn, schema, twice)), about
    assert again >= 2
