"""Activities, which live in Tinybird alone: what was written, and whether all of it is there."""

import json
from typing import Any

from tests.support.sandbox import SETTLE_S, Sandbox, read_topic

ASKED = '/tb migrate activities add field score2 Float32 from "score / 2" --strategy rename'
PAGE = "activities_page"  # an endpoint that reads the table itself
COPY = "activities_deduplicated_copy_pipe"
WRITERS = ("data-sink-worker-system-dpl", "data-sink-worker-normal-dpl", "data-sink-worker-high-dpl")
PODS = {"data-sink-worker-system-dpl": 1, "data-sink-worker-normal-dpl": 2, "data-sink-worker-high-dpl": 1}


def publish(sandbox: Sandbox) -> None:
    """Somebody has a page that shows them."""
    sql = "SELECT toString(uniqExact(id)) AS n FROM activities"
    assert sandbox.tinybird.post("/v0/pipes", params={"name": PAGE, "sql": sql}).is_success
    assert sandbox.tinybird.post(f"/v0/pipes/{PAGE}/nodes/{PAGE}_0/endpoint").is_success


def shown(sandbox: Sandbox) -> int | None:
    """What the page shows; None while it is broken."""
    answer = sandbox.tinybird.get(f"/v0/pipes/{PAGE}.json")
    return int(answer.json()["data"][0]["n"]) if answer.is_success else None


def written(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What the writers sent."""
    return [json.loads(value) for value in read_topic(sandbox.ready["kafka"], "activities")]


def ids(sandbox: Sandbox, table: str = "activities") -> set[str]:
    return {row["id"] for row in sandbox.tb(f"SELECT id FROM {table} FINAL")}


def all_is_there(sandbox: Sandbox, seeded: set[str], column: bool = True) -> None:
    """Every activity of before and every one that was written since, each once and with half its score."""
    sandbox.knobs(kubernetes__writes_per_s=0.0)
    sandbox.clock.advance(30.0, settle_s=SETTLE_S)
    sent = {row["id"] for row in written(sandbox)}
    sandbox.until(lambda: ids(sandbox) >= sent, what="everything that was written")
    there = ids(sandbox)
    assert len(sent) > 0
    missing, strange = (seeded | sent) - there, there - seeded - sent
    assert (len(missing), len(strange)) == (0, 0)
    if column:
        assert sandbox.tb("SELECT count() AS n FROM activities FINAL WHERE score2 != score / 2") == [{"n": 0}]


def writers_run(sandbox: Sandbox) -> bool:
    return {name: sandbox.replicas(name) for name in WRITERS} == PODS


def tables(sandbox: Sandbox) -> set[str]:
    """Data sources whose names begin with activities_ and two more underlines, or that name itself."""
    names = (each["name"] for each in sandbox.tinybird.get("/v0/datasources").json()["datasources"])
    return {name for name in names if name == "activities" or name.startswith("activities__")}


def pipes(sandbox: Sandbox) -> set[str]:
    """The runs' own copy pipes."""
    names = (each["name"] for each in sandbox.tinybird.get("/v0/pipes").json()["pipes"])
    return {name for name in names if "__copy_run_" in name}
