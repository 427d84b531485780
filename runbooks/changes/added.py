"""``add field`` and ``add fields``: new columns on both sides."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from runbooks.changes.casts import misfits
from runbooks.changes.made import made
from runbooks.changes.postgres import column_of, migration, table_name
from runbooks.changes.target import checked
from runbooks.datafile import describe, schema_sql
from runbooks.errors import Refused
from runbooks.facts.model import Column, Datasource, Facts
from runbooks.fields import Where, plan_field, where
from runbooks.lineage import Lineage
from runbooks.questions import Count, Question, Rehearsal
from runbooks.request import AddFields, NewField
from runbooks.strategies import Altered, PlannedChange, PlannedField
from runbooks.strategies.parts import ALTER, MISFITS_OF
from runbooks.types import clickhouse, literals


def add_fields(
    target: Datasource, change: AddFields, facts: Facts, lineage: Lineage
) -> tuple[PlannedChange, list[str]]:
    place = where(target, facts)
    fields, inferred = _fields(change.fields, target, place)
    after = _with_columns(target, tuple(f.column for f in fields))
    sql = tuple(_statement(field, place) for field in fields if field.pg_type and not field.in_postgres)
    names = "_".join(f.column.name for f in fields if f.pg_type)
    planned = replace(
        made(change.kind, _request(target.name, fields), Altered(target, after), place, facts, lineage),
        fields=fields,
        sql=sql,
        migration=migration(f"add_{names[:80]}_to_{target.name}", sql) if sql else None,
        targets=_targets(target.name, after, facts, lineage),
        questions=tuple(_questions(after, fields, place)),
    )
    return planned, inferred


def _fields(
    asked: tuple[NewField, ...], target: Datasource, place: Where
) -> tuple[tuple[PlannedField, ...], list[str]]:
    fields: list[PlannedField] = []
    inferred: list[str] = []
    for field in asked:
        checked(field.name, "field")
        same = next((c.name for c in target.columns if c.name.lower() == field.name.lower()), None)
        if same == field.name:
            raise Refused(f"`{target.name}` has a field `{field.name}` already.", field.name)
        if same:
            raise Refused(
                f"`{target.name}` has a field `{same}` already, which differs in case only.", field.name, same
            )
        if any(f.column.name.lower() == field.name.lower() for f in fields):
            raise Refused(f"`{field.name}` is asked for twice.", field.name)
        planned, said = plan_field(field, place)
        fields.append(planned)
        inferred += said
    return tuple(fields), inferred


def _questions(after: Datasource, fields: tuple[PlannedField, ...], place: Where) -> Iterator[Question]:
    if any(field.expression for field in fields):
        yield Rehearsal(ALTER, after.name, schema_sql(after.columns))
    for field in fields:
        source = column_of(field.column, place) if place.table and field.in_postgres else None
        bad = misfits(source.name, source.type, None, clickhouse.parse(field.column.type)) if source else None
        if bad:
            counted = f"SELECT count(*) FROM {table_name(place)} WHERE {bad}"
            yield Count(MISFITS_OF.format(field.column.name), "postgres", counted)


def _with_columns(datasource: Datasource, added: tuple[Column, ...]) -> Datasource:
    return replace(
        datasource,
        columns=(*datasource.columns, *added),
        description=describe(datasource.description, added),
    )


def _targets(name: str, after: Datasource, facts: Facts, lineage: Lineage) -> tuple[Altered, ...]:
    """The targets of wildcard copies with the new columns, the most downstream first; those without a change left out.

    A copy writes by name: its target takes type and default of its source, and no JSON path. A default that names
    other columns stays with the source: the target may not have them.
    """
    new = {c.name: c for c in after.columns if facts.datasources[name].column(c.name) is None}
    for column in new.values():
        if not literals.constant(column.default):
            new[column.name] = replace(column, default=literals.implied(clickhouse.parse(column.type)))
    found: dict[str, Altered] = {}
    for wildcard in lineage.wildcard_copies(name):
        target = facts.datasources.get(wildcard.target)
        if target is None or wildcard.target in found:
            continue
        paths = any(c.jsonpath for c in target.columns)
        added = tuple(
            column if paths else replace(column, jsonpath=None)
            for column in new.values()
            if target.column(column.name) is None
        )
        if added:
            found[wildcard.target] = Altered(target, _with_columns(target, added), wildcard.copy)
    return tuple(found.values())


def _statement(field: PlannedField, place: Where) -> str:
    default = f" NOT NULL DEFAULT {field.pg_default}" if field.pg_default is not None else ""
    return f'ALTER TABLE {table_name(place)} ADD COLUMN IF NOT EXISTS "{field.column.name}" {field.pg_type}{default};'


def _request(name: str, fields: tuple[PlannedField, ...]) -> dict[str, Any]:
    return {
        "kind": "migrate",
        "change": "add fields",
        "datasource": name,
        "fields": [
            {
                "name": field.column.name,
                "type": field.column.type,
                "default": field.column.default,
                "path": field.column.jsonpath,
                "postgres_type": field.pg_type,
                "postgres_default": field.pg_default,
                **({"expression": field.expression} if field.expression else {}),
            }
            for field in fields
        ],
    }
