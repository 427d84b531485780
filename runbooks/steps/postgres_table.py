"""A table that a migration of the project makes: by the run, or by the deploy that the run waits for."""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from runbooks.site import Site
from runbooks.step import Astray, Done, Memo, Seen, Step, Todo, Wait
from systems.postgres_model import TableInfo

LOOK_AGAIN_S = 15.0
DEPLOY_S = 86_400  # people deploy by day


class PlannedColumn(BaseModel):
    """``type`` as ``format_type`` writes it. Its default is not compared: Postgres has its own words for one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: str
    nullable: bool


class PlannedTable(BaseModel):
    """``files`` are the migrations that make it, by their paths in the repository."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    columns: tuple[PlannedColumn, ...]
    key: tuple[str, ...]
    repository: str
    files: tuple[str, ...]

    @property
    def named(self) -> str:
        return " and ".join(path.rpartition("/")[2] for path in self.files)

    @property
    def guards(self) -> tuple[str, ...]:
        return (f"postgres/table/{self.table}/columns", f"postgres/table/{self.table}/replication")

    def found(self, at: Site) -> TableInfo | None:
        if not at.postgres.columns(self.table):
            return None
        return at.postgres.catalog(publication=at.names.publication, role=at.names.sequin_role).get(self.table)

    def judged(self, found: TableInfo) -> Done | Astray:
        apart = [*self.lacking(found), *self.otherwise(found)]
        if not apart:
            return Done(f"Postgres has the table {self.table}, as it is in {self.named}.")
        return Astray(
            f"{self.table} in Postgres is not as it is in {self.named}: {'; '.join(apart)}. Abort and ask again: the "
            "plan is then made from what is there"
        )

    def lacking(self, found: TableInfo) -> Iterator[str]:
        """What the migrations say and Postgres has not."""
        there = {column.name for column in found.columns}
        yield from (f"{c.name} ({c.type}) is not there" for c in self.columns if c.name not in there)
        if self.key and not found.primary_key:
            yield f"there is no primary key there, and {', '.join(self.key)} in the migration"

    def otherwise(self, found: TableInfo) -> Iterator[str]:
        planned = {column.name: column for column in self.columns}
        for column in found.columns:
            known = planned.get(column.name)
            if known is None:
                yield f"{column.name} ({column.type}) is there and not in the migration"
            elif known.type != column.type:
                yield f"{column.name} is {column.type} there and {known.type} in the migration"
            elif known.nullable != column.nullable:
                may = "may be NULL there and not in the migration"
                yield f"{column.name} {may if column.nullable else 'may not be NULL there and may in the migration'}"
        if found.primary_key and found.primary_key != self.key:
            planned_key = ", ".join(self.key) or "none"
            yield f"its primary key is {', '.join(found.primary_key)} there and {planned_key} in the migration"


class MakeTable(Step):
    """Run what of the migrations makes the table, in one transaction; all of it says IF NOT EXISTS. The deploy's own
    run of them finds that done, so the table stays whatever becomes of the run."""

    op: ClassVar[str] = "postgres.table.make/1"
    settle_s: ClassVar[float] = 5.0

    of: PlannedTable
    sql: tuple[str, ...]

    def title(self) -> str:
        return f"Make the Postgres table {self.of.table}, as it is in {self.of.named}"

    def reads(self) -> tuple[str, ...]:
        return (f"postgres/table/{self.of.table}/columns", *(f"github/file/{path}/blob" for path in self.of.files))

    def writes(self) -> tuple[str, ...]:
        return self.of.guards

    def look(self, at: Site) -> Seen:
        found = self.of.found(at)
        return Todo() if found is None else self.of.judged(found)

    def act(self, at: Site) -> None:
        at.postgres.migrate(";\n".join(self.sql))


class AwaitTable(Step):
    """Wait until the deploy has made the table. It may run one migration after another: a column that only lacks is
    waited for where there is more than one."""

    op: ClassVar[str] = "postgres.table.await/1"
    long: ClassVar[bool] = True
    gated: ClassVar[bool] = False

    of: PlannedTable
    patience_s: int = DEPLOY_S

    def title(self) -> str:
        return f"Wait until Postgres has the table {self.of.table}, by the deploy of {self.of.named}"

    def writes(self) -> tuple[str, ...]:
        return self.of.guards

    def look(self, at: Site) -> Seen:
        of, found = self.of, self.of.found(at)
        if found is None:
            return self._patient(
                at, f"Postgres has no table {of.table} before the deploy of {of.named} of {of.repository}"
            )
        lacking = [*of.lacking(found)]
        if lacking and len(of.files) > 1 and not [*of.otherwise(found)]:
            return self._patient(at, f"the deploy of {of.named} is not through: of {of.table}, {'; '.join(lacking)}")
        return of.judged(found)

    def _patient(self, at: Site, why: str) -> Seen:
        memo: Memo = {"since": at.now.isoformat(), **at.memo}
        if (at.now - datetime.fromisoformat(memo["since"])).total_seconds() > self.patience_s:
            waited = f"{self.patience_s // 3600} h were waited for it"
            return Astray(f"{why}, and {waited}; resuming waits as long again", memo={})
        return Wait(LOOK_AGAIN_S, why, memo=memo)
