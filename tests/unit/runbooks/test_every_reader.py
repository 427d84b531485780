"""A plan names every reader: what the lineage says is held against a walk by other means."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.facts.folder import read_folder
from runbooks.facts.model import Facts
from runbooks.lineage import Lineage, Understood, understand
from runbooks.plan import Reader
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from sandbox.seed import estate
from tests.support import walk
from tests.support.estate import NOW
from tests.support.some_sql import some_sql

pytestmark = pytest.mark.xdist_group("readers")

SQL = [
    ("SELECT 1 FROM people FINAL", {"people"}),
    ("SELECT a.x FROM people AS a FINAL, `events` b WHERE a.x IN (1, c)", {"people", "events"}),
    ("SELECT 1 FROM a GLOBAL ANY LEFT JOIN people USING id, x", {"a", "people"}),
    ("SELECT 1 FROM a WHERE id IN people AND 'from b' != c -- FROM d", {"a", "people"}),
    ("WITH p AS (SELECT * FROM people), people AS (SELECT 1 FROM people) SELECT * FROM p, people", {"people"}),
    (
        "% SELECT 1 FROM {% if x %} people {% elif y %} a b {% else %} events {% end %} JOIN c",
        {"people", "a", "events", "c"},
    ),
    ("% SELECT 1 FROM people WHERE {% if defined(from) %} a = {{ String(b, 'from c') }} {% end %}", {"people"}),
    ("SELECT EXTRACT(DAY FROM day), (SELECT max(b) FROM made) FROM numbers(3)", {"made"}),
    ("SELECT tag FROM people ARRAY JOIN tags AS tag", {"people"}),
]


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return estate.datafiles()


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    folder: Path = tmp_path_factory.mktemp("estate")
    estate.write(folder)
    return read_folder(folder, environment="staging", now=NOW)


@pytest.mark.parametrize(("sql", "found"), SQL)
def test_the_second_walk_finds_tables_by_their_places(sql: str, found: set[str]) -> None:
    assert walk.tables(sql) == found


def test_every_reader_of_every_data_source_is_named(facts: Facts, files: dict[str, str]) -> None:
    pipes = walk.from_datafiles(files)
    assert len(facts.datasources) == 138
    assert len(pipes) == 289
    assert walk.differences(Lineage.of(facts).readers, facts.datasources, pipes) == {}


def test_a_plan_names_all_of_them(facts: Facts, files: dict[str, str]) -> None:
    """For every data source that events fill: what copies and views make is changed by its source."""
    field = AddFields(fields=(NewField(name="wanted", type="String"),))

    def readers(name: str) -> tuple[Reader, ...]:
        return make_plan(Request(text="", job=Migrate(datasources=(name,), change=field)), facts).readers

    raw = [name for name, datasource in facts.datasources.items() if any(c.jsonpath for c in datasource.columns)]
    assert len(raw) == 40
    assert walk.differences(readers, raw, walk.from_datafiles(files)) == {}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_what_any_query_reads_is_told_alike(seed: int) -> None:
    sql = some_sql(random.Random(seed))
    parsed = understand(sql)
    assert isinstance(parsed, Understood), sql
    assert {use.table for use in parsed.uses} == walk.tables(sql), sql
