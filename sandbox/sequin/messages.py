"""What Sequin puts into a topic: one JSON message a change or a backfilled row (facts/systems.md §1.8)."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.sequin.catalog import Table
from sandbox.sequin.encode import to_json
from sandbox.sequin.pgoutput import Change, Relation, Transaction, Unchanged, Value

Record = dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """Whose message it is: the sink and the database, as they stand in ``metadata``."""

    sink_id: str
    sink_name: str
    database_id: str
    database_name: str
    source: str


@dataclass(frozen=True)
class Message:
    key: bytes
    value: bytes


def of_change(origin: Origin, transaction: Transaction, index: int, key: tuple[str, ...]) -> Message:
    """The message of one change; ``key`` names the primary key's columns."""
    change = transaction.changes[index]
    record, changes = _shape(change)
    body = {"record": record, "changes": changes, "action": change.action}
    mark = f"{transaction.commit_lsn}:{index}"
    return _message(
        origin,
        body,
        (change.relation.schema, change.relation.name),
        [str(record.get(name)) for name in key],
        (transaction.committed_at, transaction.commit_lsn, index),
        mark,
    )


def of_row(
    origin: Origin, table: Table, row: tuple[str | None, ...], at: tuple[datetime, int, int], backfill: str
) -> Message:
    """The message of a row that a backfill read; ``at`` is the watermark's time, LSN and index."""
    record = {name: to_json(value, oid) for (name, oid), value in zip(table.columns, row, strict=True)}
    keys = [str(record[name]) for name in table.key]
    body = {"record": record, "changes": None, "action": "read"}
    return _message(origin, body, (table.schema, table.name), keys, at, f"{backfill}:{':'.join(keys)}")


def _shape(change: Change) -> tuple[Record, Record | None]:
    """The record and, of an update, the old values of what changed (empty without identity FULL)."""
    relation, old, new = change.relation, change.old, change.new
    if new is None:
        return _record(relation, old or {}), None
    if old is not None and relation.identity == "f":
        # an unchanged wide value stands in the old row
        new = {name: old[name] if isinstance(value, Unchanged) else value for name, value in new.items()}
    record = _record(relation, new)
    if change.action == "insert":
        return record, None
    if old is None or relation.identity != "f":
        return record, {}
    return record, {name: value for name, value in _record(relation, old).items() if value != record[name]}


def _record(relation: Relation, values: dict[str, Value]) -> Record:
    return {
        column.name: to_json(values[column.name], column.type_oid)
        for column in relation.columns
        if column.name in values
    }


def _message(
    origin: Origin,
    body: Record,
    table: tuple[str, str],
    keys: list[str],
    at: tuple[datetime, int, int],
    mark: str,
) -> Message:
    time, lsn, index = at
    body["metadata"] = {
        "table_schema": table[0],
        "table_name": table[1],
        "commit_timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "commit_lsn": lsn,
        "commit_idx": index,
        "record_pks": keys,
        "idempotency_key": base64.b64encode(mark.encode()).decode(),
        "database_name": origin.database_name,
        "consumer": {"id": origin.sink_id, "name": origin.sink_name, "annotations": {}},
        "database": {
            "id": origin.database_id,
            "name": origin.database_name,
            "annotations": {},
            "database": origin.source,
            "hostname": "127.0.0.1",
        },
        "transaction_annotations": None,
        "enrichment": None,
    }
    return Message(":".join(keys).encode(), json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
