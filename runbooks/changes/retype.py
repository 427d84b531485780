"""``change field … to``: another type, in Tinybird alone where Postgres' own can stay, else on both sides."""

from dataclasses import replace
from typing import Any

from runbooks.changes.casts import back, carries, kept_in, misfits, using
from runbooks.changes.made import made
from runbooks.changes.postgres import NOT_KNOWN, bound_to, column_of, dependents, migration, table_name
from runbooks.changes.target import existing
from runbooks.errors import Refused
from runbooks.facts.model import Column, Datasource, Facts, PgColumn, PgTable
from runbooks.fields import Where, shown, typed, where
from runbooks.lineage import Lineage
from runbooks.proof.fields import ch_name, pg_literal, pg_name
from runbooks.questions import Count, Question
from runbooks.request import ChangeType, NewField
from runbooks.strategies import Altered, PlannedChange, Retype
from runbooks.strategies.parts import DEPENDENTS, MISFITS, REWRITE_BYTES_PER_S
from runbooks.types import clickhouse, literals
from runbooks.types.clickhouse import Type

REWRITE_S = 15  # under the lock; a call to Postgres may last 20 s


def change_type(
    target: Datasource, change: ChangeType, facts: Facts, lineage: Lineage
) -> tuple[PlannedChange, list[str]]:
    place, column = where(target, facts), existing(target, change.name)
    source = column_of(column, place)
    kind, pg_type = _wanted(change, column, source)
    default = _default(change, column, kind, pg_type or (source.type if source else None))
    after = replace(column, type=str(kind), default=default.clickhouse)
    _check(target, column, after, source, pg_type)
    retype = _retype(source, pg_type, default if change.default is not None else None)
    if retype and place.table:
        _check_size(place.table, facts)
    sql = (_statement(place, retype),) if retype else ()
    columns = tuple(after if c is column else c for c in target.columns)
    altered = Altered(target, replace(target, columns=columns))
    request = _request(target.name, after, retype)
    planned = replace(
        made(change.kind, request, altered, place, facts, lineage),
        sql=sql,
        migration=migration(f"change_{column.name[:60]}_in_{target.name}", sql) if sql else None,
        source=_source(place.table, retype),
        retype=retype,
        questions=tuple(_questions(target, column, kind, source, retype, place)),
    )
    return planned, _said(column, after, source, retype)


def _wanted(change: ChangeType, column: Column, source: PgColumn | None) -> tuple[Type, str | None]:
    """The type in Tinybird, and the one in Postgres if that must change too. Words of Postgres mean both sides, and
    leave it as it is whether there can be a NULL."""
    kind, pg_type = typed(NewField(name=change.name, type=change.type, default=change.default))
    try:
        clickhouse.parse(change.type)
    except ValueError:
        core = kind.core if change.default is None else kind
        nullable = clickhouse.parse(column.type).nullable and change.default is None and not core.is_array
        kind = Type("Nullable", (str(core),)) if nullable else core
        return kind, pg_type if source and pg_type != source.type else None
    if source is None or source.type == NOT_KNOWN or carries(source.type, kind):
        return kind, None
    if pg_type is None:
        raise Refused(f"`{change.name}` cannot be {kind}: Postgres has no type for it, and its own is {source.type}.")
    return kind, pg_type


def _default(change: ChangeType, column: Column, kind: Type, pg_type: str | None) -> literals.Default:
    if change.default is not None:
        try:
            return literals.resolve(kind, change.default, pg_type)
        except literals.BadDefault as exc:
            raise Refused(f"The default of `{column.name}` does not fit: {shown(str(exc))}.", change.default) from exc
    if kind.nullable or (column.default is None and not clickhouse.parse(column.type).nullable):
        return literals.Default(None, None)
    try:
        return literals.resolve(kind, column.default)
    except literals.BadDefault:
        return literals.Default(literals.implied(kind), None)


def _check(target: Datasource, column: Column, after: Column, source: PgColumn | None, pg_type: str | None) -> None:
    if replace(after, default=column.default) == column and pg_type is None:
        raise Refused(f"`{column.name}` is {column.type} already.", after.type)
    if _squeezed(after.type) == _squeezed(column.type):
        raise Refused(
            f"`{column.name}` is {column.type} in Tinybird already, and stays so when Postgres has {pg_type}: change "
            "Postgres by a migration of its own.",
            after.type,
        )
    part = bound_to(target, column.name)
    if part and (pg_type or clickhouse.parse(after.type).nullable or part == "version"):
        raise Refused(f"`{column.name}` is part of the {part} of `{target.name}`: its type cannot change.", column.name)
    if clickhouse.parse(column.type).is_array != clickhouse.parse(after.type).is_array:
        raise Refused(
            f"`{column.name}` is read from {column.jsonpath}, and a list is read from another path than one value: add "
            "a new field, and remove this one when nobody reads it.",
            after.type,
        )
    if pg_type and source and using(source.name, source.type, pg_type) is None:
        raise Refused(f"Postgres makes no {pg_type} of {source.type}: add a new field instead.", after.type)


def _check_size(table: PgTable, facts: Facts) -> None:
    """A rewrite lets nobody read or write the table, and passes on no change (facts/procedures.md §2.1)."""
    most = min(facts.limits.rewrite_max_bytes, REWRITE_S * REWRITE_BYTES_PER_S)
    if (table.bytes or 0) > most:
        raise Refused(
            f"Another type in Postgres rewrites `{table.name}`, and nobody could read or write it meanwhile: it has "
            f"{(table.bytes or 0) / 1e6:,.0f} MB, and {most / 1e6:,.0f} MB are allowed. Add a new field of that type, "
            "fill it in batches, move the readers, and remove this one.",
            table.name,
        )


def _retype(source: PgColumn | None, pg_type: str | None, default: literals.Default | None) -> Retype | None:
    if source is None or pg_type is None:
        return None
    return Retype(
        column=source.name,
        before=source.type,
        after=pg_type,
        using=using(source.name, source.type, pg_type) or "",
        back=back(source.name, pg_type, source.type),
        default=default.postgres if default else kept_in(source.default, pg_type),
        default_before=source.default,
    )


def _statement(place: Where, retype: Retype) -> str:
    """Once is enough: a second time would rewrite the table again. Postgres cannot cast every default by itself."""
    name, table = pg_name(retype.column), table_name(place)
    drop = f"ALTER COLUMN {name} DROP DEFAULT, " if retype.default_before is not None else ""
    again = f", ALTER COLUMN {name} SET DEFAULT {retype.default}" if retype.default is not None else ""
    is_now = (
        f"SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = {pg_literal(table)}::regclass "
        f"AND attname = {pg_literal(retype.column)}"
    )
    alter = f"ALTER TABLE {table} {drop}ALTER COLUMN {name} TYPE {retype.after} USING {retype.using}{again};"
    lines = (
        "DO $$ BEGIN",
        f"  IF ({is_now}) <> {pg_literal(retype.after)} THEN",
        f"    {alter}",
        "  END IF;",
        "END $$;",
    )
    return "\n".join(lines)


def _source(table: PgTable | None, retype: Retype | None) -> PgTable | None:
    if table is None or retype is None:
        return None
    columns = (
        replace(c, type=retype.after, default=retype.default) if c.name == retype.column else c for c in table.columns
    )
    return replace(table, columns=tuple(columns))


def _questions(
    target: Datasource, column: Column, kind: Type, source: PgColumn | None, retype: Retype | None, place: Where
) -> list[Question]:
    if not place.replicated:
        cast = f"accurateCastOrNull({ch_name(column.name)}, '{kind.core}')"
        bad = f"countIf(isNull({cast}) AND isNotNull({ch_name(column.name)}))"
        return [Count(MISFITS, "tinybird", f"SELECT toString({bad}) AS _n FROM {ch_name(target.name)}")]
    if source is None or place.table is None:
        return []
    found: list[Question] = []
    if bad := misfits(source.name, source.type, retype.after if retype else None, kind):
        found.append(Count(MISFITS, "postgres", f"SELECT count(*) FROM {table_name(place)} WHERE {bad}"))
    if retype:
        found.append(Count(DEPENDENTS, "postgres", dependents(place, (retype.column,))))
    return found


def _said(column: Column, after: Column, source: PgColumn | None, retype: Retype | None) -> list[str]:
    said = [f"{column.name}: {after.type} instead of {column.type}"]
    if retype:
        now = f", which is {retype.before} there now" if retype.before else ""
        said.append(f"{column.name}: {retype.after} in Postgres{now}")
    elif source and source.type:
        said.append(f"{column.name}: stays {source.type} in Postgres, which brings such values already")
    if after.default != column.default:
        said.append(f"{column.name}: {after.default or 'NULL'} where there is no value")
    return said


def _request(name: str, after: Column, retype: Retype | None) -> dict[str, Any]:
    return {
        "kind": "migrate",
        "change": "change field",
        "datasource": name,
        "field": after.name,
        "type": after.type,
        "default": after.default,
        "postgres_type": retype.after if retype else None,
        "postgres_default": retype.default if retype else None,
    }


def _squeezed(text: str) -> str:
    return "".join(text.split())
