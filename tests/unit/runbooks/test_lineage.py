"""Who reads a data source is found through every shape of SQL, and nobody is missed in silence."""

import time

import pytest

from runbooks.lineage import Bound, Lineage, NotParsed, Understood, understand
from tests.support.estate import FILES, PEOPLE_COPY, from_files, of_seed


def endpoint(sql: str) -> str:
    return "NODE out\nSQL >\n" + "\n".join("    " + line for line in sql.splitlines()) + "\n"


def read_by(sql: str) -> set[str]:
    found = understand(sql)
    assert isinstance(found, Understood), found
    return {use.table for use in found.uses}


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1 FROM people FINAL", {"people"}),
        ("SELECT a.x FROM people AS a FINAL, events b", {"people", "events"}),
        ("SELECT 1 FROM a WHERE id IN (SELECT id FROM people FINAL)", {"a", "people"}),
        ("SELECT 1 FROM a WHERE id IN people", {"a", "people"}),
        ("SELECT 1 FROM (SELECT 2 FROM people UNION ALL SELECT 3 FROM events)", {"people", "events"}),
        ("WITH p AS (SELECT * FROM people) SELECT * FROM p", {"people"}),
        ("WITH people AS (SELECT * FROM people FINAL) SELECT * FROM people", {"people"}),
        ("WITH (SELECT max(u) FROM people) AS newest SELECT 1 FROM a WHERE u > newest", {"a", "people"}),
        ("SELECT 1 FROM a GLOBAL ANY LEFT JOIN people USING id", {"a", "people"}),
        ("SELECT tag FROM people ARRAY JOIN events AS tag", {"people"}),
        ("SELECT joinGet('people', 'name', id) FROM numbers(10)", {"people"}),
        ("% SELECT 1 FROM {% if x %} people {% else %} events {% end %}", {"people", "events"}),
        (
            "% SELECT 1 FROM {% if x %}{% if y %} a {% else %} b {% end %}{% elif z %} c {% else %} d {% end %}",
            set("abcd"),
        ),
        (
            "% {% if x %} SELECT 1 FROM people {% end %}{% if not x %} SELECT 2 FROM events {% end %}",
            {"people", "events"},
        ),
        (
            "% SELECT 1 FROM {{ table('people') }} WHERE a IN {{ Array(x, 'String') }} LIMIT {{ Int32(n, 5) }}",
            {"people"},
        ),
        ("SELECT 1 FROM (a JOIN people ON 1)", {"a", "people"}),
        ("SELECT * FROM people ORDER BY u LIMIT 1 BY id LIMIT 5", {"people"}),
        ("SELECT * APPLY toString FROM people", {"people"}),
        ("WITH ids AS (SELECT id FROM people) SELECT 1 FROM a WHERE id IN ids", {"a", "people"}),
        ("SELECT 1 FROM tinybird.people", set()),
        ("% SELECT 1 FROM people WHERE a LIKE '%{{ String(q) }}%' AND {{ max_threads(2) }} 1", {"people"}),
        ("% {% if not defined(q) %}{{ error('q, it''s missing') }}{% end %} SELECT 1 FROM people", {"people"}),
        ("% SELECT {% for c in cs %} {{ symbol(c) }}, {% end %} 1 FROM people", {"people"}),
        ("% SELECT '{{ String(q) }}' FROM people {% for t in ts %} WHERE a = {{ t }} {% end %}", {"people"}),
    ],
)
def test_every_table_that_the_sql_reads_is_found(sql: str, tables: set[str]) -> None:
    assert read_by(sql) == tables


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT FROMM people x y",
        "% SELECT 1 FROM {{ people }}",
        "% SELECT 1 {% if x %} FROM people",
        "DROP TABLE people",
        "% SELECT 1 FROM {{ table(x) }}",
        "SELECT 1 FROM merge('^people')",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000 + " FROM people",
        "SELECT 1 FROM people WHERE id IN (" + "'x', " * 50_000 + "'y')",
    ],
    ids=lambda sql: sql[:30],
)
def test_what_cannot_be_read_is_said_and_not_guessed(sql: str) -> None:
    assert isinstance(understand(sql), NotParsed)


@pytest.mark.parametrize(
    ("sql", "emitted"),
    [
        ("SELECT * FROM people", True),
        ("SELECT people.*, 1 AS n FROM people FINAL", True),
        ("SELECT p.* EXCEPT (id) FROM people AS p JOIN events ON 1", True),
        ("WITH p AS (SELECT * FROM people) SELECT p.* FROM p", True),
        ("SELECT * FROM (SELECT * FROM people UNION ALL SELECT * FROM events)", True),
        ("SELECT p.COLUMNS('^n') FROM people AS p", True),
        ("SELECT e.* FROM people AS p JOIN events AS e ON 1", False),
        ("SELECT id, count(*) FROM people GROUP BY id", False),
        ("SELECT id FROM (SELECT * FROM people)", False),
    ],
)
def test_it_is_known_whether_every_column_comes_out(sql: str, emitted: bool) -> None:
    found = understand(sql)
    assert isinstance(found, Understood)
    use = found.use("people")
    assert use is not None
    assert use.emitted is emitted


def test_columns_go_to_the_table_whose_alias_they_name() -> None:
    found = understand("SELECT people.x, p.y FROM people AS p JOIN events AS people ON 1")
    assert isinstance(found, Understood)
    assert {use.table: set(use.qualified) for use in found.uses} == {"people": {"y"}, "events": {"x"}}


def test_the_elements_of_an_unfolded_array_are_no_columns() -> None:
    found = understand("SELECT p.tag FROM people AS p ARRAY JOIN p.tags AS tag")
    assert isinstance(found, Understood)
    assert [set(use.qualified) for use in found.uses] == [{"tags"}]


def test_a_table_of_a_workspace_counts_as_read_though_its_columns_may_be_others() -> None:
    for sql in ("SELECT p.x FROM other.people AS p", "SELECT p.x FROM `other.people` AS p"):
        found = understand(sql)
        assert isinstance(found, Understood)
        assert [(use.table, use.prefixed, set(use.qualified)) for use in found.uses] == [("people", True, set())]


@pytest.mark.parametrize(
    ("sql", "once"),
    [
        ("SELECT * FROM people LIMIT 1 BY id", True),
        ("SELECT id, argMax(name, updatedAt) FROM people GROUP BY id", True),
        ("SELECT 1 FROM events WHERE id IN people", True),
        ("SELECT * FROM people LIMIT 1", False),
        ("SELECT id, max(updatedAt) FROM people GROUP BY id", False),
        ("SELECT * FROM people JOIN events USING id LIMIT 1 BY id", False),
    ],
)
def test_one_row_a_key_is_as_good_as_final(sql: str, once: bool) -> None:
    found = understand(sql)
    assert isinstance(found, Understood)
    use = found.use("people")
    assert use is not None
    assert use.final is once


def test_a_pipe_whose_table_the_caller_names_is_known_as_such() -> None:
    facts = from_files(FILES | {"any.pipe": endpoint("%\nSELECT id FROM {{ table(x) }}")})
    assert Lineage.of(facts).computed() == ("any",)


def test_final_counts_only_when_every_read_has_it() -> None:
    found = understand("SELECT 1 FROM people FINAL WHERE id IN (SELECT id FROM people)")
    assert isinstance(found, Understood)
    assert [use.final for use in found.uses] == [False]


def test_conditions_on_time_are_read_from_the_sql() -> None:
    found = understand(
        "SELECT * FROM events WHERE updatedAt > (SELECT max(updatedAt) FROM made)"
        " AND now() - INTERVAL 3 HOUR < createdAt"
    )
    assert isinstance(found, Understood)
    assert set(found.bounds) == {Bound("updatedAt", table="made"), Bound("createdAt", look_back_s=10_800)}


def test_readers_are_found_through_pipes_and_not_beyond_a_copy() -> None:
    facts = from_files(
        FILES
        | {
            "inner.pipe": endpoint("SELECT id FROM people FINAL"),
            "outer.pipe": endpoint("SELECT * FROM inner JOIN people_list USING id"),
        }
    )
    readers = Lineage.of(facts).readers("people")
    assert [(r.name, r.kind, r.direct) for r in readers] == [
        ("inner", "endpoint", True),
        ("people_copy", "copy", True),
        ("outer", "endpoint", False),
    ]
    assert readers[1].schedule == "8 * * * *"


def test_a_pipe_that_cannot_be_parsed_reads_everything_that_it_names() -> None:
    facts = from_files(FILES | {"broken.pipe": endpoint("SELECT FROMM people x y")})
    lineage = Lineage.of(facts)
    assert "broken" in {r.name for r in lineage.readers("people")}
    assert "broken" not in {r.name for r in lineage.readers("events")}
    assert list(lineage.not_understood("people")) == ["broken"]


def test_a_node_named_like_a_table_is_the_node_within_its_pipe() -> None:
    text = "NODE people\nSQL >\n    SELECT id FROM events\n\nNODE out\nSQL >\n    SELECT * FROM people\n"
    lineage = Lineage.of(from_files(FILES | {"p.pipe": text}))
    assert "p" not in {r.name for r in lineage.readers("people")}
    assert "p" in {r.name for r in lineage.readers("events")}


def test_wildcard_copies_are_followed_through_nodes_pipes_and_further_copies() -> None:
    further = PEOPLE_COPY.replace("people FINAL", "whole").replace("people.*", "*").replace("people_sorted", "second")
    facts = from_files(
        FILES
        | {
            "whole.pipe": endpoint("SELECT * FROM people_sorted"),
            "second.datasource": FILES["people_sorted.datasource"],
            "further.pipe": further.replace("people_newest", "n2"),
        }
    )
    found = Lineage.of(facts).wildcard_copies("people")
    assert [(w.copy, w.target) for w in found] == [("further", "second"), ("people_copy", "people_sorted")]


def test_copies_are_ordered_by_what_they_read() -> None:
    late = PEOPLE_COPY.replace("people FINAL", "people FINAL JOIN people_sorted USING id").replace("sorted\n", "late\n")
    facts = from_files(FILES | {"a_late.pipe": late})
    assert [p.name for p in Lineage.of(facts).copies_reaching("people")] == ["people_copy", "a_late"]


def test_lineage_of_the_estates_size_is_read_within_a_second() -> None:
    facts = of_seed()
    understand.cache_clear()
    began = time.process_time()
    lineage = Lineage.of(facts)
    readers = lineage.readers("insightsProjects")
    lineage.copies_reaching("insightsProjects")
    lineage.wildcard_copies("insightsProjects")
    assert time.process_time() - began < 1.0
    assert len([r for r in readers if r.kind == "endpoint"]) > 90


@pytest.mark.parametrize(
    ("sql", "first"),
    [
        ("SELECT 1 FROM people AS p FINAL JOIN events USING id", {"people"}),
        ("WITH e AS (SELECT * FROM events JOIN people USING id) SELECT * FROM e JOIN people USING id", {"events"}),
        ("SELECT * FROM (SELECT * FROM events) AS e, people", {"events"}),
        ("SELECT 1 FROM people UNION ALL SELECT 2 FROM events JOIN a USING id", {"people", "events"}),
        ("SELECT 1 FROM a WHERE id IN (SELECT id FROM people)", {"a"}),
        ("SELECT 1 FROM numbers(3)", set()),
        ("SELECT 1", set()),
    ],
)
def test_the_table_that_a_query_begins_with_is_known(sql: str, first: set[str]) -> None:
    found = understand(sql)
    assert isinstance(found, Understood)
    assert found.first == first


def test_materialized_views_are_followed_to_the_end_of_their_chain_and_not_by_what_they_join() -> None:
    def view(sql: str, target: str) -> str:
        return f"NODE rows\nSQL >\n    {sql}\n\nTYPE materialized\nDATASOURCE {target}\n"

    facts = from_files(
        FILES
        | {
            "first.pipe": view("SELECT id FROM people", "mirror").replace("rows", "some", 1),
            "second.pipe": "NODE rows\nSQL >\n    SELECT * FROM mirror\n\n"
            + view("SELECT * FROM rows JOIN events USING id", "sums").replace("NODE rows", "NODE out"),
            "other.pipe": view("SELECT 1 FROM events JOIN people USING id", "more"),
            **{f"{name}.datasource": FILES["events.datasource"] for name in ("mirror", "sums", "more")},
        }
    )
    chain = Lineage.of(facts).materialized_chain("people")
    assert [(link.source, link.pipe, link.target) for link in chain] == [
        ("people", "first", "mirror"),
        ("mirror", "second", "sums"),
    ]
