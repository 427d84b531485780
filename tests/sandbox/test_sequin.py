"""Sequin answers and behaves as facts/systems.md §1 has it."""

import pytest

from tests.support.sandbox import Json, Sandbox

pytestmark = pytest.mark.integration

SINK = "/api/sinks/members_sink"


def test_without_a_good_token_nothing_is_told(sandbox: Sandbox) -> None:
    for header, words in (("", "Please provide"), ("Bearer wrong", "invalid or has expired")):
        answer = sandbox.sequin.get("/api/sinks", headers={"Authorization": header})
        assert answer.status_code == 401
        assert words in answer.json()["summary"]


def test_a_change_needs_the_json_content_type(sandbox: Sandbox) -> None:
    answer = sandbox.sequin.post(f"{SINK}/backfills")
    assert (answer.status_code, answer.json()["summary"]) == (400, "Content-Type: application/json is required")


def test_sinks_show_their_health_only_when_asked(sandbox: Sandbox) -> None:
    sinks = sandbox.sequin.get("/api/sinks").json()["data"]
    assert {"members_sink", "activityRelations_sink"} <= {sink["name"] for sink in sinks}
    assert all(sink["health"]["status"] == "healthy" for sink in sinks)
    assert "health" not in sandbox.set_sink("members_sink", "active")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"health": {}}, 422, "Unknown field: health"),
        ({"status": "resting"}, 422, "Validation failed"),
        ({"filter": ""}, 422, "Function '' not found."),
        ({"source": {"include_tables": ["members"]}}, 404, "No database found"),
        ({"batch_size": 0}, 422, "Validation failed"),
    ],
)
def test_a_wrong_change_is_refused_and_nothing_is_changed(
    sandbox: Sandbox, body: Json, status: int, words: str
) -> None:
    before = sandbox.sink("members_sink")
    answer = sandbox.sequin.patch(SINK, json={"status": "paused", **body})
    assert (answer.status_code, answer.json()["summary"]) == (status, words)
    assert sandbox.sink("members_sink") == before


def test_a_sink_is_created_with_200_and_its_password_masked(sandbox: Sandbox) -> None:
    destination = {
        "type": "kafka",
        "hosts": "kafka:9092",
        "topic": "repositories",
        "username": "u",
        "password": "abcdefghijklm",
    }
    body = {
        "name": "repositories_sink",
        "database": "cm-local",
        "source": {"include_tables": ["public.repositories"]},
        "destination": {**destination, "sasl_mechanism": "plain"},
    }
    refused = sandbox.sequin.post("/api/sinks", json=body)
    assert refused.json()["validation_errors"] == {"sink": {"routing_mode": ["is required"]}}
    answer = sandbox.sequin.post("/api/sinks", json={**body, "routing": "none"})
    assert answer.status_code == 200
    assert answer.json()["destination"]["password"] == "abc*********m"
    assert answer.json()["batch_size"] == 1
    assert sandbox.sequin.delete("/api/sinks/repositories_sink").json()["deleted"] is True


def test_a_sink_without_its_topic_says_so_and_keeps_its_rows(sandbox: Sandbox) -> None:
    sandbox.set_sink("members_sink", "active")
    answer = sandbox.sequin.patch(
        "/api/sinks/segments_sink",
        json={"destination": {"type": "kafka", "hosts": sandbox.ready["kafka"], "topic": "nowhere"}},
    )
    assert answer.status_code == 200
    sandbox.pg("UPDATE segments SET description = 'x' WHERE slug = 'solo-1'")
    seen = sandbox.until(lambda: [c for c in sandbox.sink("segments_sink")["health"]["checks"] if "error" in c])
    assert seen[0]["error"] == "Topic 'nowhere' does not exist"


def test_backfills_are_one_at_a_time_and_end_by_their_transitions(sandbox: Sandbox) -> None:
    sandbox.set_sink("members_sink", "paused")
    backfill = sandbox.backfill("members_sink")
    assert (backfill["state"], backfill["rows_initial_count"]) == ("active", None)
    again = sandbox.sequin.post(f"{SINK}/backfills", json={})
    assert again.status_code == 422
    assert again.json()["validation_errors"] == {"sink_consumer_id": ["already has an active backfill"]}
    path = f"{SINK}/backfills/{backfill['id']}"
    assert sandbox.sequin.delete(path).status_code == 404
    cancelled = sandbox.sequin.patch(path, json={"state": "cancelled"}).json()
    assert cancelled["canceled_at"] is not None
    back = sandbox.sequin.patch(path, json={"state": "active"})
    assert back.json()["validation_errors"]["state"] == [
        "Invalid state transition from cancelled to active. Valid transitions: none"
    ]


def test_a_backfill_does_not_finish_while_its_sink_is_paused(sandbox: Sandbox) -> None:
    """facts/systems.md §1.5: waiting for it before the resume is a deadlock."""
    sandbox.set_sink("members_sink", "paused")
    started = sandbox.backfill("members_sink")
    sandbox.until(lambda: sandbox.backfill("members_sink", started["id"])["rows_initial_count"] == 5_000)
    sandbox.clock.advance(3600)
    stuck = sandbox.backfill("members_sink", started["id"])
    assert (stuck["state"], stuck["rows_processed_count"]) == ("active", 0)
    assert sandbox.messages("members") == []
    sandbox.set_sink("members_sink", "active")
    sandbox.until(lambda: sandbox.backfill("members_sink", started["id"])["state"] == "completed")
    done = sandbox.backfill("members_sink", started["id"])
    assert done["rows_processed_count"] >= 5_000
    assert done["completed_at"] is not None
    sandbox.until(lambda: len({m["record"]["id"] for m in sandbox.messages("members")}) == 5_000, patience_s=30)


def test_a_new_column_is_backfilled_only_after_refresh_tables(sandbox: Sandbox) -> None:
    sandbox.pg("ALTER TABLE collections ADD COLUMN motto text DEFAULT 'semper'")
    without = sandbox.backfill("collections_sink")
    sandbox.until(lambda: sandbox.backfill("collections_sink", without["id"])["state"] == "completed")
    sandbox.until(lambda: len(sandbox.messages("collections")) == 20)
    assert all("motto" not in message["record"] for message in sandbox.messages("collections"))
    assert sandbox.sequin.post("/api/postgres_databases/cm-local/refresh_tables", json={}).json() == {"success": True}
    sandbox.backfill("collections_sink")
    sandbox.until(lambda: len(sandbox.messages("collections")) == 40)
    assert sum(message["record"].get("motto") == "semper" for message in sandbox.messages("collections")) == 20


def test_the_shape_of_the_messages(sandbox: Sandbox) -> None:
    row = sandbox.pg(
        'UPDATE "insightsProjects" SET keywords = %s, "updatedAt" = %s WHERE slug = %s RETURNING id::text AS id',
        (["a,b", 'c"d', "NULL"], "2026-06-02 03:04:05.6+00", "projekt-3"),
    )[0]
    message = sandbox.until(lambda: sandbox.messages("insightsProjects"))[0]
    assert message["action"] == "update"
    assert message["record"]["keywords"] == ["a,b", 'c"d', "NULL"]
    assert message["record"]["updatedAt"] == "2026-06-02T03:04:05.600000Z"
    assert message["record"]["enabled"] is True
    assert set(message["changes"]) == {"keywords", "updatedAt"}
    assert message["metadata"]["record_pks"] == [row["id"]]


def test_without_full_identity_old_values_are_missing(sandbox: Sandbox) -> None:
    row = sandbox.pg('SELECT id::text AS id FROM "collectionsInsightsProjects" LIMIT 1')[0]
    sandbox.pg('UPDATE "collectionsInsightsProjects" SET starred = NOT starred WHERE id = %s', (row["id"],))
    sandbox.pg('DELETE FROM "collectionsInsightsProjects" WHERE id = %s', (row["id"],))
    sandbox.until(lambda: len(sandbox.messages("collectionsInsightsProjects")) == 2)
    updated, deleted = sandbox.messages("collectionsInsightsProjects")
    assert updated["changes"] == {}
    assert deleted["record"] == {"id": row["id"]}


def test_an_unchanged_wide_value_is_not_known_without_full_identity(sandbox: Sandbox) -> None:
    sandbox.pg("ALTER TABLE collections REPLICA IDENTITY DEFAULT")
    sandbox.pg("ALTER TABLE collections ALTER description SET STORAGE EXTERNAL")
    row = sandbox.pg(
        "UPDATE collections SET description = repeat('wide', 5000) WHERE slug = 'collection-1' RETURNING id"
    )[0]
    sandbox.pg("UPDATE collections SET starred = NOT starred WHERE id = %s", (row["id"],))
    messages = sandbox.until(lambda: m if len(m := sandbox.messages("collections")) == 2 else None)
    assert messages is not None
    assert messages[1]["record"]["description"] == "unchanged_toast"


def test_a_full_buffer_stops_every_sink_of_the_slot(sandbox: Sandbox) -> None:
    sandbox.knobs(sequin__buffer_messages=5)
    sandbox.set_sink("members_sink", "paused")
    sandbox.pg("UPDATE members SET score = 3 WHERE id IN (SELECT id FROM members LIMIT 10)")
    sandbox.until(lambda: sandbox.sink("organizations_sink")["health"]["status"] == "error")
    sandbox.pg("UPDATE organizations SET size = '1-10' WHERE employees > 80000")
    lag = "SELECT pg_current_wal_lsn() - confirmed_flush_lsn AS bytes FROM pg_replication_slots WHERE slot_name = %s"
    assert sandbox.pg(lag, ("sequin_slot",))[0]["bytes"] > 0
    assert sandbox.messages("organizations") == []
    sandbox.set_sink("members_sink", "active")
    sandbox.until(lambda: len(sandbox.messages("members")) == 10 and sandbox.messages("organizations"))


def test_a_restart_of_the_slot_can_deliver_old_shapes_again(sandbox: Sandbox) -> None:
    sandbox.knobs(sequin__redeliver_on_restart=1)
    sandbox.pg("UPDATE collections SET name = 'old' WHERE slug = 'collection-1'")
    sandbox.until(lambda: len(sandbox.messages("collections")) == 1)
    sandbox.pg("ALTER TABLE collections ADD COLUMN motto text DEFAULT 'semper'")
    sandbox.set_sink("members_sink", "active")
    messages = sandbox.until(lambda: m if len(m := sandbox.messages("collections")) == 2 else None)
    assert messages is not None
    assert messages[1] == messages[0]
