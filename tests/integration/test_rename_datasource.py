"""`/tb rename <datasource> to <name>`: the new name has the rows, the readers and the changes; the old one is gone."""

import pytest

from tests.support.drive import Drive
from tests.support.people import People
from tests.support.renaming import GONE, NEW, OLD, READERS, THERE, answers, reading, way
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration


def test_a_replicated_data_source_goes_on_under_another_name(drive: Drive, sandbox: Sandbox, people: People) -> None:
    before = answers(sandbox)
    assert (way(sandbox, OLD), way(sandbox, NEW), reading(sandbox, OLD)) == (THERE, GONE, {*READERS})
    run = drive.run(f"/tb rename {OLD} to {NEW}")
    drive.until(run, "succeeded")
    assert (way(sandbox, OLD), way(sandbox, NEW)) == (GONE, THERE), drive.thread(run)
    assert (reading(sandbox, OLD), reading(sandbox, NEW)) == (set(), {*READERS})
    assert answers(sandbox) == before
    assert sandbox.pg("SELECT pubname FROM pg_publication_tables WHERE tablename = %s", [OLD])
    sandbox.pg(f"""UPDATE {OLD} SET size = 'huge', "updatedAt" = now() WHERE id = (SELECT id FROM {OLD} LIMIT 1)""")
    huge = f"SELECT toString(count()) AS n FROM {NEW} FINAL WHERE size = 'huge'"
    sandbox.until(lambda: sandbox.tb(huge) == [{"n": "1"}], what="a change of Postgres under the new name")
    people.ana.types(f"/tb rename {OLD} to {NEW}")
    drive()
    assert "nothing is left to do" in str(drive.view(run + 1).run.reason)
