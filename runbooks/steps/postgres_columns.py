"""What the source table gets or loses besides new columns."""

import re
from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.postgres_migrate import AGAIN_S, PATIENT_WITH_S
from systems.postgres_model import ColumnInfo

_CONSTANT = re.compile(r"\(?(?:'(?:[^']|'')*'|-?[\d.]+|true|false)\)?(?:::[\w\s.\"\[\](),]+)?")


class OfSourceTable(Step):
    """SQL that is idempotent and gives up after 3 s of waiting for its lock (facts/systems.md §2.2)."""

    settle_s: ClassVar[float] = 5.0

    table: str

    def reads(self) -> tuple[str, ...]:
        return (f"postgres/table/{self.table}/columns",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def _column(self, at: Site, name: str) -> ColumnInfo | Astray:
        columns = at.postgres.columns(self.table)
        if not columns:
            return Astray(f"there is no table {self.table} in Postgres")
        return columns.get(name) or Astray(f"there is no column {self.table}.{name} in Postgres")

    def _locked(self, at: Site) -> Wait | None:
        blockers = [b for b in at.postgres.blockers(self.table) if b.age_s >= PATIENT_WITH_S]
        if not blockers:
            return None
        return Wait(AGAIN_S, f"{self.table} is locked by {blockers[0]}; the migration does not queue behind it")


class SetSourceDefault(OfSourceTable):
    """Another default in Postgres: rows that are there keep their values."""

    op: ClassVar[str] = "postgres.default/1"

    column: str
    type: str
    default: str | None
    sql: tuple[str, ...]

    def title(self) -> str:
        return f"Make {self.default or 'NULL'} the default of {self.table}.{self.column} in Postgres"

    def look(self, at: Site) -> Seen:
        found = self._column(at, self.column)
        if isinstance(found, Astray):
            return found
        if self._is_so(at, found):
            return Done(f"The default of {self.table}.{self.column} in Postgres is {self.default or 'NULL'}.")
        return self._locked(at) or Todo()

    def act(self, at: Site) -> None:
        at.postgres.migrate("\n".join(self.sql))

    def _is_so(self, at: Site, found: ColumnInfo) -> bool:
        """Postgres writes a default in its own words, so it is asked itself; only a constant is safe to ask with."""
        if self.default is None or found.default is None:
            return self.default == found.default
        if not _CONSTANT.fullmatch(found.default):
            return False
        same = f"SELECT ({self.default})::text::{self.type} IS NOT DISTINCT FROM ({found.default})::text::{self.type}"
        return bool(at.postgres.read(same)[0][0])
