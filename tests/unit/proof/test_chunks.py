"""The SQL of a copy: what is copied is what is compared, on both sides and in ranges of the old table's key."""

from dataclasses import replace

import pytest

from runbooks.facts.model import Column, Datasource
from runbooks.proof.chunks import Keys, bound, copied, pipe_sql, source_digest, target_digest
from tests.support.estate import live

EVENTS = live().datasources["events"]


def test_a_computed_column_is_computed_from_old_values_though_another_of_that_name_is_cast() -> None:
    """An alias that is also a column's name would stand for it: score, made Int16, is not what score2 halves."""
    wider = tuple(replace(c, type="Int16") if c.name == "score" else c for c in EVENTS.columns)
    of = copied(EVENTS, replace(EVENTS, columns=(*wider, Column("score2", "Float32"))), {"score2": "score / 2"})
    sql = source_digest(of, Keys("a", None))
    assert "CAST(_c1, 'Int16') AS `score`" in sql
    assert "score / 2 AS _c4 FROM `events` FINAL WHERE `id` >= 'a')" in sql
    assert "tuple(`id`, `score`, `createdAt`, `updatedAt`, `score2`)" in sql
    assert sql.count("cityHash64") == target_digest(of, "beside", Keys()).count("cityHash64") == 1


def test_a_run_of_the_pipe_takes_a_range_or_a_time_or_neither() -> None:
    sql = pipe_sql(copied(EVENTS, EVENTS, {}))
    assert sql.startswith("%\n")
    assert "{% if defined(low) %} AND `id` >= {{String(low)}}{% end %}" in sql
    assert "{% if defined(high) %} AND `id` < {{String(high)}}{% end %}" in sql
    assert "{% if defined(since) %} AND `updatedAt` >= {{String(since)}}{% end %}" in sql


@pytest.mark.parametrize(
    ("before", "after", "span"),
    [
        (EVENTS, EVENTS, "id"),
        (EVENTS, replace(EVENTS, sorting_key=("score", "id")), "id"),  # what is read in order is the old table
        (replace(EVENTS, sorting_key=("toDate(createdAt)", "id")), EVENTS, None),
        (replace(EVENTS, sorting_key=()), EVENTS, None),
        (EVENTS, replace(EVENTS, columns=EVENTS.columns[1:]), None),
        (replace(EVENTS, columns=(Column("id", "UInt32"), *EVENTS.columns[1:])), EVENTS, None),  # "10" < "9"
    ],
    ids=["the key", "another key", "an expression", "no key", "a key that goes", "a key of another order"],
)
def test_ranges_are_of_what_both_tables_have_and_order_alike(
    before: Datasource, after: Datasource, span: str | None
) -> None:
    assert copied(before, after, {}).span == span


def test_a_hostile_value_of_the_key_stays_a_value() -> None:
    of = copied(EVENTS, EVENTS, {})
    assert "`id` >= 'x\\') OR 1 = 1 --'" in source_digest(of, Keys("x') OR 1 = 1 --"))
    assert "`id` >= 'x\\'' " in bound(of, "x'", 10)


def test_an_engine_without_versions_is_read_without_final() -> None:
    of = copied(replace(EVENTS, engine="MergeTree"), EVENTS, {})
    assert "FROM `events` WHERE" in source_digest(of, Keys())
    assert "FROM `beside` FINAL WHERE" in target_digest(of, "beside", Keys())
