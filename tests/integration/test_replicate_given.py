"""`/tb replicate <table>` of a table that is not in Postgres yet: a migration in git makes it."""

import pytest

from tests.support import project
from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration

FILE = "V1790000000__makeOrders.sql"
REPEATS = """
CREATE TABLE IF NOT EXISTS orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "memberId" uuid REFERENCES members (id),
    amount integer NOT NULL,
    note varchar(300),
    "updatedAt" timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS "ix_orders_updatedAt_id" ON orders ("updatedAt", id);
"""
ONCE = REPEATS.replace("IF NOT EXISTS ", "")
INSERT = "INSERT INTO orders (amount, note) VALUES (42, 'first') RETURNING id"


def amounts(sandbox: Sandbox) -> list[int]:
    return [int(row["amount"]) for row in sandbox.tb("SELECT amount FROM orders FINAL FORMAT JSON")]


def said(drive: Drive, run: int) -> str:
    """What stands in the run's thread."""
    return "\n".join(reply.words for reply in drive.card(run).replies())


def waiting(drive: Drive) -> int:
    """A run that has begun to wait for the deploy."""
    run = drive.run("/tb replicate orders")
    for _ in range(4):
        drive.move()
    drive.talk()
    assert drive.state(run) == "running"
    return run


def refusal(drive: Drive, people: People, line: str) -> str:
    people.ana.types(line)
    drive()
    view = drive.view(int(drive.sandbox.ledger("SELECT max(id) AS run FROM ledger.run")[0]["run"]))
    assert view.run.state == "refused"
    return str(view.run.reason)


def test_a_table_that_only_a_migration_in_git_makes_comes_to_tinybird(drive: Drive, sandbox: Sandbox) -> None:
    project.migration(sandbox, FILE, REPEATS)
    run = drive.run("/tb replicate orders", approve=False)
    details = said(drive, run)
    assert f"Postgres has no orders before the deploy of {FILE} of acme/platform" in details
    assert "the deploy then finds that done" in details
    drive.approve(run)
    drive.until(run, "succeeded")
    sandbox.pg(INSERT)
    sandbox.until(lambda: amounts(sandbox) == [42], what="a row of Postgres")
    sandbox.pg(REPEATS)  # what the deploy runs then
    assert [row["amount"] for row in sandbox.pg("SELECT amount FROM orders")] == [42]


@pytest.mark.long
def test_a_partitioned_one_is_made_with_its_partitions_and_indexed_one_by_one(drive: Drive, sandbox: Sandbox) -> None:
    parted = """
    CREATE TABLE IF NOT EXISTS orders (
        id int NOT NULL, kind text NOT NULL, amount int, "updatedAt" timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (id, kind)
    ) PARTITION BY LIST (kind);
    CREATE TABLE IF NOT EXISTS orders_a PARTITION OF orders FOR VALUES IN ('a');
    CREATE TABLE IF NOT EXISTS orders_rest PARTITION OF orders DEFAULT;
    """
    sandbox.pg("ALTER PUBLICATION sequin_pub SET (publish_via_partition_root = true)")
    project.migration(sandbox, FILE, parted)
    run = drive.run("/tb replicate orders")
    drive.until(run, "succeeded")
    titles = [step.title for step in drive.view(run).steps]
    assert "Build an index of orders on updatedAt, id, kind, partition by partition beside its writers" in titles
    sandbox.pg("INSERT INTO orders (id, kind, amount) VALUES (1, 'a', 41), (2, 'b', 42)")
    sandbox.until(lambda: sorted(amounts(sandbox)) == [41, 42], what="rows of both partitions")
    found = sandbox.pg(
        "SELECT count(*) AS n, bool_and(i.indisvalid) AS valid FROM pg_index i WHERE i.indrelid IN "
        "('orders'::regclass, 'orders_a'::regclass, 'orders_rest'::regclass) AND NOT i.indisprimary"
    )
    assert found == [{"n": 3, "valid": True}]
    sandbox.pg(parted)


def test_one_that_is_deployed_with_another_column_is_said_and_nothing_is_made(drive: Drive, sandbox: Sandbox) -> None:
    project.migration(sandbox, FILE, ONCE)
    run = waiting(drive)
    sandbox.pg(ONCE.replace("amount integer", "amount text"))
    drive.until(run, "held")
    words = drive.card(run).words
    assert "amount is text there and integer in the migration" in words
    assert "ask again: the plan is then made from what is there" in words
    assert sandbox.tinybird.get("/v0/datasources/orders").status_code == 404
    assert "orders" not in str(sandbox.pg("SELECT tablename FROM pg_publication_tables"))


def test_one_that_is_not_understood_or_nowhere_is_refused(drive: Drive, sandbox: Sandbox, people: People) -> None:
    line = "/tb replicate orders"
    assert refusal(drive, people, line) == (
        "There is no table `orders` in Postgres, and no migration of acme/platform in backend/src/database/migrations "
        "makes one; run the migration that makes it first."
    )
    assert "makes one; did you mean `members`?" in refusal(drive, people, "/tb replicate membrs")
    project.migration(sandbox, FILE, f"{ONCE} ALTER TABLE orders ALTER COLUMN amount SET STATISTICS 9;")
    assert refusal(drive, people, line) == (
        f"Postgres has no table `orders`, and what `{FILE}` of acme/platform does to it is not understood (“ALTER "
        "TABLE orders ALTER COLUMN amount SET STATIST …”). Deploy it, then ask again: the plan is then made from what "
        "Postgres has."
    )
    sandbox.faults.add("github", "GET /repos/*/git/trees/*", "status:503", times=50)
    assert "whether a migration of acme/platform" in refusal(drive, people, line)
    assert sandbox.pg("SELECT to_regclass('orders') AS found") == [{"found": None}]


def test_a_migration_that_changes_behind_the_plan_is_planned_again(drive: Drive, sandbox: Sandbox) -> None:
    project.migration(sandbox, FILE, REPEATS)
    run = drive.run("/tb replicate orders")
    project.migration(sandbox, FILE, REPEATS.replace("amount integer", "amount bigint"))
    drive.until(run, "proposed")
    assert "amount bigint" in drive.card(run).words
    assert sandbox.pg("SELECT to_regclass('orders') AS found") == [{"found": None}]


@pytest.mark.long
def test_one_that_cannot_run_twice_is_left_to_the_deploy(drive: Drive, sandbox: Sandbox) -> None:
    project.migration(sandbox, FILE, ONCE)
    run = waiting(drive)
    assert f"Postgres has no table orders before the deploy of {FILE} of acme/platform" in said(drive, run)
    assert sandbox.pg("SELECT to_regclass('orders') AS found") == [{"found": None}]
    sandbox.pg(ONCE)
    sandbox.pg(INSERT)
    drive.until(run, "succeeded")
    assert amounts(sandbox) == [42]
    sandbox.pg('UPDATE orders SET amount = 43, "updatedAt" = now() RETURNING id')
    sandbox.until(lambda: amounts(sandbox) == [43], what="a change of Postgres")


@pytest.mark.long
def test_what_the_migration_leaves_out_is_made_once_it_is_deployed(drive: Drive, sandbox: Sandbox) -> None:
    """No version, no index, and a unique index in the place of a key."""
    bare = "CREATE TABLE orders (code text NOT NULL UNIQUE, amount integer NOT NULL, note text, id uuid);"
    project.migration(sandbox, FILE, bare)
    run = waiting(drive)
    sandbox.pg(bare)
    sandbox.pg(INSERT.replace("(amount, note) VALUES (42,", "(code, amount, note) VALUES ('a', 42,"))
    drive.until(run, "succeeded")
    assert amounts(sandbox) == [42]
    indexes = str(sandbox.pg("SELECT indexdef FROM pg_indexes WHERE tablename = 'orders'"))
    assert "UNIQUE INDEX" in indexes
    assert '("updatedAt", code)' in indexes
