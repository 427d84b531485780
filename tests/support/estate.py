"""Facts in the estate's shapes (facts/estate.md §2, §3): a few by hand, and the sandbox's large seed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from runbooks.datafile import read_datasource, read_pipe
from runbooks.facts.model import Column, Connector, Datasource, Facts, PgColumn, PgTable, Sink, Slot
from sandbox.seed.estate import datafiles

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

PEOPLE = """\
DESCRIPTION >
    People.
    - `id` the key
    - `name` shown on pages
    - `country` from attributes
    - `createdAt` when made
    - `updatedAt` when changed

TAGS "people, raw"

SCHEMA >
    `id` String `json:$.record.id`,
    `name` String `json:$.record.name` DEFAULT '',
    `country` String `json:$.record.attributes.country.default` DEFAULT '',
    `createdAt` DateTime64(3) `json:$.record.createdAt`,
    `updatedAt` DateTime64(3) `json:$.record.updatedAt`

ENGINE ReplacingMergeTree
ENGINE_PARTITION_KEY toYear(createdAt)
ENGINE_SORTING_KEY id
ENGINE_VER updatedAt
"""

PEOPLE_COPY = """\
NODE people_newest
SQL >
    SELECT people.*, 1 AS n FROM people FINAL

TYPE COPY
TARGET_DATASOURCE people_sorted
COPY_MODE replace
COPY_SCHEDULE 8 * * * *
"""

PEOPLE_SORTED = """\
SCHEMA >
    `id` String,
    `name` String,
    `country` String,
    `createdAt` DateTime64(3),
    `updatedAt` DateTime64(3),
    `n` UInt64

ENGINE MergeTree
ENGINE_SORTING_KEY name, id
"""

PEOPLE_LIST = """\
NODE people_page
SQL >
    %
    SELECT id, name FROM people_sorted
    {% if defined(country) %} WHERE country = {{ String(country) }} {% end %}
    LIMIT {{ Int32(limit, 20) }}
"""

EVENTS = """\
SCHEMA >
    `id` String `json:$.id`,
    `score` Int8 `json:$.score` DEFAULT -1,
    `createdAt` DateTime64(3) `json:$.createdAt`,
    `updatedAt` DateTime64(3) `json:$.updatedAt`

ENGINE ReplacingMergeTree
ENGINE_PARTITION_KEY toYear(createdAt)
ENGINE_SORTING_KEY id
ENGINE_VER updatedAt
"""

FILES = {
    "people.datasource": PEOPLE,
    "people_sorted.datasource": PEOPLE_SORTED,
    "people_copy.pipe": PEOPLE_COPY,
    "people_list.pipe": PEOPLE_LIST,
    "events.datasource": EVENTS,
}

PEOPLE_TABLE = PgTable(
    schema="public",
    name="people",
    columns=(
        PgColumn("id", "uuid", nullable=False),
        PgColumn("name", "text", nullable=True),
        PgColumn("attributes", "jsonb", nullable=False, default="'{}'::jsonb"),
        PgColumn("createdAt", "timestamp with time zone", nullable=False, default="now()"),
        PgColumn("updatedAt", "timestamp with time zone", nullable=False, default="now()"),
        PgColumn("karma", "integer", nullable=True),
        PgColumn("price", "numeric(12,2)", nullable=True),
    ),
    primary_key=("id",),
    unique=(("id",),),
    indexes=(("id",), ("updatedAt", "id")),
    identity="f",
    published=True,
    granted=True,
    rows=5_000,
    writes_per_s=2.0,
)

PEOPLE_SINK = Sink("people_sink", "public.people", "people", "active", "healthy", "main")


def from_files(files: Mapping[str, str], tables: Mapping[str, PgTable] | None = None) -> Facts:
    """Facts of a folder that holds these files."""
    stems = {name: name.rpartition(".")[0] for name in files}
    datasources = [read_datasource(stems[n], text) for n, text in files.items() if n.endswith(".datasource")]
    pipes = [read_pipe(stems[n], text) for n, text in files.items() if n.endswith(".pipe")]
    return Facts(
        environment="staging",
        now=NOW,
        datasources={d.name: d for d in datasources},
        pipes={p.name: p for p in pipes},
        tables=tables,
        live=False,
    )


def live(files: Mapping[str, str] = FILES, table: PgTable = PEOPLE_TABLE, sink: Sink = PEOPLE_SINK) -> Facts:
    """The same as the live systems would tell it, with one replicated table."""
    return replace(
        from_files(files, {table.name: table}),
        sinks={sink.name: sink},
        slot=Slot("sequin_slot", active=True, wal_status="reserved", lag_bytes=0),
        connector=Connector("tinybird-sink", "RUNNING", ("RUNNING",), ("people",)),
        live=True,
    )


_POSTGRES = {
    "UInt8": "boolean",
    "Int32": "integer",
    "UInt64": "bigint",
    "Float64": "double precision",
    "DateTime64(3)": "timestamp with time zone",
    "DateTime": "timestamp with time zone",
    "Int8": "smallint",
    "Array(String)": "text[]",
}


@cache
def of_seed(times: int = 1) -> Facts:
    """The sandbox's large seed, so many times over: 138 data sources and 289 pipes each, with names of their own."""
    return from_files({path.rpartition("/")[2]: text for path, text in datafiles(times).items()})


def seeded() -> Facts:
    """The same once, as the live systems would tell it, with a table in Postgres for each replicated data source."""
    facts = of_seed()
    fed = [d for d in facts.datasources.values() if (d.columns[0].jsonpath or "").startswith("$.record.")]
    return replace(
        facts,
        tables={datasource.name: _table_of(datasource) for datasource in fed},
        sinks={
            f"{d.name}_sink": Sink(f"{d.name}_sink", f"public.{d.name}", d.name, "active", "healthy", "main")
            for d in fed
        },
        slot=Slot("sequin_slot", active=True, wal_status="reserved", lag_bytes=0),
        connector=Connector("tinybird-sink", "RUNNING", ("RUNNING",), tuple(d.name for d in fed)),
        live=True,
    )


def _table_of(datasource: Datasource) -> PgTable:
    columns = {_pg_column(column).name: _pg_column(column) for column in datasource.columns}
    key = datasource.sorting_key
    return replace(
        PEOPLE_TABLE, name=datasource.name, columns=tuple(columns.values()), primary_key=("id",), unique=(("id",), key)
    )


def _pg_column(column: Column) -> PgColumn:
    name, _, below = (column.jsonpath or "").removeprefix("$.record.").removesuffix("[:]").partition(".")
    bare = (
        column.type.removeprefix("Nullable(").removesuffix(")") if column.type.startswith("Nullable") else column.type
    )
    text = "uuid" if name == "id" else "text"
    return PgColumn(
        name,
        "jsonb" if below else _POSTGRES.get(bare, text),
        nullable=column.default is not None or bare != column.type,
    )
