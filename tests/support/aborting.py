"""A migration of members that is ended before its end, and what somebody changes meanwhile."""

from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox

# After these steps of a recreate:
SINK_HELD = 5  # changes queue up in Sequin
TOUCHED = 8  # the table is not what it was
FED = 14  # the new table takes rows
CHANGED = "changed while it lasted"
A_WHILE_S = 5.0  # more than the slot's restart


def aborted(drive: Drive, people: People, run: int, done: int) -> None:
    """Ben aborts it once so many steps are done."""
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")


def change(sandbox: Sandbox) -> None:
    """Somebody changes three people."""
    sandbox.pg(
        'UPDATE members SET "displayName" = %s, "updatedAt" = clock_timestamp()'
        " WHERE id IN (SELECT id FROM members ORDER BY id LIMIT 3)",
        [CHANGED],
    )


def arrived(sandbox: Sandbox) -> bool:
    found = sandbox.tb(f"SELECT toString(count()) AS n FROM members FINAL WHERE displayName = '{CHANGED}'")
    return found == [{"n": "3"}]
