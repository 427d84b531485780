"""``set default``: what stands where a row brings no value, on both sides."""

from dataclasses import replace

from runbooks.changes.made import made
from runbooks.changes.postgres import NOT_KNOWN, column_of, migration, table_name
from runbooks.changes.target import existing
from runbooks.datafile import schema_sql
from runbooks.errors import Refused
from runbooks.facts.model import Column, Datasource, Facts, PgColumn, PgTable
from runbooks.fields import Where, shown, where
from runbooks.lineage import Lineage
from runbooks.proof.fields import ch_name, pg_name
from runbooks.questions import Count, Question, Rehearsal, count_of
from runbooks.request import SetDefault
from runbooks.strategies import Altered, PlannedChange, SourceDefault
from runbooks.strategies.parts import ALTER, NULLS
from runbooks.types import clickhouse, literals

HELD = "rows that hold the default"


def set_default(
    target: Datasource, change: SetDefault, facts: Facts, lineage: Lineage
) -> tuple[PlannedChange, list[str]]:
    place, column = where(target, facts), existing(target, change.name)
    source = column_of(column, place)
    default = _resolved(column, change.default, source)
    after = replace(column, default=default.clickhouse)
    same = after.default == column.default
    if same and (source is None or source.default is None or default.postgres is None):
        raise Refused(f"The default of `{column.name}` is {shown(column.default or 'none')} already.", change.default)
    sql = _sql(place, source, default.postgres)
    altered = Altered(target, replace(target, columns=tuple(after if c is column else c for c in target.columns)))
    planned = made(change.kind, _request(target.name, column, default), altered, place, facts, lineage)
    nulls = count_of(facts.answers, NULLS)
    planned = replace(
        planned,
        sql=sql,
        migration=migration(f"set_default_of_{column.name[:60]}_in_{target.name}", sql) if sql else None,
        source=_source(place.table, source, default.postgres),
        source_default=SourceDefault(source.name, source.type, default.postgres) if source and sql else None,
        refills=place.replicated and not same and (_some(facts, NULLS) or _some(facts, HELD)),
        questions=tuple(_questions(target, altered, column, source, place)) if not same else (),
    )
    return planned, _said(column, source, nulls)


def _resolved(column: Column, typed: str, source: PgColumn | None) -> literals.Default:
    kind = clickhouse.parse(column.type)
    if kind.nullable and typed.strip().upper() != "NULL":
        raise Refused(
            f"`{column.name}` is {column.type}: what Tinybird makes of a NULL beside a default is not certain. Ask for "
            f"`change field {column.name} to {kind.core} default …` instead.",
            column.name,
        )
    try:
        found = literals.resolve(kind, typed, source.type if source and source.type != NOT_KNOWN else None)
    except literals.BadDefault as exc:
        raise Refused(f"The default of `{column.name}` does not fit: {shown(str(exc))}.", typed) from exc
    truth = typed.strip().lower()
    guessed = source is not None and source.type == NOT_KNOWN and truth in ("true", "false")
    return replace(found, postgres=truth) if guessed else found


def _some(facts: Facts, key: str) -> bool:
    """Whether there are such rows; yes where they could not be counted."""
    return key in facts.answers and count_of(facts.answers, key) != 0


def _sql(place: Where, source: PgColumn | None, literal: str | None) -> tuple[str, ...]:
    if source is None or literal is None:
        return ()
    return (f"ALTER TABLE {table_name(place)} ALTER COLUMN {pg_name(source.name)} SET DEFAULT {literal};",)


def _source(table: PgTable | None, source: PgColumn | None, literal: str | None) -> PgTable | None:
    if table is None or source is None:
        return None
    changed = replace(source, default=literal or source.default)
    return replace(table, columns=tuple(changed if c.name == source.name else c for c in table.columns))


def _questions(
    target: Datasource, altered: Altered, column: Column, source: PgColumn | None, place: Where
) -> list[Question]:
    found: list[Question] = [Rehearsal(ALTER, target.name, schema_sql(altered.after.columns))]
    held = column.default or literals.implied(clickhouse.parse(column.type))
    if held is not None:
        of = f"SELECT toString(count()) AS _n FROM {ch_name(target.name)} WHERE {ch_name(column.name)} = {held}"
        found.append(Count(HELD, "tinybird", of))
    if source is not None and source.nullable:
        missing = f"SELECT count(*) FROM {table_name(place)} WHERE {pg_name(source.name)} IS NULL"
        found.append(Count(NULLS, "postgres", missing))
    return found


def _said(column: Column, source: PgColumn | None, nulls: int | None) -> list[str]:
    if source is None:
        return []
    if nulls:
        return [f"{column.name}: {nulls:,} rows are NULL in Postgres and take the new default in Tinybird"]
    return [f"{column.name}: values that are there stay; Postgres' own default changes for rows to come"]


def _request(name: str, column: Column, default: literals.Default) -> dict[str, object]:
    return {
        "kind": "migrate",
        "change": "set default",
        "datasource": name,
        "field": column.name,
        "default": default.clickhouse,
        "postgres_default": default.postgres,
    }
