"""`/tb rename <datasource> to <name>`: the new name has the rows, the readers and the changes; the old one is gone."""

from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration

OLD, NEW = "organizations", "companies"
READERS = (
    "activityRelations_deduplicated_cleaned_copy_pipe",
    "organizations_geo_distribution",
    "organizations_leaderboard",
    "top_member_org_copy",
)
PAGES = ("organizations_geo_distribution", "organizations_leaderboard")


def answers(sandbox: Sandbox) -> dict[str, Any]:
    return {page: sandbox.tinybird.get(f"/v0/pipes/{page}.json").json()["data"] for page in PAGES}


def reading(sandbox: Sandbox, name: str) -> set[str]:
    """The readers whose SQL takes rows of that data source."""
    pipes = {each: sandbox.tinybird.get(f"/v0/pipes/{each}").json()["nodes"] for each in READERS}
    return {
        each
        for each, nodes in pipes.items()
        if any(f"FROM {name} " in n["sql"] or f"JOIN {name} " in n["sql"] for n in nodes)
    }


def way(sandbox: Sandbox, name: str) -> dict[str, bool]:
    """What there is of a name, asked of every system."""
    tokens = sandbox.tinybird.get("/v0/tokens").json()["tokens"]
    config = sandbox.connect.get("/connectors/tinybird-sink/config").json()
    topics = AdminClient({"bootstrap.servers": sandbox.ready["kafka"]}).list_topics(timeout=5).topics
    return {
        "datasource": sandbox.tinybird.get(f"/v0/datasources/{name}").status_code == 200,
        "scope": any(s.get("resource") == name for t in tokens if t["name"] == "connect" for s in t["scopes"]),
        "tracked": name in config["topics"].split(","),
        "topic": name in topics,
        "sink": sandbox.sequin.get(f"/api/sinks/{name}_sink").status_code == 200,
    }


THERE = dict.fromkeys(("datasource", "scope", "tracked", "topic", "sink"), True)
GONE = dict.fromkeys(THERE, False)


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
