"""Sequin's management API: sinks, backfills, the schema cache (facts/systems.md §1)."""

import json
from typing import Any, cast

from systems.http import Http, Manner, Wire, segment
from systems.permit import Permit
from systems.sequin_model import BackfillInfo, SinkInfo
from systems.shapes import Shape

SYSTEM = "sequin"


class Sequin:
    """One Sequin. Every method raises ``SystemsError``; those that change something ask the permit first."""

    def __init__(self, url: str, token: str, permit: Permit, *, wire: Wire | None = None) -> None:
        base = url.rstrip("/").removesuffix("/api") + "/api"
        manner = Manner(said=_said)
        self._http = Http(SYSTEM, base, token, permit, manner=manner, wire=wire)

    def permitted(self, permit: Permit) -> "Sequin":
        other = object.__new__(Sequin)
        other._http = self._http.permitted(permit)
        return other

    def close(self) -> None:
        self._http.close()

    def sinks(self) -> list[SinkInfo]:
        """All sinks in one call; there is no paging."""
        return [_sink(item) for item in Shape(SYSTEM, "GET /sinks", self._http.get("/sinks")).each("data")]

    def sink(self, name: str) -> SinkInfo:
        path = f"/sinks/{segment(name)}"
        return _sink(Shape(SYSTEM, f"GET {path}", self._http.get(path)))

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
    source = shape.inside("source")
    tables = source.plain("include_tables") or [t.text("name") for t in shape.each("tables")]
    return SinkInfo(
        id=shape.text("id"),
        name=str(shape.need("name")),
        database=shape.text("database"),
        status=shape.text("status"),
        health=health.text("status"),
        tables=tuple(str(table) for table in tables),
        topic=shape.inside("destination").text("topic"),
        batch_size=shape.number("batch_size") or 1,
        active_backfills=tuple(_backfill(item) for item in shape.each("active_backfills")),
        trouble=trouble,
    )


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
