"""What is changed of a data source in place without a new column: a default, an index."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from runbooks.datafile import schema_sql
from runbooks.facts import live
from runbooks.facts.model import Datasource, Index
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo

_OF_SCHEMA = re.compile(
    r"\s*(?:ADD|DROP|RENAME|CLEAR|MATERIALIZE|(?:MODIFY|ALTER|REMOVE)\s+(?:COLUMN|TTL|ORDER|SETTING|INDEX))\b",
    re.IGNORECASE,
)


class _Modify(Step):
    """What is sent is the live schema plus the change, and the dry run must mean that one change (facts/procedures.md
    §2.9). Nothing is put back: what stands afterwards disturbs nobody, and the next plan finds it."""

    settle_s: ClassVar[float] = 5.0

    name: str

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/schema",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def look(self, at: Site) -> Seen:
        info = at.tinybird.datasource(self.name)
        if info is None:
            return Astray(f"there is no data source {self.name}")
        found = live.datasource(info)
        seen = self._stands(found)
        if seen is not None:
            return seen
        meant = self._sent(at, found, dry=True)
        if len(meant) != 1 or not self._is_meant(meant[0]):
            return Astray(
                f"Tinybird would do something else to {self.name} than was planned: {'; '.join(meant) or 'nothing'}"
            )
        return Todo()

    def act(self, at: Site) -> None:
        info = at.tinybird.datasource(self.name)
        if info is not None:
            self._sent(at, live.datasource(info), dry=False)

    def _stands(self, found: Datasource) -> Seen | None:
        """Done or astray from the schema alone; None: it is to be done."""
        raise NotImplementedError

    def _sent(self, at: Site, found: Datasource, *, dry: bool) -> list[str]:
        raise NotImplementedError

    def _is_meant(self, operation: str) -> bool:
        raise NotImplementedError


class SetColumnDefault(_Modify):
    """Rows to come take it; so do old parts that never had the column, which the plan takes into account."""

    op: ClassVar[str] = "tinybird.datasource.default/1"

    column: str
    default: str | None  # an SQL expression; None takes it away

    def title(self) -> str:
        if self.default is None:
            return f"Take the default of {self.name}.{self.column} away"
        return f"Make {self.default} the default of {self.name}.{self.column}"

    def _stands(self, found: Datasource) -> Seen | None:
        column = found.column(self.column)
        if column is None:
            return Astray(f"{self.name} has no column {self.column}")
        if (column.default or "").strip() != (self.default or "").strip():
            return None
        return Done(f"The default of {self.name}.{self.column} is {self.default or 'none'}.")

    def _sent(self, at: Site, found: Datasource, *, dry: bool) -> list[str]:
        columns = (replace(c, default=self.default) if c.name == self.column else c for c in found.columns)
        return at.tinybird.alter(self.name, schema=schema_sql(columns), dry=dry)

    def _is_meant(self, operation: str) -> bool:
        return bool(re.match(rf"\s*(?:MODIFY|ALTER)\s+COLUMN\s+`?{re.escape(self.column)}`?(?!\w)", operation, re.I))


class AddSkipIndex(_Modify):
    """A skip index beside those that are there."""

    op: ClassVar[str] = "tinybird.datasource.index/1"

    index: str
    expression: str
    type: str
    granularity: str = "1"

    @classmethod
    def of(cls, name: str, index: Index) -> "AddSkipIndex":
        return cls(
            name=name, index=index.name, expression=index.expression, type=index.type, granularity=index.granularity
        )

    def title(self) -> str:
        return f"Add the {self.type} index {self.index} on {self.expression} to {self.name}"

    def _stands(self, found: Datasource) -> Seen | None:
        there = next((i for i in found.indexes if i.name == self.index), None)
        if there is None:
            return None
        if (_squeezed(there.expression), _squeezed(there.type)) != (_squeezed(self.expression), _squeezed(self.type)):
            return Astray(f"{self.name} has an index {self.index} already, on {there.expression} of type {there.type}")
        return Done(f"{self.name} has the index {self.index}.")

    def _sent(self, at: Site, found: Datasource, *, dry: bool) -> list[str]:
        lines = index_lines((*found.indexes, Index(self.index, self.expression, self.type, self.granularity)))
        return at.tinybird.alter(self.name, schema=schema_sql(found.columns), dry=dry, indexes=lines)

    def _is_meant(self, operation: str) -> bool:
        return bool(re.match(rf"\s*ADD\s+(?:INDEX\s+)?`?{re.escape(self.index)}`?(?!\w)", operation, re.I))


class DescribeDatasource(_Modify):
    """What people read about a data source. How Tinybird words that operation is not known: none may be about the
    schema."""

    op: ClassVar[str] = "tinybird.datasource.describe/1"

    description: str

    def title(self) -> str:
        if not self.description:
            return f"Take the description of {self.name} away"
        return f"Write the description of {self.name}"

    def look(self, at: Site) -> Seen:
        info = at.tinybird.datasource(self.name)
        if info is None:
            return Astray(f"there is no data source {self.name}")
        found = live.datasource(info)
        if lines_of(found.description) == lines_of(self.description):
            return Done(f"{self.name} is described as in git.")
        if at.answered:
            return Done(f"Tinybird took the description of {self.name} and does not show it so.")
        other = [operation for operation in self._sent(at, found, dry=True) if not self._is_meant(operation)]
        if other:
            return Astray(f"Tinybird would do something else to {self.name} than was planned: {'; '.join(other)}")
        return Todo()

    def _sent(self, at: Site, found: Datasource, *, dry: bool) -> list[str]:
        return at.tinybird.alter(self.name, schema=schema_sql(found.columns), dry=dry, description=self.description)

    def _is_meant(self, operation: str) -> bool:
        return not _OF_SCHEMA.match(operation)


def lines_of(text: str) -> list[str]:
    """A description without layout, which a datafile does not keep."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def index_lines(indexes: Iterable[Index]) -> str:
    """Indexes as the API takes them, one a line."""
    return "\n".join(f"{i.name} {i.expression} TYPE {i.type} GRANULARITY {i.granularity}" for i in indexes)


def _squeezed(text: str) -> str:
    return "".join(text.split())
