"""Rows into data sources: JSON by paths, CSV by name; what does not fit is quarantined (facts/tinybird.md §7)."""

import asyncio
import csv
import io
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.clickhouse import ClickHouseError
from sandbox.tinybird.model import Datasource, stamp
from sandbox.tinybird.schema import Column
from sandbox.tinybird.service import ServiceLogs
from sandbox.tinybird.tables import ensure_quarantine
from sandbox.tinybird.values import MISSING, Misfit, at_path, converter, takes_null
from sandbox.tinybird.workspace import DB, Workspace


@dataclass(frozen=True)
class Bad:
    """A row that does not fit: its values as text, and for each wrong column the reason."""

    values: dict[str, str | None]
    errors: dict[str, str]


@dataclass
class Batch:
    columns: list[str]
    good: list[dict[str, Any]]
    bad: list[Bad]


@dataclass
class _Later:
    """A batch that was accepted and is not visible yet."""

    due: datetime
    source_id: str
    batch: Batch


class Ingest:
    """Applies rows in the order in which they come; one insert a batch."""

    def __init__(self, workspace: Workspace, logs: ServiceLogs) -> None:
        self._workspace = workspace
        self._logs = logs
        self._later: list[_Later] = []
        self._order = asyncio.Lock()

    def clear(self) -> None:
        self._later.clear()

    def mapped(self, source: Datasource, rows: Iterable[Any]) -> Batch:
        """The rows by the source's JSON paths, as the events API sees them now."""
        stale = self._workspace.state.stale.get(source.name)
        columns = source.columns
        if stale and stale.until > self._workspace.now():
            columns = tuple(column for column in stale.columns if source.column(column.name))
        null_to_default = bool(self._workspace.knob("null_takes_default"))
        return map_rows(columns, rows, null_to_default=null_to_default)

    async def write(self, source: Datasource, batch: Batch, *, event: str, at_once: bool) -> None:
        """Store a batch, at once or when the knob says that it becomes visible."""
        delay = self._workspace.number("events_visible_after_s")
        if delay > 0 and not at_once:
            self._later.append(_Later(self._workspace.now() + timedelta(seconds=delay), source.id, batch))
        else:
            await self._flush([later for later in self._later if later.source_id == source.id])
            await self._store(source, batch)
        self._logs.operation(source, event, rows=len(batch.good), quarantined=len(batch.bad))

    async def tick(self) -> None:
        """Make visible what is due."""
        now = self._workspace.now()
        await self._flush([later for later in self._later if later.due <= now])

    async def _flush(self, due: list[_Later]) -> None:
        for later in due:
            self._later.remove(later)
        for later in due:
            source = self._workspace.source(later.source_id)
            if source is not None:
                await self._store(source, later.batch)

    async def _store(self, source: Datasource, batch: Batch) -> None:
        table = f"{DB}.`{source.name}`"
        async with self._order:
            try:
                await self._workspace.clickhouse.insert(table, batch.columns, batch.good)
            except ClickHouseError:
                await self._one_by_one(source, table, batch)
            await self._quarantine(source, batch)

    async def _one_by_one(self, source: Datasource, table: str, batch: Batch) -> None:
        """ClickHouse refused the batch as a whole: find the rows that it means."""
        good: list[dict[str, Any]] = []
        for row in batch.good:
            try:
                await self._workspace.clickhouse.insert(table, batch.columns, [row])
                good.append(row)
            except ClickHouseError as exc:
                values = {name: None if value is None else str(value) for name, value in row.items()}
                batch.bad.append(Bad(values, {"": str(exc)}))
        batch.good = good

    async def _quarantine(self, source: Datasource, batch: Batch) -> None:
        if not batch.bad:
            return
        name = await ensure_quarantine(self._workspace, source)
        import_id = str(uuid.uuid4())
        rows = [
            {
                **{name: value for name, value in bad.values.items() if source.column(name)},
                "c__error_column": list(bad.errors),
                "c__error": list(bad.errors.values()),
                "c__import_id": import_id,
                "insertion_date": stamp(self._workspace.now())[:19],
            }
            for bad in batch.bad
        ]
        extra = ["c__error_column", "c__error", "c__import_id", "insertion_date"]
        await self._workspace.clickhouse.insert(f"{DB}.`{name}`", [c.name for c in source.columns] + extra, rows)


def map_rows(columns: tuple[Column, ...], rows: Iterable[Any], *, null_to_default: bool) -> Batch:
    plan = [_Plan(column, null_to_default) for column in columns]
    batch = Batch([column.name for column in columns], [], [])
    for row in rows:
        good: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for one in plan:
            one.put(row, good, errors)
        if errors:
            batch.bad.append(Bad({one.name: one.raw(row) for one in plan}, errors))
        else:
            batch.good.append(good)
    return batch


class _Plan:
    """How one column takes its value from a row."""

    def __init__(self, column: Column, null_to_default: bool) -> None:
        self.name = column.name
        self._path = column.jsonpath or f"$.{column.name}"
        self._convert = converter(column.type)
        self._null = takes_null(column.type)
        self._default = column.default is not None
        self._null_to_default = null_to_default and self._default

    def put(self, row: Any, good: dict[str, Any], errors: dict[str, str]) -> None:
        value = at_path(row, self._path)
        if value is MISSING or value is None:
            if value is None and self._null:
                good[self.name] = None
            elif not (self._default and (value is MISSING or self._null_to_default)) and not self._null:
                errors[self.name] = "Invalid empty value" if value is MISSING else "Null values are not accepted"
            return
        try:
            good[self.name] = self._convert(value)
        except Misfit as exc:
            errors[self.name] = str(exc)

    def raw(self, row: Any) -> str | None:
        value = at_path(row, self._path)
        if value is MISSING or value is None:
            return None
        return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def read_ndjson(body: bytes) -> list[Any]:
    """The rows of an NDJSON body. ValueError when a line is not JSON."""
    return [json.loads(line) for line in body.split(b"\n") if line.strip()]


def csv_rows(source: Datasource, text: str) -> list[dict[str, Any]]:
    """CSV by position, or by its header when the first line names the columns; empty means missing."""
    records = list(csv.reader(io.StringIO(text)))
    names = [column.name for column in source.columns]
    if records and set(records[0]) <= set(names):
        names, records = records[0], records[1:]
    return [
        {name: value for name, value in zip(names, record, strict=False) if value != ""} for record in records if record
    ]


def by_name(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns without their JSON paths: CSV maps by name."""
    return tuple(Column(column.name, column.type, None, column.default) for column in columns)
