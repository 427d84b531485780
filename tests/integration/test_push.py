"""The project's datafiles come into a workspace, gated by the checks of what brought them."""

import pytest

from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.project import commit, edit, merge, sql_of, text
from tests.support.sandbox import Sandbox

PIPE, PATH = "members_count", "pipes/members_count.pipe"
SQL = "SELECT count() AS count, countIf(isBot = 1) AS bots, uniq(id) AS people FROM members_sorted"
COPY = "members_sorted_copy_pipe"
BOTS = "NODE bots\nSQL >\n    SELECT id FROM members_bots\n"
HUMANS = "NODE humans\nSQL >\n    SELECT count() AS n FROM members WHERE id NOT IN (SELECT id FROM bots_list)\n"
TABLE = 'SCHEMA >\n    `id` String `json:$.id`\n\nENGINE MergeTree\nENGINE_PARTITION_KEY ""\nENGINE_SORTING_KEY id\n'


def test_what_a_pull_request_brought_is_pushed_and_what_nobody_checked_is_not(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    unhurried(sandbox)
    before = sql_of(sandbox, PIPE)
    edit(sandbox, PIPE, SQL)
    drive.until(drive.run("/tb pull"), "succeeded")
    edit(sandbox, PIPE, before[0])  # as it still is in another workspace
    run = drive.run("/tb push")
    drive.until(run, "succeeded")
    assert sql_of(sandbox, PIPE) == [SQL]
    assert "What was pushed stands: 1 pipe; 1 of 1 endpoint answer" in drive.thread(run)
    assert sandbox.log.count("tinybird", "PUT /v0/pipes/*/nodes/*") == 3  # two by people, and one
    people.ana.types("/tb push")
    drive()
    assert drive.view(run + 1).run.reason == "sandbox and git hold the same. There is nothing to push."
    commit(sandbox, PATH, text(sandbox, PATH).replace("uniq(id)", "uniqExact(id)"))
    asked = drive.run("/tb push --note unchecked", approve=False)
    card = drive.card(asked)
    assert "checks-not-green" in card.words
    assert not [label for label in card.buttons if label.startswith("Approve")]


@pytest.mark.long
def test_new_data_sources_and_pipes_come_in_the_order_of_what_they_read(sandbox: Sandbox, drive: Drive) -> None:
    merge(sandbox, a_humans__pipe=HUMANS, bots_list__pipe=BOTS, members_bots__datasource=TABLE)
    run = drive.run("/tb push")
    drive.until(run, "succeeded")
    titles = [step.title for step in drive.view(run).steps]
    assert titles == [
        "Create the data source members_bots",
        "Create the pipe bots_list",
        "Create the pipe a_humans",
        "See that what was pushed stands and answers",
        "See that the workspace holds what git says",
    ]
    assert sandbox.tinybird.get("/v0/pipes/a_humans.json").json()["data"] == [{"n": 5000}]


@pytest.mark.long
def test_a_copy_pipe_keeps_its_schedule_when_it_is_written_whole(sandbox: Sandbox, drive: Drive) -> None:
    old = text(sandbox, f"pipes/{COPY}.pipe")
    lead, _, rest = old.partition("NODE ")
    merge(sandbox, **{f"{COPY}__pipe": f"{lead}NODE everybody\nSQL >\n    SELECT 1 AS one\n\nNODE {rest}"})
    was = sandbox.tinybird.get(f"/v0/pipes/{COPY}").json()
    run = drive.run(f"/tb push {COPY}")
    drive.until(run, "succeeded")
    now = sandbox.tinybird.get(f"/v0/pipes/{COPY}").json()
    assert (now["schedule"], now["copy_mode"], now["id"]) == (was["schedule"], was["copy_mode"], was["id"])
    assert now["nodes"][0]["name"] == "everybody"


@pytest.mark.long
def test_what_a_forced_push_would_leave_out_is_refused_with_the_line_to_type(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    old = text(sandbox, "datasources/members.datasource")
    merge(sandbox, members__datasource=old.replace("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY id, createdAt"))
    people.ana.types("/tb push")
    drive()
    said = drive.view(1).run.reason
    assert "its sorting key is id, and id, createdAt in git" in said
    assert "Run `/tb migrate members sort by id, createdAt` instead." in said


@pytest.mark.long
def test_an_aborted_push_gives_every_pipe_its_own_sql_again(sandbox: Sandbox, people: People, drive: Drive) -> None:
    before = sql_of(sandbox, PIPE)
    merge(sandbox, bots_list__pipe=BOTS, members_bots__datasource=TABLE, members_count__pipe=pushed(sandbox))
    run = drive.run("/tb push")
    drive.until_step(run, 4)
    assert sql_of(sandbox, PIPE) != before
    people.ana.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert sql_of(sandbox, PIPE) == before
    assert sandbox.tinybird.get("/v0/pipes/bots_list").status_code == 404
    assert sandbox.tinybird.get("/v0/datasources/members_bots").status_code == 404


@pytest.mark.long
def test_a_push_that_failed_is_planned_anew_from_what_is_there(sandbox: Sandbox, people: People, drive: Drive) -> None:
    merge(sandbox, bots_list__pipe=BOTS, members_bots__datasource=TABLE)
    run = drive.run("/tb push")
    sandbox.faults.add("tinybird", "POST /v0/pipes", "status:400")
    drive.until(run, "failed")
    assert sandbox.tinybird.get("/v0/datasources/members_bots").status_code == 404
    again = drive.run(f"/tb retry {run}")
    drive.until(again, "succeeded")
    assert sandbox.tinybird.get("/v0/pipes/bots_list").status_code == 200


@pytest.mark.long
def test_the_sql_of_a_sink_is_pushed_and_its_export_stays(sandbox: Sandbox, drive: Drive) -> None:
    export = {"service": "s3", "connection": "lake", "schedule_cron": "0 3 * * *", "path": "s3://lake/{date}"}
    nodes = [
        {"name": "all_of_them", "sql": "SELECT id FROM members"},
        {"name": "out", "sql": "SELECT * FROM all_of_them"},
    ]
    assert sandbox.tinybird.post("/v0/pipes", json={"name": "exported", "nodes": nodes}).status_code == 200
    out = sandbox.tinybird.get("/v0/pipes/exported").json()["nodes"][1]["id"]
    assert sandbox.tinybird.post(f"/v0/pipes/exported/nodes/{out}/sink", data=export).status_code == 200
    was = sandbox.tinybird.get("/v0/pipes/exported").json()
    drive.until(drive.run("/tb pull exported"), "succeeded")
    there = text(sandbox, "pipes/exported.pipe")
    assert "EXPORT_CONNECTION_NAME lake" in there
    new = there.replace("SELECT id FROM", "SELECT id, score FROM").replace("* FROM", "id, score FROM")
    merge(sandbox, exported__pipe=new)
    drive.until(drive.run("/tb push"), "succeeded")
    now = sandbox.tinybird.get("/v0/pipes/exported").json()
    assert [node["sql"] for node in now["nodes"]] == [
        "SELECT id, score FROM members",
        "SELECT id, score FROM all_of_them",
    ]
    assert {key: now[key] for key in ("type", "sink_node", "schedule", *export) if key in now} == {
        key: was[key] for key in ("type", "sink_node", "schedule", *export) if key in was
    }


@pytest.mark.long
def test_nodes_that_would_go_are_named(sandbox: Sandbox, drive: Drive) -> None:
    assert (
        sandbox.tinybird.post(f"/v0/pipes/{PIPE}/nodes", params={"name": "aside"}, content="SELECT 1").status_code
        == 200
    )
    merge(sandbox, members_count__pipe=pushed(sandbox))
    run = drive.run("/tb push", approve=False)
    assert "1 node of members_count go: aside." in drive.card(run).words


def pushed(sandbox: Sandbox) -> str:
    return text(sandbox, PATH).replace("countIf(isBot = 1) AS bots", "countIf(isBot = 1) AS bots, uniq(id) AS people")
