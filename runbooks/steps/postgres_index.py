"""Keys and indexes of a source table that replication needs: none of them stops a writer."""

from typing import ClassVar

from runbooks.proof.fields import pg_name
from runbooks.site import Site
from runbooks.step import Astray, Done, Progress, Seen, Step, Todo, Wait
from runbooks.steps.postgres_migrate import AGAIN_S, PATIENT_WITH_S

LOOK_AGAIN_S = 5.0
NAME_BYTES = 63  # what Postgres takes of a name
TRIES = 3


def index_name(table: str, columns: tuple[str, ...]) -> str:
    """As the estate names them: ``ix_members_updatedAt_id`` (facts/estate.md §4a)."""
    return f"ix_{table}_{'_'.join(columns)}".encode()[:NAME_BYTES].decode(errors="ignore")


def _unfinished(at: Site, name: str) -> Seen | None:
    """None once the index is there and whole."""
    found = at.postgres.index(name)
    if found is None:
        return Todo()
    if found.valid:
        return None
    if found.blocks_done is not None:
        progress = Progress(found.blocks_done, found.blocks_total, "blocks")
        return Wait(LOOK_AGAIN_S, f"Postgres builds {name}", progress)
    if at.answered >= 2 * TRIES:
        return Astray(f"{name} was built {TRIES} times and is not valid: Postgres ended it each time")
    return Todo(f"{name} was not finished and is dropped before it is built again")


def _build(at: Site, schema: str, name: str, statement: str) -> None:
    found = at.postgres.index(name)
    if found is None:
        at.postgres.begin(statement)
    elif not found.valid and found.blocks_done is None:
        at.postgres.begin(f"DROP INDEX CONCURRENTLY IF EXISTS {pg_name(schema)}.{pg_name(name)};")


class CreateIndex(Step):
    """Build an index beside the writers. It may take hours, so Postgres goes on with it by itself; one that failed
    stays invalid and is dropped before it is built again."""

    op: ClassVar[str] = "postgres.index.create/1"
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 5.0

    schema_name: str = "public"
    table: str
    columns: tuple[str, ...]
    feeds: str  # the data source that it is for

    @property
    def name(self) -> str:
        return index_name(self.table, self.columns)

    @property
    def statement(self) -> str:
        listed = ", ".join(pg_name(column) for column in self.columns)
        on = f"{pg_name(self.schema_name)}.{pg_name(self.table)}"
        return f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {pg_name(self.name)} ON {on} ({listed});"

    def title(self) -> str:
        return f"Build an index of {self.table} on {', '.join(self.columns)} beside its writers"

    def remember(self, at: Site) -> Step | None:
        return DropIndex(schema_name=self.schema_name, table=self.table, name=self.name, feeds=self.feeds)

    def look(self, at: Site) -> Seen:
        return _unfinished(at, self.name) or Done(f"{self.table} has an index that begins with {self.columns[0]}.")

    def act(self, at: Site) -> None:
        _build(at, self.schema_name, self.name, self.statement)


class DropIndex(Step):
    """The way back of an index, where the table it was for did not come to be replicated."""

    op: ClassVar[str] = "postgres.index.drop/1"
    settle_s: ClassVar[float] = 5.0

    schema_name: str
    table: str
    name: str
    feeds: str

    def title(self) -> str:
        return f"Drop the index {self.name} again"

    def look(self, at: Site) -> Seen:
        if self.feeds in at.proven:
            return Done(f"{self.table} is replicated and proven: its index {self.name} stays.")
        if at.postgres.index(self.name) is None:
            return Done(f"{self.table} has its indexes of before.")
        return Todo()

    def act(self, at: Site) -> None:
        at.postgres.begin(f"DROP INDEX CONCURRENTLY IF EXISTS {pg_name(self.schema_name)}.{pg_name(self.name)};")


class AddPrimaryKey(Step):
    """Make a unique index the primary key: Sequin reads no table without one (facts/systems.md §1.4). At once, as
    nothing is built under a lock: an index that is a constraint's own cannot become the key, so another one is built
    beside the writers first. The key stays whatever becomes of the run."""

    op: ClassVar[str] = "postgres.primary-key.add/1"
    settle_s: ClassVar[float] = 5.0

    schema_name: str = "public"
    table: str
    columns: tuple[str, ...]

    @property
    def quoted(self) -> str:
        return f"{pg_name(self.schema_name)}.{pg_name(self.table)}"

    @property
    def name(self) -> str:
        return index_name(self.table, (*self.columns, "key"))

    def title(self) -> str:
        return f"Make {', '.join(self.columns)} the primary key of the Postgres table {self.table}"

    def look(self, at: Site) -> Seen:
        table = at.postgres.catalog(publication=at.names.publication, role=at.names.sequin_role).get(self.table)
        if table is None:
            return Astray(f"there is no table {self.table} in Postgres")
        if table.primary_key == self.columns:
            return Done(f"The primary key of {self.table} is {', '.join(self.columns)}.")
        if table.primary_key:
            return Astray(f"{self.table} has another primary key already: {', '.join(table.primary_key)}")
        if at.postgres.unique_index(self.table, self.columns) is None:
            if self.columns not in table.unique:
                return Astray(f"the unique index of {self.table} on {', '.join(self.columns)} is gone")
            return _unfinished(at, self.name) or Astray(f"{self.name} cannot become the primary key of {self.table}")
        blockers = [b for b in at.postgres.blockers(self.table) if b.age_s >= PATIENT_WITH_S]
        if blockers:
            return Wait(AGAIN_S, f"{self.table} is locked by {blockers[0]}; the change does not queue behind it")
        return Todo()

    def act(self, at: Site) -> None:
        index = at.postgres.unique_index(self.table, self.columns)
        if index is not None:
            named = pg_name(index)
            at.postgres.migrate(f"ALTER TABLE {self.quoted} ADD CONSTRAINT {named} PRIMARY KEY USING INDEX {named};")
            return
        listed = ", ".join(pg_name(column) for column in self.columns)
        new = f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {pg_name(self.name)} ON {self.quoted} ({listed});"
        _build(at, self.schema_name, self.name, new)
