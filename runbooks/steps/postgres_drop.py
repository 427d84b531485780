"""Columns of the source table that nobody reads any more (facts/procedures.md §2.1)."""

from typing import ClassVar

from runbooks.proof.fields import pg_name
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Todo
from runbooks.steps.postgres_columns import OfSourceTable

LONGEST = 63  # bytes; Postgres cuts a longer name


class DropColumns(OfSourceTable):
    """Values and key go into a table of their own and the column away, in one transaction: what somebody writes a
    moment before is kept too, because writers wait. Nothing brings the column back but that table."""

    op: ClassVar[str] = "postgres.drop-columns/1"
    destructive: ClassVar[bool] = True

    schema_name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def title(self) -> str:
        kept = ", ".join(kept_values(self.table, column, None) for column in self.columns)
        return f"Drop {', '.join(self.columns)} from the Postgres table {self.table}; the values are kept in {kept}"

    def look(self, at: Site) -> Seen:
        found = at.postgres.columns(self.table)
        if not found:
            return Astray(f"there is no table {self.table} in Postgres")
        if not any(column in found for column in self.columns):
            kept = ", ".join(kept_values(self.table, column, at.run) for column in self.columns)
            return Done(f"{self.table} has no {', '.join(self.columns)} any more; the values are in {kept}.")
        return self._locked(at) or Todo()

    def act(self, at: Site) -> None:
        found = at.postgres.columns(self.table)
        table = self._named(self.table)
        statements = [f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"]
        for column in (name for name in self.columns if name in found):
            kept = self._named(kept_values(self.table, column, at.run))
            both = ", ".join(pg_name(name) for name in (*self.key, column))
            statements.append(f"CREATE TABLE {kept} AS SELECT {both} FROM {table}")
            statements.append(f"ALTER TABLE {table} DROP COLUMN {pg_name(column)}")
        at.postgres.migrate(";\n".join(statements))

    def _named(self, table: str) -> str:
        return f"{pg_name(self.schema_name)}.{pg_name(table)}"


def kept_values(table: str, column: str, run: int | None) -> str:
    """The table that keeps the values of a dropped column; ``run`` None: of a run that has no number yet."""
    end = f"__{column}_before_run_{'…' if run is None else run}"
    return table[: max(LONGEST - len(end.encode()), 1)] + end
