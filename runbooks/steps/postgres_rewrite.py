"""A column of the source table gets another type: the one change that lies inside a hold (facts/procedures.md §2.1)."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps.postgres_columns import OfSourceTable
from runbooks.steps.standing import Standing
from runbooks.words import counted


class CheckValues(Step):
    """Right before anything is stopped: no row may hold a value that the new type does not take."""

    op: ClassVar[str] = "postgres.check-values/1"
    gated: ClassVar[bool] = False

    table: str
    column: str
    type: str
    sql: str  # counts the rows that do not fit

    def title(self) -> str:
        return f"Check that every value of {self.table}.{self.column} fits {self.type}"

    def look(self, at: Site) -> Seen:
        bad = int(at.postgres.read(self.sql)[0][0])
        if bad:
            return Astray(f"{counted(bad, 'row')} of {self.table} hold a {self.column} that is no {self.type}")
        return Done(f"Every value of {self.table}.{self.column} fits {self.type}.")


class RewriteColumn(OfSourceTable):
    """Rewrite the column while nothing is on its way: a rewrite emits no change, so rows come by the backfill.
    Nobody reads or writes the table meanwhile. All of it or nothing; it gives up after 3 s of waiting for its lock."""

    op: ClassVar[str] = "postgres.rewrite/1"

    column: str
    before: str
    after: str
    sql: str
    back: str
    fed: Standing  # the data source that the table feeds

    def title(self) -> str:
        return f"Make {self.table}.{self.column} {self.after} in Postgres, which is {self.before} there"

    def remember(self, at: Site) -> Step | None:
        return RewriteBack(
            table=self.table, column=self.column, before=self.before, after=self.after, sql=self.back, fed=self.fed
        )

    def look(self, at: Site) -> Seen:
        found = self._column(at, self.column)
        if isinstance(found, Astray):
            return found
        if found.type == self.after:
            return Done(f"{self.table}.{self.column} is {self.after} in Postgres.")
        if found.type != self.before:
            return Astray(f"{self.table}.{self.column} is {found.type} in Postgres, neither what it was nor the new")
        return self._locked(at) or Todo()

    def act(self, at: Site) -> None:
        at.postgres.migrate(self.sql)


class RewriteBack(OfSourceTable):
    """The old type again, as long as the old data source stands to take its values. Values that came meanwhile and
    that the old type cannot hold make it fail: then Postgres keeps the new type, and people are called."""

    op: ClassVar[str] = "postgres.rewrite-back/1"

    column: str
    before: str
    after: str
    sql: str
    fed: Standing

    def title(self) -> str:
        return f"Make {self.table}.{self.column} {self.before} in Postgres again, if the old {self.fed.name} stands"

    def look(self, at: Site) -> Seen:
        if self.fed.name in at.proven:
            return Done(f"{self.fed.name} is proven; {self.table}.{self.column} stays {self.after}.")
        found = self._column(at, self.column)
        if isinstance(found, Astray):
            return found
        stands = at.tinybird.datasource(self.fed.name)
        if stands is None or stands.id != self.fed.id:
            return Astray(f"{self.table}.{self.column} stays {self.after} in Postgres: the old {self.fed.name} is away")
        if found.type == self.before:
            return Done(f"{self.table}.{self.column} is {self.before} in Postgres, as it was.")
        return self._locked(at) or Todo()

    def act(self, at: Site) -> None:
        at.postgres.migrate(self.sql)
