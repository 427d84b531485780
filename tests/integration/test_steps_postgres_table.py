"""A table comes to be in Postgres by a run, or by the deploy that it waits for."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from runbooks.step import Astray, Done, Todo, Wait
from runbooks.steps.postgres_table import DEPLOY_S, AwaitTable, MakeTable, PlannedColumn, PlannedTable
from systems.errors import SystemsError
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story

pytestmark = pytest.mark.integration

FILES = ("migrations/V1__makeOrders.sql", "migrations/V2__addNote.sql")
MAKES = "CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY)"
ADDS = "ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text"
COLUMNS = (
    PlannedColumn(name="id", type="integer", nullable=False),
    PlannedColumn(name="note", type="text", nullable=True),
)
ORDERS = PlannedTable(table="orders", columns=COLUMNS, key=("id",), repository="acme/platform", files=FILES)
AWAIT = AwaitTable(of=ORDERS)
AWAIT_ONE = AwaitTable(of=ORDERS.model_copy(update={"files": FILES[:1]}))


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    with story(sandbox) as told:
        yield told


def test_a_table_is_made_in_one_transaction_and_once(sandbox: Sandbox, run: Story) -> None:
    step = MakeTable(of=ORDERS, sql=(MAKES, ADDS))
    with pytest.raises(SystemsError, match='relation "nowhere" does not exist'):
        MakeTable(of=ORDERS, sql=(MAKES, "ALTER TABLE nowhere ADD x int")).act(run.at())
    assert isinstance(step.look(run.at()), Todo), "half of it is nothing of it"
    assert run.take(step), run.astray
    assert isinstance(step.look(run.at()), Done)
    sandbox.pg("ALTER TABLE orders DROP COLUMN note")
    assert not run.take(step)
    assert "note (text) is not there" in run.astray


def test_a_deploy_is_waited_for_file_by_file(sandbox: Sandbox, run: Story) -> None:
    seen = AWAIT.look(run.at())
    assert isinstance(seen, Wait)
    assert seen.why == (
        "Postgres has no table orders before the deploy of V1__makeOrders.sql and V2__addNote.sql of acme/platform"
    )
    sandbox.pg(MAKES)
    half = AWAIT.look(run.at(seen.memo))
    assert isinstance(half, Wait)
    assert "note (text) is not there" in half.why
    assert isinstance(AWAIT_ONE.look(run.at(seen.memo)), Astray), "one file is deployed whole"
    sandbox.pg(ADDS)
    assert isinstance(AWAIT.look(run.at(seen.memo)), Done)


def test_a_deploy_that_does_not_come_is_not_waited_for_for_ever(run: Story) -> None:
    seen = AWAIT.look(run.at())
    assert isinstance(seen, Wait)
    later = replace(run.at(seen.memo), now=run.at().now + timedelta(seconds=DEPLOY_S + 1))
    over = AWAIT.look(later)
    assert isinstance(over, Astray)
    assert "24 h were waited for it; resuming waits as long again" in over.reason
    assert isinstance(AWAIT.look(replace(later, memo=over.memo or {})), Wait)


@pytest.mark.parametrize(
    ("deployed", "said"),
    [
        ("CREATE TABLE orders (id bigint PRIMARY KEY, note text)", "id is bigint there and integer in the migration"),
        ("CREATE TABLE orders (id int PRIMARY KEY, note text NOT NULL)", "note may not be NULL there"),
        ("CREATE TABLE orders (id int PRIMARY KEY, note text, x int)", "x (integer) is there and not in the migration"),
        (
            "CREATE TABLE orders (id int NOT NULL, note text NOT NULL PRIMARY KEY)",
            "its primary key is note there and id",
        ),
        ("CREATE TABLE orders (id int NOT NULL, note text)", "there is no primary key there, and id in the migration"),
    ],
)
def test_what_is_deployed_otherwise_is_said_with_both_sides(
    sandbox: Sandbox, run: Story, deployed: str, said: str
) -> None:
    sandbox.pg(deployed)
    assert not run.take(AWAIT_ONE)
    assert said in run.astray
