"""Checks what is sent to this Sequin, and applies it, by the rules of facts/systems.md §1.3."""

import re
from typing import Any

from sandbox.sequin import errors
from sandbox.sequin.model import STATUSES, Sink
from sandbox.sequin.store import Store

_NAME = re.compile(r"^[a-zA-Z0-9_\-.]+$")
_MECHANISMS = ("plain", "scram_sha_256", "scram_sha_512", "aws_msk_iam")
_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
_FUNCTIONS = ("transform", "routing", "filter", "enrichment")
_LISTS = ("include_schemas", "exclude_schemas", "include_tables", "exclude_tables")
_PLAIN = ("annotations", "actions", "timestamp_format", "max_retry_count", "load_shedding_policy", "message_grouping")
_IGNORED = ("active_backfill", "active_backfills", "message_kind", "consumer_start", "id", "inserted_at", "updated_at")
_IGNORED_TOO = ("account_id", "replication_slot_id", "sequence_id", "initial_backfill")
_KNOWN = {"name", "status", "batch_size", "database", "source", "tables", "table", "schema", "destination"}
_KNOWN.update(_FUNCTIONS, _PLAIN, _IGNORED, _IGNORED_TOO)
_DESTINATION = ("type", "hosts", "topic", "tls", "username", "password", "sasl_mechanism", "compression")

Body = dict[str, Any]


def check_keys(body: Body, known: set[str]) -> None:
    for key in body:
        if key not in known:
            raise errors.refused(f"Unknown field: {key}")


def create(store: Store, body: Body) -> Sink:
    """A new sink from a POST's body; the store is left as it was when it is refused."""
    check_keys(body, _KNOWN)
    if not isinstance(body.get("name"), str):
        raise errors.invalid({"name": ["can't be blank"]})
    if body.get("database") != store.database.name:
        raise errors.ApiError(404, {"summary": "No database found"})
    if "routing" not in body:
        raise errors.invalid({"sink": {"routing_mode": ["is required"]}})
    if not isinstance(body.get("destination"), dict):
        raise errors.invalid({"sink": ["is required"]})
    destination = _destination(body["destination"])
    sink = Sink(body["name"], destination["topic"], _source(store, body), destination, batch_size=1)
    _apply(store, sink, body)
    return sink


def update(store: Store, sink: Sink, body: Body) -> None:
    """A partial merge into ``sink``; nothing of it is applied when something is refused."""
    check_keys(body, _KNOWN)
    touches_source = any(key in body for key in ("source", "tables", "table", "initial_backfill"))
    if touches_source and body.get("database") != store.database.name:
        raise errors.ApiError(404, {"summary": "No database found"})
    source = _source(store, body) if touches_source else sink.source
    destination = _destination(body["destination"]) if "destination" in body else sink.destination
    _apply(store, sink, body)
    sink.source, sink.destination, sink.topic = source, destination, destination["topic"]


def _apply(store: Store, sink: Sink, body: Body) -> None:
    """Check everything first, then set it."""
    name = body.get("name", sink.name)
    other = store.sinks.get(name)
    if not _NAME.match(str(name)):
        raise errors.invalid({"name": ["must contain only alphanumeric characters, underscores, hyphens or dots"]})
    if other is not None and other is not sink:
        raise errors.invalid({"name": ["has already been taken"]})
    status = body.get("status", sink.status) or "active"
    if status not in STATUSES:
        raise errors.invalid({"status": ["is invalid"]})
    batch_size = body.get("batch_size", sink.batch_size)
    if not isinstance(batch_size, int) or not 1 <= batch_size <= 1000:
        raise errors.invalid({"batch_size": ["must be between 1 and 1000"]})
    for key in _FUNCTIONS:
        if key in body and body[key] not in (None, "none"):
            raise errors.refused(f"Function '{body[key]}' not found.")
    sink.name, sink.status, sink.batch_size = name, status, batch_size
    for key in _PLAIN:
        if key in body:
            setattr(sink, key, body[key])


def _source(store: Store, body: Body) -> dict[str, list[str] | None]:
    given = body.get("source") or {}
    if not isinstance(given, dict):
        raise errors.invalid({"source": ["is invalid"]})
    check_keys(given, set(_LISTS))
    source: dict[str, list[str] | None] = dict.fromkeys(_LISTS)
    for key in _LISTS:
        names = given.get(key)
        if names is None:
            continue
        if not isinstance(names, list) or not names:
            raise errors.invalid({"source": {key: ["should have at least 1 item(s)"]}})
        source[key] = [_full_name(str(name)) if key.endswith("tables") else str(name) for name in names]
    for kind in ("schemas", "tables"):
        if source[f"include_{kind}"] and source[f"exclude_{kind}"]:
            raise errors.invalid({"source": [f"include_{kind} and exclude_{kind} are mutually exclusive"]})
    for name in source["include_tables"] or []:
        if name not in store.catalog.tables:
            raise errors.refused(f"Table {name} not found")
    return source


def _full_name(name: str) -> str:
    return name if "." in name else f"public.{name}"


def _destination(given: Body) -> Body:
    check_keys(given, {*_DESTINATION, "aws_region", "aws_access_key_id", "aws_secret_access_key"})
    problems: dict[str, list[str]] = {}
    if given.get("type") != "kafka":
        raise errors.refused("This sandbox's Sequin has kafka destinations only.")
    if not given.get("hosts"):
        problems["hosts"] = ["can't be blank"]
    topic = given.get("topic")
    if not topic or len(str(topic)) > 255:
        problems["topic"] = ["can't be blank" if not topic else "should be at most 255 character(s)"]
    mechanism = given.get("sasl_mechanism")
    if mechanism is not None and mechanism not in _MECHANISMS:
        problems["sasl_mechanism"] = ["is invalid"]
    if given.get("username") and not mechanism:
        problems["sasl_mechanism"] = ["is required when username is set"]
    if given.get("compression", "none") not in _COMPRESSIONS:
        problems["compression"] = ["is invalid"]
    if problems:
        raise errors.invalid({"sink": problems})
    return {"tls": False, "compression": "none", **{key: value for key, value in given.items() if value is not None}}
