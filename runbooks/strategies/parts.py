"""What strategies share: small values made from a change and facts."""

from collections.abc import Iterator

from runbooks.facts.model import Facts, PgColumn, PgTable
from runbooks.guards import digest_of_schema
from runbooks.proof.claims import Provable, provable
from runbooks.proof.fields import pg_name
from runbooks.step import Step
from runbooks.steps.datasource_alter import AlterDatasource, NewColumn
from runbooks.steps.datasource_modify import AddSkipIndex, SetColumnDefault
from runbooks.steps.postgres_columns import SetSourceDefault
from runbooks.steps.postgres_drop import DropColumns
from runbooks.steps.postgres_migrate import MigratePostgres, PgField, RefreshAfter
from runbooks.steps.postgres_rewrite import RewriteColumn
from runbooks.steps.prove import Prove
from runbooks.steps.standing import Grant, Standing
from runbooks.steps.tags import RestoreTags
from runbooks.strategies.change import Altered, PlannedChange, Retype

ALTER = "alter"  # keys of the questions that more than one strategy looks at: see runbooks/questions.py
NULLS = "nulls"
DUPLICATES = "rows that share a key"
MISFITS = "values that do not fit"
DEPENDENTS = "views and triggers"
MISFITS_OF = MISFITS + ": {}"  # of a new column that Postgres has filled already, by its name
REWRITE_BYTES_PER_S = 50_000_000  # assumed: what Postgres writes anew under its lock
CONNECT_ROWS_PER_S = 1_000.0  # assumed where it was not measured: 10 rows a POST, some 100 POSTs a second
RESTART_S = 20  # Sequin's sweep starts a backfill within 20 s (facts/systems.md §1.4)


def standing(change: PlannedChange, facts: Facts) -> Standing:
    """The target as it is, with the digest that its schema will have."""
    return Standing(
        name=change.name,
        id=change.target.before.id,
        planned=digest_of_schema(change.target.after),
        grants=grants(change.name, facts),
    )


def grants(name: str, facts: Facts) -> tuple[Grant, ...]:
    """Every scope that a token has on the data source, its filter included."""
    return tuple(
        Grant(token=token.name, scope=f"{kind}:{resource}")
        for token in facts.tokens
        for kind, resource in token.scopes
        if kind.startswith("DATASOURCES:") and resource and resource.partition(":")[0] == name
    )


def alteration(altered: Altered) -> AlterDatasource:
    return AlterDatasource(name=altered.before.name, add=tuple(NewColumn.of(column) for column in altered.added))


def alterations(altered: Altered) -> Iterator[Step]:
    """All that is changed in place: columns first, as an index may be on one of them."""
    if altered.added:
        yield alteration(altered)
    for column in altered.after.columns:
        old = altered.before.column(column.name)
        if old is not None and old.default != column.default:
            yield SetColumnDefault(name=altered.before.name, column=column.name, default=column.default)
    for index in altered.after.indexes:
        if index not in altered.before.indexes:
            yield AddSkipIndex.of(altered.before.name, index)


def new_in_postgres(change: PlannedChange) -> tuple[PgColumn, ...]:
    """The columns that the migration adds."""
    return tuple(
        PgColumn(field.column.name, field.pg_type, nullable=True, default=field.pg_default)
        for field in change.fields
        if field.pg_type and not field.in_postgres
    )


def migration(change: PlannedChange) -> MigratePostgres | None:
    """None if Postgres has the columns already."""
    fields = tuple(PgField(name=column.name, type=column.type) for column in new_in_postgres(change))
    if not fields or not change.sql:
        return None
    return MigratePostgres(table=change.table.name if change.table else change.name, fields=fields, sql=change.sql)


def migrations(change: PlannedChange) -> Iterator[Step]:
    """What Postgres gets before or beside the rest: nothing of it rewrites the table or takes anything away."""
    migrated = migration(change)
    if migrated:
        yield migrated
    if change.source_default and change.table:
        of = change.source_default
        yield SetSourceDefault(
            table=change.table.name, column=of.column, type=of.type, default=of.literal, sql=change.sql
        )


def proof(change: PlannedChange, columns: tuple[str, ...]) -> Provable | str:
    """What can be proven of the target afterwards, or why nothing can."""
    if change.table is None:
        return "Postgres was not asked"
    return provable(change.target.after, change.source or change.table, new_in_postgres(change), columns)


def prove(found: Provable) -> Prove:
    return Prove(claim=found.claim, span=found.span, not_proven=found.not_proven)


def proven(found: Provable | str) -> Iterator[Step]:
    """Nothing where Postgres was not asked: such a plan is only looked at."""
    if not isinstance(found, str):
        yield prove(found)


def contracted(change: PlannedChange) -> Iterator[Step]:
    """What nobody reads any more goes from Postgres, last of all (facts/procedures.md §2.1)."""
    if not change.dropped or change.table is None:
        return
    of = change.table
    yield DropColumns(table=of.name, schema_name=of.schema, columns=change.dropped, key=of.primary_key)
    if change.sink:
        yield RefreshAfter(database=change.sink.database)


def rewritten(of: Retype, source: PgTable, sql: str, fed: Standing) -> RewriteColumn:
    """``source`` is the table of Postgres, ``fed`` what stands in Tinybird."""
    name, table = pg_name(of.column), f"{pg_name(source.schema)}.{pg_name(source.name)}"
    drop = f"ALTER COLUMN {name} DROP DEFAULT, " if of.default is not None else ""
    again = f", ALTER COLUMN {name} SET DEFAULT {of.default_before}" if of.default_before is not None else ""
    return RewriteColumn(
        table=source.name,
        column=of.column,
        before=of.before,
        after=of.after,
        sql=sql,
        back=f"ALTER TABLE {table} {drop}ALTER COLUMN {name} TYPE {of.before} USING {of.back}{again};",
        fed=fed,
    )


def backfill_s(change: PlannedChange, facts: Facts) -> tuple[int, str]:
    """How long a backfill of the target takes, with the formula."""
    rows = (change.table.rows if change.table else None) or change.target.before.rows
    if rows is None and change.table is None:
        return RESTART_S, f"rows that nobody counted, and {RESTART_S} s until it starts"
    return filling(rows or 0, facts)


def filling(rows: int, facts: Facts) -> tuple[int, str]:
    """The same for so many rows."""
    rate = facts.limits.connect_rows_per_s or CONNECT_ROWS_PER_S
    known = "measured" if facts.limits.connect_rows_per_s else "assumed"
    seconds = round(RESTART_S + rows / rate)
    return seconds, f"{rows:,} rows / {rate:,.0f} a second ({known}) + {RESTART_S} s until it starts"


def tagged_again(change: PlannedChange) -> Iterator[Step]:
    if change.target.before.tags:
        yield RestoreTags(table=change.name, tags=change.target.before.tags)
