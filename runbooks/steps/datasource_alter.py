"""Columns added to a data source in place."""

import re
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from runbooks.datafile import schema_sql
from runbooks.facts import live
from runbooks.facts.model import Column
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from systems.tinybird_model import DatasourceInfo

_ADD_COLUMN = re.compile(r"^\s*ADD\s+COLUMN\s+(?:IF\s+NOT\s+EXISTS\s+)?`?(\w+)`?", re.IGNORECASE)


class NewColumn(BaseModel):
    """A column as ``facts.model.Column`` has it, in a form that is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: str
    jsonpath: str | None = None
    default: str | None = None
    codec: str | None = None

    @classmethod
    def of(cls, column: Column) -> "NewColumn":
        return cls(
            name=column.name, type=column.type, jsonpath=column.jsonpath, default=column.default, codec=column.codec
        )

    def column(self) -> Column:
        return Column(self.name, self.type, self.jsonpath, self.default, self.codec)


class AlterDatasource(Step):
    """Add columns. What is sent is the live schema plus the change, and the dry run must mean exactly the
    planned operations (facts/procedures.md §2.9). Classic cannot take a column away again, so nothing is
    put back: an added column with a default disturbs nobody."""

    op: ClassVar[str] = "tinybird.datasource.alter/1"
    settle_s: ClassVar[float] = 5.0

    name: str
    add: tuple[NewColumn, ...]

    def title(self) -> str:
        columns = ", ".join(f"{c.name} {c.type}" for c in self.add)
        return f"Add {columns} to the data source {self.name}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/schema",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def look(self, at: Site) -> Seen:
        found = at.tinybird.datasource(self.name)
        if found is None:
            return Astray(f"there is no data source {self.name}")
        there = {c.name: c for c in live.datasource(found).columns}
        for new in self.add:
            if new.name in there and _plain(there[new.name].type) != _plain(new.type):
                return Astray(f"{self.name}.{new.name} is there already, as {there[new.name].type}, not {new.type}")
        if all(new.name in there for new in self.add):
            return Done(f"{self.name} has {', '.join(new.name for new in self.add)}.")
        return self._rehearsed(at, found)

    def act(self, at: Site) -> None:
        found = at.tinybird.datasource(self.name)
        if found is not None:
            at.tinybird.alter(self.name, schema=self._schema(found), dry=False)

    def _rehearsed(self, at: Site, found: DatasourceInfo) -> Seen:
        """The dry run: the planned operations, all of them, and no other."""
        have = {c.name for c in found.columns}
        planned = sorted(new.name for new in self.add if new.name not in have)
        meant = at.tinybird.alter(self.name, schema=self._schema(found), dry=True)
        matches = [_ADD_COLUMN.match(operation) for operation in meant]
        if not all(matches) or sorted(m.group(1) for m in matches if m) != planned:
            return Astray(
                f"Tinybird would do something else to {self.name} than was planned: {'; '.join(meant) or 'nothing'}"
            )
        return Todo()

    def _schema(self, found: DatasourceInfo) -> str:
        columns = live.datasource(found).columns
        have = {c.name for c in columns}
        return schema_sql((*columns, *(new.column() for new in self.add if new.name not in have)))


def _plain(kind: str) -> str:
    return "".join(kind.split())
