"""Copies of the seed that people have run, and one that appends: asked for, planned, run by hand in Tinybird itself."""

import pytest

import workers.context
import workers.jobs
from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import Person
from tests.support.sandbox import Json, Sandbox

PIPE = "members_sorted_copy_pipe"
HOURLY = "activityRelations_deduplicated_copy_pipe"
BEHIND = (
    "activityRelations_deduplicated_cleaned_copy_pipe",
    "insights_projects_populated_copy",
    "pull_request_analysis_copy_pipe",
    "top_member_org_copy",
)
BOARD = "board_copy"


def asked(drive: Drive, person: Person, line: str) -> int:
    """Somebody types it; the run's number. It is not planned yet."""
    unhurried(drive.sandbox)
    person.types(line)
    drive.talk()
    return int(drive.sandbox.ledger("SELECT max(id) AS run FROM ledger.run")[0]["run"])


def planned(drive: Drive, run: int) -> None:
    workers.context.configure(drive.worker)
    workers.jobs.plan(run)
    drive.talk()


def put(sandbox: Sandbox, name: str, sql: str, target: str, *, mode: str, schedule: str = "0 3 * * *") -> None:
    node = {"name": f"{name}_rows", "type": "copy", "sql": sql, "target_datasource": target, "mode": mode}
    body: Json = {"name": name, "nodes": [{**node, "copy_schedule": schedule}], "target_datasource": target}
    answer = sandbox.tinybird.post(
        "/v0/pipes", params={"force": "true"}, json={**body, "schedule_cron": None if "@" in schedule else schedule}
    )
    assert answer.status_code == 200, answer.text


def rows(sandbox: Sandbox, table: str) -> int:
    return int(sandbox.tb(f"SELECT count() AS n FROM {table}")[0]["n"])


def unscheduled(sandbox: Sandbox) -> None:
    """Nothing but what a test asks for runs, however far its clock goes."""
    for pipe in (PIPE, HOURLY, *BEHIND):
        assert sandbox.tinybird.post(f"/v0/pipes/{pipe}/copy/pause").status_code == 200


def by_hand(drive: Drive, pipe: str) -> None:
    """Somebody runs it in Tinybird itself, to its end."""
    job = drive.sandbox.tinybird.post(f"/v0/pipes/{pipe}/copy").json()["job"]["id"]
    drive.sandbox.until(lambda: drive.sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] == "done")


@pytest.fixture
def board(sandbox: Sandbox) -> str:
    """A leaderboard, as the estate has them: it appends to a plain table, and its rows say when they were made."""
    schema = "board String, id String, madeAt DateTime"
    form = {"name": "board_ds", "schema": schema, "engine": "MergeTree", "engine_sorting_key": "board"}
    assert sandbox.tinybird.post("/v0/datasources", data=form).status_code == 200
    sql = "SELECT 'members' AS board, id, now() AS madeAt FROM members FINAL LIMIT 10"
    for name, text in ((BOARD, sql), ("other_copy", sql.replace("'members'", "'others'"))):
        put(sandbox, name, text, "board_ds", mode="append")
        assert sandbox.tinybird.post(f"/v0/pipes/{name}/copy/pause").status_code == 200
    return BOARD
