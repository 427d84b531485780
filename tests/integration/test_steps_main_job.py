"""The steps of the main job on the sandbox: alter, recreate, and the way back from every point of it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from runbooks.guards import digest_of
from runbooks.plan import Plan
from runbooks.request import NewField
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story

NICKNAME = NewField(name="nickname", type="text")
PEOPLE = 5_000
KEPT = "members__before_run_7"


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    with story(sandbox) as told:
        yield told


def rows(sandbox: Sandbox, table: str) -> int:
    """People in the table, each counted once."""
    return int(sandbox.tb(f"SELECT toString(uniqExact(id)) AS n FROM {table}")[0]["n"])


def scopes(sandbox: Sandbox, token: str) -> list[dict[str, str]]:
    listed = sandbox.tinybird.get("/v0/tokens").json()["tokens"]
    return next(each["scopes"] for each in listed if each["name"] == token)


def scheduled(sandbox: Sandbox, pipe: str) -> str:
    return sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()["schedule"]["status"]


def named(plan: Plan, op: str) -> int:
    """The number of steps up to and with the first one of that op."""
    return next(number for number, step in enumerate(plan.steps, start=1) if step.op == op)


def write(sandbox: Sandbox, text: str) -> None:
    """Somebody writes to the people: a changed one, a new one, a deleted one."""
    sandbox.pg(
        'UPDATE members SET "displayName" = %s, "updatedAt" = now() WHERE id IN (SELECT id FROM members LIMIT 5)',
        [text],
    )


def test_alter_brings_the_values_and_holds_nothing(sandbox: Sandbox, run: Story) -> None:
    plan = run.plan(NICKNAME)
    assert plan.strategy.name == "alter"
    write(sandbox, "before")
    run.carry_out(plan)
    assert run.astray == ""
    assert run.found["proven"] == ["members"]
    assert sandbox.log.count("sequin", "PATCH /api/sinks/*") == 0
    assert sandbox.log.count("connect", "PUT /connectors/*") == 0
    sandbox.pg("UPDATE members SET nickname = 'Ö', \"updatedAt\" = now() WHERE id IN (SELECT id FROM members LIMIT 1)")
    sandbox.until(
        lambda: sandbox.tb("SELECT id FROM members FINAL WHERE nickname = 'Ö'"), what="the new value in Tinybird"
    )


def test_guards_are_the_same_from_a_snapshot_and_from_the_systems_one_by_one(run: Story) -> None:
    plan = run.plan(NICKNAME, strategy="recreate")
    assert {key.split("/")[0] for key in plan.guards} == {"tinybird", "sequin", "postgres", "connect"}
    assert {key: digest_of(run.at(), key) for key in plan.guards} == plan.guards


def test_what_a_plan_predicts_of_the_schema_is_what_stands_afterwards(run: Story) -> None:
    """A restore resumes ingestion only into a table with the planned schema: the two digests must be one."""
    plan = run.plan(NICKNAME, strategy="recreate")
    created = plan.steps[named(plan, "tinybird.datasource.create/1") - 1]
    run.carry_out(run.plan(NICKNAME, strategy="alter"))
    assert digest_of(run.at(), "tinybird/datasource/members/schema") == created.params["table"]["planned"]


def test_where_a_table_cannot_be_renamed_it_is_deleted_and_its_scopes_come_back(sandbox: Sandbox, run: Story) -> None:
    run.base = replace(run.base, capabilities={"rename": "refused"})
    filtered = "DATASOURCES:READ:members:country = 'Japan'"
    assert sandbox.tinybird.post("/v0/tokens", params={"name": "page", "scope": filtered}).is_success
    before = scopes(sandbox, "page")
    plan = run.plan(NICKNAME, strategy="recreate")
    run.carry_out(plan)
    assert run.astray == ""
    assert sandbox.log.count("tinybird", "DELETE /v0/datasources/*") == 1
    assert sandbox.log.count("tinybird", "PUT /v0/tokens/connect") == 1
    assert scopes(sandbox, "page") == before
    assert before[0]["filter"] == "country = 'Japan'"
    assert rows(sandbox, "members") == PEOPLE
    tagged = {t["name"]: [r["name"] for r in t["resources"]] for t in sandbox.tinybird.get("/v0/tags").json()["tags"]}
    assert "members" in tagged["members"]
    assert "members" in tagged["raw"]


def test_alter_done_twice_is_done_once(sandbox: Sandbox, run: Story) -> None:
    plan = run.plan(NICKNAME)
    run.carry_out(plan)
    after = sandbox.log.last()
    run.carry_out(plan)
    assert run.astray == ""
    assert sandbox.log.count("tinybird", "POST /v0/datasources/*", after=after) == 0


def test_a_column_that_holds_values_is_brought_by_a_backfill(sandbox: Sandbox, run: Story) -> None:
    sandbox.pg("ALTER TABLE members ADD COLUMN nickname text")
    sandbox.pg('UPDATE members SET nickname = left("displayName", 3)')  # the version is not bumped
    plan = run.plan(NICKNAME, strategy="alter")
    run.carry_out(plan)
    assert run.astray == ""
    assert rows(sandbox, "members") == PEOPLE
    empty = sandbox.pg("SELECT count(*)::text AS n FROM members WHERE nickname = ''")
    assert sandbox.tb("SELECT toString(countIf(nickname = '')) AS n FROM members FINAL") == empty


def test_an_alter_that_means_something_else_goes_astray(sandbox: Sandbox, run: Story) -> None:
    plan = run.plan(NICKNAME)
    schema = sandbox.tinybird.get("/v0/datasources/members").json()["schema"]["sql_schema"]
    form = {"schema": f"{schema},`nickname` Int32 `json:$.record.nickname` DEFAULT 0", "dry": "false"}
    assert sandbox.tinybird.post("/v0/datasources/members/alter", data=form).is_success
    run.carry_out(plan)
    assert "members.nickname is there already, as Int32, not String" in run.astray


@pytest.mark.long  # tests/faults/test_boundaries.py brings one to its end too
@pytest.mark.parametrize("rewrites", [False, True], ids=["names stay", "rename rewrites"])
def test_recreate_brings_every_row_and_leaves_nothing_paused(sandbox: Sandbox, run: Story, rewrites: bool) -> None:
    sandbox.knobs(tinybird__rename_rewrites_references=rewrites)
    before = rows(sandbox, "members_sorted")
    plan = run.plan(NICKNAME, strategy="recreate")
    run.carry_out(plan, until=named(plan, "tinybird.datasource.create/1"))
    write(sandbox, "while it is held")
    rest = plan.model_copy(update={"steps": plan.steps[named(plan, "tinybird.datasource.create/1") :]})
    run.carry_out(rest)
    assert run.astray == ""
    assert [entry.state for entry in run.entries] == ["struck"] * len(run.entries)
    assert rows(sandbox, "members") == PEOPLE
    assert rows(sandbox, KEPT) == PEOPLE
    assert rows(sandbox, "members_sorted") == before
    assert (
        sandbox.tb("SELECT toString(count()) AS n FROM members FINAL WHERE displayName = 'while it is held'")[0]["n"]
        == "5"
    )
    assert sandbox.sink("members_sink")["status"] == "active"
    assert sandbox.connector()["connector"]["state"] == "RUNNING"
    assert scheduled(sandbox, "members_sorted_copy_pipe") == "running"
    assert KEPT not in sandbox.tinybird.get("/v0/pipes?dependencies=true").text


@pytest.mark.parametrize(
    ("last", "states"),
    [
        ("sequin.sink.pause/1", {"sequin.sink.restore/1": "done", "tinybird.copy.restore/1": "done"}),
        ("connect.connector.pause/1", {"connect.connector.restore/1": "done", "tinybird.copy.restore/1": "done"}),
        (
            "tinybird.datasource.set-aside/1",
            {"tinybird.datasource.put-back/1": "done", "tinybird.copy.restore/1": "done"},
        ),
        ("sequin.backfill.create/1", {"tinybird.datasource.put-back/1": "done", "sequin.backfill.cancel/1": "done"}),
    ],
    ids=["sink paused", "connector paused", "table away", "backfill created"],
)
def test_before_the_new_table_has_rows_everything_goes_back(
    sandbox: Sandbox, run: Story, last: str, states: dict[str, str]
) -> None:
    plan = run.plan(NICKNAME, strategy="recreate")
    run.carry_out(plan, until=named(plan, last))
    assert run.astray == ""
    run.put_back()
    ended = {entry.step.op: entry.state for entry in run.entries}
    assert ended | states == ended, [(entry.step.op, entry.state, entry.reason) for entry in run.entries]
    assert rows(sandbox, "members") == PEOPLE
    assert sandbox.sink("members_sink")["status"] == "active"
    assert sandbox.connector()["connector"]["state"] == "RUNNING"
    assert scheduled(sandbox, "members_sorted_copy_pipe") == "running"
    write(sandbox, "afterwards")
    sandbox.until(
        lambda: len(sandbox.tb("SELECT id FROM members FINAL WHERE displayName = 'afterwards'")) == 5,
        what="a change made after everything was put back",
    )


def test_once_the_new_table_has_rows_copies_stay_paused_until_it_is_proven(sandbox: Sandbox, run: Story) -> None:
    before = rows(sandbox, "members_sorted")
    plan = run.plan(NICKNAME, strategy="recreate")
    run.carry_out(plan, until=named(plan, "sequin.backfill.await/1") + 1)
    run.put_back()
    left = {entry.step.op: entry.reason for entry in run.entries if entry.state == "left"}
    assert set(left) == {"tinybird.datasource.put-back/1", "tinybird.copy.restore/1"}
    assert "is not proven" in left["tinybird.copy.restore/1"]
    assert f"kept as {KEPT}" in left["tinybird.datasource.put-back/1"]
    assert scheduled(sandbox, "members_sorted_copy_pipe") == "shutdown"
    assert rows(sandbox, "members_sorted") == before
    assert sandbox.sink("members_sink")["status"] == "active"
    assert sandbox.connector()["connector"]["state"] == "RUNNING"
