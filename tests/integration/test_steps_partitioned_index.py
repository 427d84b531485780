"""An index comes to a partitioned table beside its writers, wherever its building is left off, and goes again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from runbooks.step import Astray, Done, Todo
from runbooks.steps.postgres_partitions import CreatePartitionedIndex, DropPartitionedIndex
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story

pytestmark = pytest.mark.integration

COLUMNS = ("updatedAt", "id")
INDEX = CreatePartitionedIndex(table="events", columns=COLUMNS, feeds="events")
DROP = DropPartitionedIndex(table="events", columns=COLUMNS, feeds="events")
LONG = "events_of_a_year_in_which_many_things_happened_that_have_names"
SCHEMA = f"""
CREATE TABLE events (id int, "updatedAt" timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE events_0 PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE TABLE {LONG} PARTITION OF events FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
CREATE TABLE {LONG}_a PARTITION OF {LONG} FOR VALUES FROM (100) TO (150);
CREATE TABLE "{LONG[:-1]}_b" PARTITION OF {LONG} FOR VALUES FROM (150) TO (200);
INSERT INTO events (id) SELECT generate_series(0, 199);
"""


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    sandbox.pg(SCHEMA)
    with story(sandbox) as told:
        yield told


def indexes(sandbox: Sandbox) -> dict[str, bool]:
    """Those over the columns, by name, and whether each is valid."""
    rows = sandbox.pg(
        "SELECT c.relname AS name, i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE pg_get_indexdef(i.indexrelid) LIKE '%(\"updatedAt\", id)'"
    )
    return {row["name"]: row["valid"] for row in rows if "events" in row["name"]}


def left_off_everywhere(run: Story, step: CreatePartitionedIndex | DropPartitionedIndex) -> int:
    """A worker dies after every act, and another one looks: how many acts it takes."""
    for acts in range(50):
        seen = step.look(run.at())
        if isinstance(seen, Done):
            return acts
        assert isinstance(seen, Todo), seen
        step.act(run.at())
    raise AssertionError("it never ends")


@contextmanager
def broken(sandbox: Sandbox, name: str, on: str) -> Iterator[None]:
    """An index of that name that was given up in the middle."""
    with psycopg.connect(sandbox.ready["postgres"]) as writer, psycopg.connect(sandbox.ready["postgres"]) as builder:
        writer.execute("UPDATE events SET id = id WHERE id IN (1, 120)")
        builder.autocommit = True
        builder.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            builder.execute(f'CREATE INDEX CONCURRENTLY "{name}" ON {on} ("updatedAt", id)'.encode())
        writer.rollback()
        yield


def test_it_goes_on_wherever_it_was_left_off(sandbox: Sandbox, run: Story) -> None:
    assert left_off_everywhere(run, INDEX) == 9, "five indexes, and four of them attached"
    made = indexes(sandbox)
    assert len(made) == 5
    assert all(made.values())
    assert {"ix_events_updatedAt_id", "ix_events_0_updatedAt_id"} <= set(made), made
    assert run.base.postgres.catalog(publication="", role="")["events"].indexes == (("id",), COLUMNS)
    sandbox.pg("CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (200) TO (300)")
    assert isinstance(INDEX.look(run.at()), Done), "Postgres itself gives it to a new partition"


def test_it_goes_again_with_all_its_parts(sandbox: Sandbox, run: Story) -> None:
    assert isinstance(INDEX.remember(run.at()), DropPartitionedIndex)
    for _ in range(4):  # the table's, the first partition's, attached, the one below it
        INDEX.act(run.at())
    assert len(indexes(sandbox)) == 3
    assert isinstance(DROP.look(replace(run.at(), proven=frozenset({"events"}))), Done), "it stays behind a proof"
    left_off_everywhere(run, DROP)
    assert indexes(sandbox) == {}
    assert run.take(INDEX), run.astray
    sandbox.pg(f'CREATE INDEX CONCURRENTLY "ix_{LONG}_other" ON {LONG}_a (id)')
    left_off_everywhere(run, DROP)
    assert indexes(sandbox) == {}


def test_what_is_there_is_taken_and_what_is_broken_is_mended(sandbox: Sandbox, run: Story) -> None:
    sandbox.pg(f'CREATE INDEX by_hand ON {LONG}_a ("updatedAt", id)')
    assert INDEX.remember(run.at()) is None, "dropping ours would drop that one"
    with broken(sandbox, "ix_events_0_updatedAt_id", "events_0"):
        assert run.take(INDEX), run.astray
    made = sandbox.pg("SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhrelid = 'by_hand'::regclass")
    assert len(made) == 1
    assert all(indexes(sandbox).values())


@pytest.mark.long
def test_one_that_was_attached_broken_is_mended_too(sandbox: Sandbox, run: Story) -> None:
    sandbox.pg('CREATE INDEX "ix_events_updatedAt_id" ON ONLY events ("updatedAt", id)')
    with broken(sandbox, "half", "events_0"):
        sandbox.pg('ALTER INDEX "ix_events_updatedAt_id" ATTACH PARTITION half')
    assert run.take(INDEX), run.astray
    assert isinstance(INDEX.look(run.at()), Done)
    found = sandbox.pg("SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = 'half'::regclass")
    assert found == [{"valid": True}]


@pytest.mark.long
def test_what_cannot_be_is_said(sandbox: Sandbox, run: Story) -> None:
    unknown = CreatePartitionedIndex(table="members", columns=COLUMNS, feeds="members")
    assert isinstance(unknown.look(run.at()), Astray), "no partitioned table"
    sandbox.pg('CREATE INDEX "ix_events_0_updatedAt_id" ON events_0 (id)')
    assert not run.take(INDEX)
    assert "the index of events_0 is built, and that did not take 3 times" in run.astray
