"""Sequin's management API: sinks, backfills, the schema cache (facts/systems.md §1)."""

import json
from dataclasses import dataclass, field
from typing import Any, cast

from systems.errors import NotPermitted, SystemsError
from systems.http import Http, Manner, Wire, segment
from systems.permit import Permit
from systems.redact import redact
from systems.sequin_model import BackfillInfo, KafkaTarget, SinkInfo, SinkSpec
from systems.shapes import Shape

SYSTEM = "sequin"
_FUNCTIONS = ("filter", "transform", "routing", "enrichment")
_NONE = (None, "", "none")


@dataclass(frozen=True)
class KafkaLogin:
    """By which a new sink writes to Kafka, where a name is needed: tbops.toml's own."""

    username: str
    password: str = field(repr=False)


class Sequin:
    """One Sequin. Every method raises ``SystemsError``; those that change something ask the permit first."""

    def __init__(
        self, url: str, token: str, permit: Permit, *, wire: Wire | None = None, login: KafkaLogin | None = None
    ) -> None:
        self._login = login
        base = url.rstrip("/").removesuffix("/api") + "/api"
        manner = Manner(said=_said)
        self._http = Http(SYSTEM, base, token, permit, manner=manner, wire=wire)

    def permitted(self, permit: Permit) -> "Sequin":
        other = object.__new__(Sequin)
        other._http = self._http.permitted(permit)
        other._login = self._login
        return other

    def close(self) -> None:
        self._http.close()

    def sinks(self) -> list[SinkInfo]:
        """All sinks in one call; there is no paging."""
        return [_sink(item) for item in Shape(SYSTEM, "GET /sinks", self._http.get("/sinks")).each("data")]

    def sink(self, name: str) -> SinkInfo:
        path = f"/sinks/{segment(name)}"
        return _sink(Shape(SYSTEM, f"GET {path}", self._http.get(path)))

    def find_sink(self, name: str) -> SinkInfo | None:
        """None if there is none of that name."""
        try:
            return self.sink(name)
        except SystemsError as error:
            if error.status == 404:
                return None
            raise

    def create_sink(self, spec: SinkSpec) -> SinkInfo:
        """A sink that sends the table's changes from now on; its rows come by a backfill. Restarts the slot, with every
        sink on it. 422 where the name is taken: ``is_name_taken``."""
        call = "POST /sinks"
        password = self._password(spec, call)
        body: dict[str, Any] = {
            "name": spec.name,
            "status": "active",
            "database": spec.database,
            "source": {"include_tables": [spec.table]},
            "destination": _destination(spec, password),
            "routing": "none",  # without the key Sequin refuses a Kafka sink (§1.3)
            "transform": "none",
            "filter": "none",
            "batch_size": spec.batch_size,  # its own default is 1
            "actions": list(spec.actions),
            "timestamp_format": spec.timestamp_format,
            "message_grouping": spec.message_grouping,
        }
        try:
            return _sink(Shape(SYSTEM, call, self._http.change("POST", "/sinks", body=body)))
        except NotPermitted:
            raise
        except SystemsError as error:
            said = redact(error.said, [password] if password else [])
            raise SystemsError(SYSTEM, call, status=error.status, retryable=error.retryable, said=said) from None

    def delete_sink(self, sink: str) -> None:
        """With its backfills and with what it has not sent yet. Restarts the slot."""
        self._http.change("DELETE", f"/sinks/{segment(sink)}")

    def _password(self, spec: SinkSpec, call: str) -> str | None:
        """Sequin shows none that it knows, so that it must be ours."""
        user = spec.target.username
        if not user:
            return None
        if self._login is None or self._login.username != user or not self._login.password:
            known = f"kafka.username is {self._login.username}" if self._login else "tbops.toml has no kafka.username"
            said = f"nothing was sent: the sinks write to Kafka as {user}, whose password is not known here ({known})"
            raise SystemsError(SYSTEM, call, said=said)
        return self._login.password

    def set_status(self, sink: str, status: str) -> None:
        """``active`` or ``paused``; idempotent, but each call restarts the slot, with every sink on it (§1.5)."""
        self._http.change("PATCH", f"/sinks/{segment(sink)}", body={"status": status})

    def backfills(self, sink: str) -> list[BackfillInfo]:
        """Newest first."""
        path = f"/sinks/{segment(sink)}/backfills"
        return [_backfill(item) for item in Shape(SYSTEM, f"GET {path}", self._http.get(path)).each("data")]

    def backfill(self, sink: str, backfill: str) -> BackfillInfo:
        path = f"/sinks/{segment(sink)}/backfills/{segment(backfill)}"
        return _backfill(Shape(SYSTEM, f"GET {path}", self._http.get(path)))

    def create_backfill(self, sink: str, table: str) -> BackfillInfo:
        """A whole-table backfill of ``public.members``. 422 when one is open: ``is_open_backfill``."""
        path = f"/sinks/{segment(sink)}/backfills"
        return _backfill(Shape(SYSTEM, f"POST {path}", self._http.change("POST", path, body={"table": table})))

    def cancel_backfill(self, sink: str, backfill: str) -> None:
        """By PATCH: there is no DELETE (§1.1)."""
        self._http.change("PATCH", f"/sinks/{segment(sink)}/backfills/{segment(backfill)}", body={"state": "cancelled"})

    def refresh_tables(self, database: str) -> None:
        """Read the catalog again, before it answers: without it a backfill may leave a new column out (§1.6)."""
        self._http.change("POST", f"/postgres_databases/{segment(database)}/refresh_tables", body={})


def _sink(shape: Shape) -> SinkInfo:
    health = shape.inside("health")
    trouble = next((c.text("error") for c in health.each("checks") if c.text("error")), "")
    source, target = shape.inside("source"), shape.inside("destination")
    tables = source.plain("include_tables") or [t.text("name") for t in shape.each("tables")]
    return SinkInfo(
        id=shape.text("id"),
        name=str(shape.need("name")),
        database=shape.text("database"),
        status=shape.text("status"),
        health=health.text("status"),
        tables=tuple(str(table) for table in tables),
        topic=target.text("topic"),
        batch_size=shape.number("batch_size") or 1,
        active_backfills=tuple(_backfill(item) for item in shape.each("active_backfills")),
        trouble=trouble,
        kind=target.text("type"),
        target=KafkaTarget(
            hosts=target.text("hosts"),
            tls=bool(target.get("tls")),
            username=target.text("username"),
            mechanism=target.text("sasl_mechanism"),
            compression=target.text("compression", "none"),
        ),
        functions=tuple(f"{key} {shape.get(key)}" for key in _FUNCTIONS if shape.get(key) not in _NONE),
        actions=tuple(str(action) for action in shape.plain("actions")) or ("insert", "update", "delete"),
        timestamp_format=shape.text("timestamp_format", "iso8601"),
        message_grouping=shape.get("message_grouping") is not False,
    )


def _destination(spec: SinkSpec, password: str | None) -> dict[str, Any]:
    target = spec.target
    optional = {"username": target.username, "password": password, "sasl_mechanism": target.mechanism}
    return {
        "type": "kafka",
        "hosts": target.hosts,
        "topic": spec.topic,
        "tls": target.tls,
        "compression": target.compression,
        **{key: value for key, value in optional.items() if value},
    }


def _backfill(shape: Shape) -> BackfillInfo:
    return BackfillInfo(
        id=str(shape.need("id")),
        state=str(shape.need("state")),
        table=shape.text("table"),
        rows_total=shape.number("rows_initial_count"),
        rows_done=shape.number("rows_processed_count") or 0,
        inserted_at=shape.text("inserted_at"),
    )


def _said(body: Any) -> str:
    """``summary``, then ``validation_errors``, then ``errors.detail`` (§1.7)."""
    if not isinstance(body, dict):
        return ""
    fields = cast(dict[str, Any], body)
    errors = fields.get("validation_errors")
    detail = cast(dict[str, Any], fields.get("errors") or {}).get("detail", "")
    summary = str(fields.get("summary") or detail or "")
    return f"{summary}: {json.dumps(errors)}" if errors else summary
