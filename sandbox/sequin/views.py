"""Sinks and backfills as the API shows them (facts/systems.md §1.2, §1.4)."""

from datetime import datetime
from typing import Any

from sandbox.sequin.model import Backfill, Sink
from sandbox.sequin.store import Store

_SECRET_KEYS = ("password", "aws_secret_access_key", "aws_access_key_id")


def sink(store: Store, one: Sink, *, health: bool) -> dict[str, Any]:
    """``health`` is in the answers to GET only."""
    shown: dict[str, Any] = {
        "id": one.id,
        "name": one.name,
        "database": store.database.name,
        "status": one.status,
        "source": one.source,
        "tables": [],
        "actions": one.actions,
        "destination": {key: mask(str(v)) if key in _SECRET_KEYS else v for key, v in one.destination.items()},
        "batch_size": one.batch_size,
        "filter": one.filter,
        "transform": one.transform,
        "routing": one.routing,
        "enrichment": one.enrichment,
        "timestamp_format": one.timestamp_format,
        "active_backfills": [backfill(item) for item in store.open_backfills(one)],
        "max_retry_count": one.max_retry_count,
        "load_shedding_policy": one.load_shedding_policy,
        "message_grouping": one.message_grouping,
        "annotations": one.annotations,
    }
    if health:
        shown["health"] = _health(store, one)
    return shown


def backfill(one: Backfill) -> dict[str, Any]:
    return {
        "id": one.id,
        "sink_consumer": one.sink.name,
        "state": one.state,
        "table": one.table,
        "sort_column": None,
        "rows_initial_count": one.rows_initial_count,
        "rows_processed_count": one.rows_processed_count,
        "rows_ingested_count": one.rows_ingested_count,
        "completed_at": stamp(one.completed_at),
        "canceled_at": stamp(one.canceled_at),
        "inserted_at": stamp(one.inserted_at),
        "updated_at": stamp(one.updated_at),
    }


def database(store: Store) -> dict[str, Any]:
    one = store.database
    return {
        "id": one.id,
        "name": one.name,
        "hostname": "127.0.0.1",
        "port": one.port,
        "database": one.source,
        "username": "sequin",
        "password": mask("sequin"),
        "ssl": False,
        "ipv6": False,
        "use_local_tunnel": False,
        "pool_size": 10,
        "primary": None,
        "replication_slots": [
            {"id": one.slot_id, "slot_name": "sequin_slot", "publication_name": "sequin_pub", "status": "active"}
        ],
    }


def mask(secret: str) -> str:
    """Five letters or fewer: all hidden; up to nine: first and last shown; longer: first three and last one."""
    if len(secret) <= 5:
        return "*" * len(secret)
    if len(secret) <= 9:
        return secret[0] + "*" * (len(secret) - 2) + secret[-1]
    return secret[:3] + "*" * min(20, len(secret) - 4) + secret[-1]


def stamp(when: datetime | None) -> str | None:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


def _health(store: Store, one: Sink) -> dict[str, Any]:
    """Paused and disabled both count as paused; otherwise the worst check decides."""
    checks: list[dict[str, str]] = [{"name": "Sink configuration", "status": "healthy"}]
    checks.append({"name": "Message filtering", "status": "healthy"})
    ingestion = {"name": "Message ingestion", "status": "healthy"}
    if store.blocked:
        ingestion.update(
            status="error", error="A sink's buffer is full; replication is paused for all sinks on the slot."
        )
    checks.append(ingestion)
    waiting = len(one.buffer)
    pending = {"name": "Messages pending delivery", "status": "warning" if waiting > 10_000 else "healthy"}
    if waiting > 10_000:
        pending["error"] = f"{waiting} messages wait for their delivery"
    checks.append(pending)
    delivery = {"name": "Message delivery", "status": "error" if one.error else "healthy"}
    if one.error:
        delivery["error"] = one.error
    checks.append(delivery)
    worst = next((level for level in ("error", "warning") if any(c["status"] == level for c in checks)), "healthy")
    return {
        "name": "Consumer health",
        "status": "paused" if one.status != "active" else worst,
        "checks": checks,
    }
