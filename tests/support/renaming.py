"""A rename of a replicated data source of the seed: what there is of each name, and what its readers read."""

from typing import Any

from confluent_kafka.admin import AdminClient

from tests.support.sandbox import Sandbox

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
