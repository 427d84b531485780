"""Facts in the estate's shapes (facts/estate.md §2, §3), made by hand or by the hundred."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

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


def seeded() -> Facts:
    """The sandbox's large seed as the live systems would tell it, with a table in Postgres for each replicated one."""
    facts = from_files({path.rpartition("/")[2]: text for path, text in datafiles().items()})
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


def generated(times: int, seed: int = 7) -> Facts:
    """The estate's size, 138 data sources and 289 pipes, so many times over: copies, widgets that inline one pipe
    that all of them read, templates, joins, unions. ``repo_0`` is the table with the most readers."""
    rng = random.Random(seed)
    files: dict[str, str] = {}
    raw = [f"repo_{n}" for n in range(38 * times)]
    for name in raw:
        files[f"{name}.datasource"] = PEOPLE
    for n in range(100 * times):
        files[f"made_{n}.datasource"] = PEOPLE_SORTED
        source, other = rng.choice(raw), f"made_{rng.randrange(max(1, n))}" if n else rng.choice(raw)
        files[f"copy_{n}.pipe"] = _copy(n, source, other, wildcard=n % 7 == 0)
    for part in range(times):
        files[f"filtered_{part}.pipe"] = _filter(part, raw[part * 38])
    for n in range(188 * times):
        files[f"widget_{n}.pipe"] = _widget(
            n, f"made_{rng.randrange(100 * times)}", f"filtered_{n % times}", n % 3 == 0
        )
    return from_files(files)


def _copy(n: int, source: str, other: str, *, wildcard: bool) -> str:
    taken = "s.*" if wildcard else "s.id, s.name, s.country, s.createdAt, s.updatedAt"
    return f"""\
NODE counted_{n}
SQL >
    SELECT id, count() AS n FROM {other} WHERE createdAt > toDateTime('2020-01-01') GROUP BY id

NODE made_{n}_rows
SQL >
    SELECT {taken}, coalesce(c.n, 0) AS n
    FROM {source} AS s FINAL
    LEFT JOIN counted_{n} AS c ON c.id = s.id
    WHERE s.name != ''

TYPE COPY
TARGET_DATASOURCE made_{n}
COPY_MODE replace
COPY_SCHEDULE {n % 60} * * * *
"""


def _filter(part: int, source: str) -> str:
    return f"""\
NODE filtered_{part}_ids
SQL >
    %
    SELECT DISTINCT id FROM {source} FINAL
    WHERE 1 {{% if defined(project) %}} AND name = {{{{ String(project) }}}} {{% end %}}
"""


def _widget(n: int, source: str, filtered: str, reads_filter: bool) -> str:
    filter_ = f"AND id IN (SELECT id FROM {filtered})" if reads_filter else ""
    return f"""\
NODE widget_{n}_base
SQL >
    %
    SELECT country, toStartOfMonth(createdAt) AS month, sum(n) AS total, uniq(id) AS people
    FROM {source}
    WHERE createdAt > {{{{ DateTime(since, '2020-01-01 00:00:00') }}}} {filter_}
    {{% if defined(country) %}} AND country = {{{{ String(country) }}}} {{% else %}} AND country != '' {{% end %}}
    GROUP BY country, month

NODE widget_{n}_page
SQL >
    SELECT month, total, people, total / sum(total) OVER (PARTITION BY country) AS share
    FROM widget_{n}_base ORDER BY month
"""
