"""How far a table of the seed that is not replicated yet is on its way."""

from typing import Any

from tests.support.sandbox import Sandbox

TABLE = "repositories"


def replication(sandbox: Sandbox) -> dict[str, Any]:
    """Asked of every system."""
    github = sandbox.ready["github"]
    pulls = sandbox.github.get(f"/repos/{github['cluster']}/pulls", params={"state": "open"}).json()
    scopes = next(t for t in sandbox.tinybird.get("/v0/tokens").json()["tokens"] if t["name"] == "connect")["scopes"]
    config = sandbox.connect.get("/connectors/tinybird-sink/config").json()
    return {
        "published": bool(sandbox.pg("SELECT pubname FROM pg_publication_tables WHERE tablename = %s", [TABLE])),
        "identity": sandbox.pg(f"SELECT relreplident::text AS i FROM pg_class WHERE oid = '{TABLE}'::regclass")[0]["i"],
        "granted": sandbox.pg(f"SELECT has_table_privilege('sequin', '{TABLE}', 'SELECT') AS may")[0]["may"],
        "datasource": sandbox.tinybird.get(f"/v0/datasources/{TABLE}").status_code == 200,
        "scope": any(scope.get("resource") == TABLE for scope in scopes),
        "pulls": len(pulls),
        "tracked": TABLE in config["topics"].split(","),
        "sink": sandbox.sequin.get(f"/api/sinks/{TABLE}_sink").status_code == 200,
    }


NOTHING = {
    "published": False, "identity": "d", "granted": False, "datasource": False, "scope": False, "pulls": 0,
    "tracked": False, "sink": False,
}  # fmt: skip
ALL = {**dict.fromkeys(NOTHING, True), "identity": "f", "pulls": 0}
