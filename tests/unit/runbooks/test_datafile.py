"""Datafiles are read and written as Classic's own command line does it."""

import difflib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.datafile import (
    describe,
    read_columns,
    read_datasource,
    read_pipe,
    schema_sql,
    write_datasource,
    write_pipe,
)
from runbooks.errors import DatafileError
from runbooks.facts.model import Column, Datasource, Index, Node, Pipe
from tests.support.estate import PEOPLE

SEED = Path(__file__).parents[3] / "sandbox" / "seed" / "small"
TB = Path(__file__).parents[3] / ".tools" / "tb-5.22.2" / "bin" / "tb"

AWKWARD = """\
# a comment
VERSION 3
DESCRIPTION >
      People's rows
    - `id` the key

    - `score`   weight # no comment here
TAGS "b, a"
INDEXES >
    INDEX idx_u updatedAt TYPE minmax GRANULARITY 1
    idx_b mapValues(d) TYPE bloom_filter(0.001) GRANULARITY 16
SCHEMA >
    -- the key
    id String `json:$.record.id`,
    `tags` Array(Tuple(String, Nullable(UInt8))) `json:$.record.tags[:]` DEFAULT [],
    `price` Decimal(12, 2) `json:$.record.price` DEFAULT 0 CODEC(Delta, ZSTD(4)),
    `label` LowCardinality(Nullable(String)) `json:$.record.label`,
    `n` Nullable(Int32) `json:$.record.n` DEFAULT NULL,
    `d` DateTime64(3) `json:$.record.d` DEFAULT toDateTime64(0, 3),
    `up` String MATERIALIZED upper(id), `t` String `json:$.record.t` DEFAULT 'it''s, (fine)'

ENGINE "ReplacingMergeTree"
ENGINE_SORTING_KEY id,updatedAt
ENGINE_VER    updatedAt
ENGINE_TTL "toDateTime(d) + toIntervalDay(3)"
ENGINE_PARTITION_KEY ""
ENGINE_SETTINGS index_granularity=8192
KAFKA_CONNECTION_NAME "our own"
KAFKA_TOPIC 'rows'
SHARED_WITH >
    other_ws,
    third_ws
"""


PLAIN = """\
SOURCE there
MAINTAINER me
DESCRIPTION it's "quoted", and on one line # not this
SCHEMA >
    `id` String

ENGINE "MergeTree"
ENGINE_PRIMARY_KEY "id"
ENGINE_SORTING_KEY "tuple()"
"""


def columns() -> st.SearchStrategy[Column]:
    inner = st.sampled_from(["String", "UInt8", "Int32", "Float64", "DateTime64(3)", "Decimal(12, 2)"])
    wrap = st.sampled_from(["{}", "Nullable({})", "Array({})", "Tuple(a {}, b Map(String, {}))"])
    words = st.text("abc,()'`$ DEFAULT", max_size=12).map(lambda s: "'" + s.replace("'", "''").replace("`", "") + "'")
    path = st.sampled_from([None, "$.record.x", "$.x[:]", "$.record.a.b.default"])
    return st.builds(
        Column,
        name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True).filter(lambda n: n.upper() != "INDEX"),
        type=st.builds(lambda w, t: w.format(t, t), wrap, inner),
        jsonpath=path,
        default=st.one_of(st.none(), words, st.sampled_from(["0", "-1", "[]", "toDateTime64(0, 3)"])),
        codec=st.sampled_from([None, "ZSTD(4)", "Delta, LZ4"]),
    )


@given(st.lists(columns(), min_size=1, max_size=6, unique_by=lambda c: c.name))
def test_what_is_written_is_read_back_as_it_was(made: list[Column]) -> None:
    table = Datasource(
        name="t",
        columns=tuple(made),
        engine="ReplacingMergeTree",
        sorting_key=("a", "toDate(b, 'UTC')"),
        version="v",
        indexes=(Index("i", "a", "set(100)", "4"),),
        description="What it is\n- `a` one",
        tags=("x", "y z"),
        engine_options=(("IS_DELETED", "gone"),),
    )
    assert read_datasource("t", write_datasource(table)) == table
    assert read_columns(schema_sql(made)) == tuple(made)


@pytest.mark.parametrize("file", sorted(SEED.rglob("*.datasource")), ids=lambda f: f.name)
def test_a_formatted_data_source_is_written_back_byte_for_byte(file: Path) -> None:
    assert write_datasource(read_datasource(file.stem, file.read_text())) == file.read_text()


@pytest.mark.parametrize("file", sorted(SEED.rglob("*.pipe")), ids=lambda f: f.name)
def test_a_formatted_pipe_is_written_back_byte_for_byte(file: Path) -> None:
    assert write_pipe(read_pipe(file.stem, file.read_text())) == file.read_text()


@pytest.mark.skipif(not TB.exists(), reason="the real tb is installed by tests/conformance/tools.py")
def test_a_data_source_is_written_as_the_real_tb_formats_it(tmp_path: Path) -> None:
    written = {"awkward": AWKWARD, "plain": PLAIN}
    for name, text in written.items():
        (tmp_path / f"{name}.datasource").write_text(text)
    environment = {"TB_VERSION_WARNING": "0", "TB_CLI_TELEMETRY_OPTOUT": "1", "PATH": os.defpath, "HOME": str(tmp_path)}
    asked = [str(TB), "--no-version-warning", "fmt", "--yes", *(f"{name}.datasource" for name in written)]
    subprocess.run(asked, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60)
    for name, text in written.items():
        theirs = (tmp_path / f"{name}.datasource").read_text()
        ours = write_datasource(read_datasource(name, text))
        assert list(difflib.unified_diff(theirs.splitlines(), ours.splitlines(), lineterm="")) == []
        assert ours == theirs


def test_columns_keep_their_nested_types_paths_defaults_and_codecs() -> None:
    read = read_datasource("t", AWKWARD)
    assert read.column("tags") == Column("tags", "Array(Tuple(String, Nullable(UInt8)))", "$.record.tags[:]", "[]")
    assert read.column("price") == Column("price", "Decimal(12, 2)", "$.record.price", "0", "Delta, ZSTD(4)")
    assert read.column("t") == Column("t", "String", "$.record.t", "'it''s, (fine)'")
    assert read.column("up") == Column("up", "String", materialized="upper(id)")
    assert read.indexes == (
        Index("idx_u", "updatedAt", "minmax"),
        Index("idx_b", "mapValues(d)", "bloom_filter(0.001)", "16"),
    )
    assert (read.sorting_key, read.version, read.tags) == (("id", "updatedAt"), "updatedAt", ("b", "a"))


def test_an_unknown_keyword_is_named_with_its_line() -> None:
    with pytest.raises(DatafileError, match=r"t\.datasource, line 2: FORWARD_QUERY is not a directive"):
        read_datasource("t", "TAGS a\nFORWARD_QUERY >\n    SELECT 1\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SCHEMA >\n    `id String\n", "no closing back-tick"),
        ("SCHEMA >\n    `id` String `json:$.id\n", "no closing back-tick"),
        ("SCHEMA >\n    `id` String ALIAS x\n", "ALIAS is not supported"),
        ("SCHEMA >\n    `id` String `json:$.id` nonsense\n", "after the JSON path"),
        ("INDEXES >\n    nonsense\nSCHEMA >\n    a String\n", "the index 'nonsense'"),
        ("SETTINGS x=1\n", "only allowed as ENGINE_SETTINGS"),
        ("TAGS x\n", "no SCHEMA"),
    ],
)
def test_a_broken_data_source_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(DatafileError, match=said):
        read_datasource("t", text)


def test_tokens_are_not_kept() -> None:
    assert "secret" not in write_datasource(read_datasource("t", 'TOKEN "secret" APPEND\n' + PEOPLE))


def test_a_column_added_to_a_described_table_gets_a_line_of_its_own() -> None:
    added = Column("nick", "String", "$.record.nick", "''")
    table = read_datasource("people", PEOPLE)
    text = write_datasource(
        replace(table, columns=(*table.columns, added), description=describe(table.description, (added,)))
    )
    assert "    - `updatedAt` when changed\n    - `nick` from record.nick, '' where there is none\n\nTAGS" in text
    assert (
        "    `updatedAt` DateTime64(3) `json:$.record.updatedAt`,\n    `nick` String `json:$.record.nick` DEFAULT ''"
        in text
    )


def test_sql_of_a_pipe_stays_as_it_is_comments_and_templates_included() -> None:
    sql = "%\nSELECT 'a''b' AS x -- why\n\n    # odd\nFROM t {% if defined(q) %} WHERE y = {{ String(q) }} {% end %}"
    pipe = Pipe(
        "p",
        (Node("n", sql), Node("m", "SELECT * FROM n", "copy", target="t2", mode="append", schedule="@on-demand")),
        "copy",
    )
    assert read_pipe("p", write_pipe(pipe)) == pipe


def test_a_pipe_without_a_type_is_an_endpoint_since_pushing_it_publishes_its_last_node() -> None:
    pipe = read_pipe("p", "NODE a\nSQL >\n    SELECT 1\n\nNODE b\nSQL >\n    SELECT * FROM a\n")
    assert (pipe.kind, pipe.output.name) == ("endpoint", "b")
