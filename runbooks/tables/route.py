"""A table's way from Postgres to Tinybird, as it is now: what of it is there and what is lacking."""

from dataclasses import dataclass

from runbooks.errors import Refused
from runbooks.facts.model import Datasource, Facts, PgColumn, PgTable, Sink
from runbooks.fields import nearest, root_of
from runbooks.proof.claims import Provable, provable
from runbooks.request import Replicate
from runbooks.steps.append_scope import APPEND
from runbooks.tables.derived import ROOT, Derived, datasource_of, version_of
from runbooks.tables.given import Given, given

NEW_VERSION = PgColumn("updatedAt", "timestamp with time zone", nullable=False, default="now()")


@dataclass(frozen=True)
class Route:
    """``name`` is the topic's and the data source's (facts/estate.md §5). ``standing`` is the data source where there
    is one already; ``made`` what it is or will be. ``like`` is the Sequin sink that the new one is made like. With
    ``given`` the table is not in Postgres yet: it is what migrations of the project make."""

    table: PgTable
    name: str
    key: tuple[str, ...]
    version: PgColumn
    made: Datasource
    said: tuple[str, ...]
    proof: Provable
    standing: Datasource | None
    sink: Sink | None
    like: Sink | None
    given: Given | None = None

    @property
    def sink_name(self) -> str:
        return self.sink.name if self.sink else f"{self.name}_sink"

    @property
    def lacks_version(self) -> bool:
        return self.table.column(self.version.name) is None

    @property
    def lacks_key(self) -> bool:
        return not self.table.primary_key

    @property
    def lacks_index(self) -> bool:
        """A backfill reads page by page in the order of the version (facts/estate.md §4a)."""
        return not any(index[:1] == (self.version.name,) for index in self.table.indexes)

    @property
    def published(self) -> bool:
        return self.table.identity == "f" and self.table.published and self.table.granted


def route_of(job: Replicate, facts: Facts) -> Route:
    """Raises ``Refused`` where the table cannot be replicated, or not under that name."""
    table, making = _table(job.table, facts)
    name = job.datasource or job.table
    key = table.primary_key or _unique(table)
    version = version_of(table) or NEW_VERSION
    derived = datasource_of(_with(table, version), name, version, key)
    standing = facts.datasources.get(name)
    made = _as_it_stands(standing, name) if standing else derived.datasource
    return Route(
        table=table,
        name=name,
        key=key,
        version=version,
        made=made,
        said=(*_said(derived, standing), *_said_of(making)),
        proof=_proof(made, table, version),
        standing=standing,
        sink=_sink(name, table, facts),
        like=next((s for s in facts.sinks.values() if s.status == "active" and s.topic != name), None),
        given=making,
    )


def tracked(route: Route, facts: Facts) -> bool:
    return facts.connector is not None and route.name in facts.connector.topics


def may_append(route: Route, facts: Facts) -> bool:
    """Whether the connector's token may append to the data source."""
    held = {scope for token in facts.tokens if token.name == facts.connect_token for scope in token.scopes}
    return bool({("ADMIN", None), (APPEND, None), (APPEND, route.name)} & held)


def _table(name: str, facts: Facts) -> tuple[PgTable, Given | None]:
    if facts.tables is None:
        raise Refused("Postgres was not asked: `replicate` begins with what its catalog says (`--dsn`).")
    table = facts.tables.get(name)
    if table is None:
        made = given(name, facts)
        if made is None:
            raise _nowhere(name, facts)
        return made.table, made
    if not table.owned:
        raise Refused(
            f"The role that tbops uses in Postgres does not own `{name}`, so it may not change its replica identity.",
            name,
        )
    return table, None


def _nowhere(name: str, facts: Facts) -> Refused:
    """Every place that was looked at, and the nearest name."""
    near = nearest(name, facts.tables or {})
    held, project = facts.history, facts.names.project
    elsewhere, then = "", "run the migration that makes it first"
    if held is not None and project is not None:
        where = f"of {project.repository} in {project.migrations}"
        elsewhere = f", and no migration {where} makes one"
        if held.trouble:
            elsewhere = f", and whether a migration {where} makes one is not known ({held.trouble})"
            then = "ask again when GitHub answers"
    hint = f"; did you mean `{near}`?" if near else f"; {then}."
    return Refused(f"There is no table `{name}` in Postgres{elsewhere}{hint}", name, near)


def _unique(table: PgTable) -> tuple[str, ...]:
    """A key that a unique index could give; Sequin reads no table without one (facts/systems.md §1.4)."""
    if table.partitioned:
        raise Refused(
            f"`{table.name}` has no primary key and is partitioned, and no index of a partitioned table can be made "
            "one. Give it a key first (ALTER TABLE … ADD PRIMARY KEY): Sequin could not backfill it.",
            table.name,
        )
    for columns in table.unique:
        known = [table.column(column) for column in columns]
        if all(column is not None and not column.nullable for column in known):
            return columns
    raise Refused(
        f"`{table.name}` has no primary key, and no unique index over columns that are never NULL could become one: "
        "Sequin could not backfill it and rows could not be told apart. Give it a key first.",
        table.name,
    )


def _with(table: PgTable, version: PgColumn) -> PgTable:
    if table.column(version.name) is not None:
        return table
    return PgTable(table.schema, table.name, (*table.columns, version), table.primary_key)


def _as_it_stands(standing: Datasource, name: str) -> Datasource:
    """A data source that somebody made already is taken as it is, if it is one that Sequin's messages fit."""
    if root_of(standing) != ROOT or not standing.engine.startswith("Replacing"):
        raise Refused(
            f"There is a data source `{name}` that is not fed from Postgres: its columns are not read from `{ROOT}` or "
            "its engine is no ReplacingMergeTree. `replicate … as <name>` takes another name.",
            name,
        )
    return standing


def _proof(made: Datasource, table: PgTable, version: PgColumn) -> Provable:
    added = () if table.column(version.name) else (version,)
    found = provable(made, table, added, tuple(column.name for column in made.columns))
    if isinstance(found, str):
        raise Refused(f"What `{made.name}` takes from `{table.name}` could not be proven: {found}.", made.name)
    return found


def _said(derived: Derived, standing: Datasource | None) -> tuple[str, ...]:
    if standing is None:
        return derived.said
    return (f"the data source {standing.name} is there already and is left as it is",)


def _said_of(made: Given | None) -> tuple[str, ...]:
    if made is None:
        return ()
    return (f"Postgres has no {made.table.name} yet: its columns and keys are those of {made.named}",)


def _sink(name: str, table: PgTable, facts: Facts) -> Sink | None:
    of_topic = facts.sink_of(name)
    found = of_topic or facts.sinks.get(f"{name}_sink")
    if found is None:
        return None
    wanted = f"{table.schema}.{table.name}"
    if found.table not in (wanted, table.name) or found.topic != name:
        raise Refused(
            f"The Sequin sink `{found.name}` sends `{found.table}` to the topic `{found.topic}`, not `{wanted}` to "
            f"`{name}`: one of them would be taken for the other.",
            found.name,
        )
    return found
