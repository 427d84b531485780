"""A service data source whose lines change after they were written: only what is new since the last query is stored.

A line is stored again under its number when it changes; a view shows the last version of each, as the knobs have it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.clickhouse import ClickHouse


@dataclass(frozen=True)
class Shape:
    """How the lines are shown: with times that are off by ``skew_s``, times as text, columns left out."""

    skew_s: int = 0
    texts: bool = False
    without: frozenset[str] = frozenset()


class LogTable:
    def __init__(self, clickhouse: ClickHouse, name: str, columns: Mapping[str, str]) -> None:
        self._clickhouse = clickhouse
        self._name = f"tinybird.{name}"
        self._columns = columns
        self._turn = asyncio.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget all lines; the tables are gone or go."""
        self._waiting: list[tuple[datetime, dict[str, Any]]] = []
        self._version = 0
        self._shape: Shape | None = None  # of the view; None: there is none yet

    def put(self, line: int, row: Mapping[str, Any], at: datetime) -> None:
        """Line ``line`` reads ``row`` from ``at`` on, by the platform clock."""
        self._version += 1
        self._waiting.append((at, {"line": line, "version": self._version, **row}))

    async def bring_up(self, until: datetime, shape: Shape) -> None:
        """Show every line as it was at ``until``. Queries that come together wait for the same rows."""
        async with self._turn:
            if self._shape is None:
                await self._make()
            due = [row for at, row in self._waiting if at <= until]
            self._waiting = [waiting for waiting in self._waiting if waiting[0] > until]
            if due:
                await self._clickhouse.insert(f"{self._name}_lines", list(due[0]), due)
            if shape != self._shape:
                await self._show(shape)

    async def _make(self) -> None:
        columns = ", ".join(f"`{name}` {kind}" for name, kind in self._columns.items())
        await self._clickhouse.run(
            f"CREATE TABLE IF NOT EXISTS {self._name}_lines (line UInt64, version UInt64, {columns}) "
            "ENGINE = ReplacingMergeTree(version) ORDER BY line"
        )

    async def _show(self, shape: Shape) -> None:
        shown = [_shown(name, kind, shape) for name, kind in self._columns.items() if name not in shape.without]
        await self._clickhouse.run(
            f"CREATE OR REPLACE VIEW {self._name} AS SELECT {', '.join(shown)} FROM {self._name}_lines FINAL"
        )
        self._shape = shape


def _shown(name: str, kind: str, shape: Shape) -> str:
    value = f"`{name}`"
    if "DateTime" in kind and shape.skew_s:
        value = f"addSeconds({value}, {shape.skew_s})"
    if "DateTime" in kind and shape.texts:
        value = f"toString({value})"
    return f"{value} AS `{name}`"
