"""A copy that appends the newest collections every two hours and looks back three, as the estate's twin does, into a
table that keeps one row a key (facts/estate.md §3)."""

from typing import Any

from tests.support.sandbox import Sandbox

ASKED = "/tb migrate collections sort by name, id --strategy swap"
COPY, KEPT = "collections_lately_copy", "collections_lately"
LOOK_BACK_S, PERIOD_S = 3 * 3600, 2 * 3600
SQL = "SELECT id, name, slug, updatedAt FROM collections FINAL WHERE updatedAt > now() - INTERVAL 3 HOUR"


def make(sandbox: Sandbox) -> None:
    form = {
        "name": KEPT,
        "schema": "id String, name String, slug String, updatedAt DateTime64(3)",
        "engine": "ReplacingMergeTree",
        "engine_sorting_key": "id",
        "engine_ver": "updatedAt",
    }
    assert sandbox.tinybird.post("/v0/datasources", data=form).is_success
    node = {"name": "newest", "type": "copy", "sql": SQL, "target_datasource": KEPT, "mode": "append"}
    body: dict[str, Any] = {"name": COPY, "nodes": [node], "target_datasource": KEPT, "schedule_cron": "45 */2 * * *"}
    answer = sandbox.tinybird.post("/v0/pipes", json=body)
    assert answer.is_success, answer.text


def change(sandbox: Sandbox, name: str) -> None:
    """Somebody changes three collections and makes one new, by the platform's clock."""
    now = sandbox.clock.time()
    sandbox.pg(
        'UPDATE collections SET slug = slug || %s, "updatedAt" = to_timestamp(%s)'
        " WHERE id IN (SELECT id FROM collections ORDER BY id LIMIT 3)",
        [f"-{name}", now],
    )
    sandbox.pg(
        'INSERT INTO collections (name, slug, "createdAt", "updatedAt") SELECT %s, %s, t, t FROM to_timestamp(%s) t',
        [name, f"new-{name}", now],
    )


def missed(sandbox: Sandbox, *names: str) -> list[str]:
    """The slugs of Postgres with one of these words in them that the copy's target lacks."""
    there = {row["slug"] for row in sandbox.tb(f"SELECT slug FROM {KEPT} FINAL")}
    here = {row["slug"] for row in sandbox.pg("SELECT slug FROM collections")}
    assert all(any(name in slug for slug in here) for name in names)
    return sorted(slug for slug in here - there if any(name in slug for name in names))


def runs_own_pipes(sandbox: Sandbox) -> list[str]:
    names = (each["name"] for each in sandbox.tinybird.get("/v0/pipes").json()["pipes"])
    return [name for name in names if "_run_" in name]


def schedule(sandbox: Sandbox) -> str:
    return sandbox.tinybird.get(f"/v0/pipes/{COPY}").json()["schedule"]["status"]
