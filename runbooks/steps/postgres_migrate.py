"""Additive SQL in the source Postgres, and Sequin told of it."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait

PATIENT_WITH_S = 5  # a transaction older than this that holds a lock is waited for, not queued behind
AGAIN_S = 5.0


class PgField(BaseModel):
    """A column that must be there afterwards. ``type`` as ``format_type`` writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: str


class MigratePostgres(Step):
    """Expand the source table, first of all (facts/procedures.md §2.1). The SQL is idempotent and gives up after
    3 s of waiting for its lock: writers never queue behind it (facts/systems.md §2.2). An added column stays."""

    op: ClassVar[str] = "postgres.migrate/1"
    settle_s: ClassVar[float] = 5.0

    table: str
    fields: tuple[PgField, ...]
    sql: tuple[str, ...]

    def title(self) -> str:
        return f"Add {', '.join(f'{f.name} {f.type}' for f in self.fields)} to the Postgres table {self.table}"

    def reads(self) -> tuple[str, ...]:
        return (f"postgres/table/{self.table}/columns",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def look(self, at: Site) -> Seen:
        columns = at.postgres.columns(self.table)
        if not columns:
            return Astray(f"there is no table {self.table} in Postgres")
        for field in self.fields:
            if field.name in columns and columns[field.name].type != field.type:
                return Astray(
                    f"{self.table}.{field.name} is there already, as {columns[field.name].type}, not {field.type}"
                )
        if all(field.name in columns for field in self.fields):
            return Done(f"Postgres has {self.table}.{', '.join(field.name for field in self.fields)}.")
        blockers = [b for b in at.postgres.blockers(self.table) if b.age_s >= PATIENT_WITH_S]
        if blockers:
            return Wait(AGAIN_S, f"{self.table} is locked by {blockers[0]}; the migration does not queue behind it")
        return Todo()

    def act(self, at: Site) -> None:
        at.postgres.migrate(";\n".join(statement.rstrip().rstrip(";") for statement in self.sql))


class RefreshTables(Step):
    """Have Sequin read the catalog again: a backfill selects the columns it knows (facts/systems.md §1.6).
    It leaves no trace to look for, so an answer is what shows that it was done; doing it twice does no harm."""

    op: ClassVar[str] = "sequin.tables.refresh/1"

    database: str

    def title(self) -> str:
        return f"Have Sequin read the tables of {self.database} again"

    def look(self, at: Site) -> Seen:
        return Done("Sequin knows the new columns.") if at.answered else Todo()

    def act(self, at: Site) -> None:
        at.sequin.refresh_tables(self.database)


class RefreshAfter(RefreshTables):
    """The same, behind what was approved already: a column that is gone must not be selected."""

    op: ClassVar[str] = "sequin.tables.refresh-after/1"
    gated: ClassVar[bool] = False
