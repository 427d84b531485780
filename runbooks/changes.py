"""A request resolved against facts: from the words that people typed to a ``PlannedChange``."""

import re
from dataclasses import replace
from typing import Any

from runbooks.datafile import describe
from runbooks.errors import Refused
from runbooks.facts.model import Column, Datasource, Facts
from runbooks.fields import Where, nearest, plan_field, where
from runbooks.lineage import Lineage
from runbooks.request import NAME, AddFields, Job, Migrate, NewField
from runbooks.strategies import Altered, Migration, PlannedChange, PlannedField, ReachingCopy
from runbooks.types import clickhouse, literals

_NAME = re.compile(NAME.removesuffix("$") + r"\Z")


def resolve(job: Job, facts: Facts, lineage: Lineage) -> tuple[PlannedChange, list[str]]:
    """The change with everything inferred, and the sentences on what was. Raises ``Refused``."""
    if not isinstance(job, Migrate):
        raise Refused(f"`{job.kind}` is understood, but not carried out yet; nothing was changed.", job.kind)
    if len(job.datasources) != 1:
        raise Refused("Several data sources in one run are not carried out yet: ask for one after the other.")
    if not isinstance(job.change, AddFields):
        raise Refused(
            f"`{job.change.kind}` is understood, but not carried out yet; nothing was changed.", job.change.kind
        )
    target = _target(job.datasources[0], facts, lineage)
    return _add_fields(target, job.change, facts, lineage)


def _target(name: str, facts: Facts, lineage: Lineage) -> Datasource:
    _checked(name, "data source")
    target = facts.datasources.get(name)
    if target is None:
        near = nearest(name, facts.datasources)
        raise Refused(f"There is no data source `{name}`" + (f"; did you mean `{near}`?" if near else "."), name, near)
    if target.shared:
        raise Refused(f"`{name}` is shared by another workspace and can only be changed there.", name)
    if writers := lineage.writers(name):
        raise Refused(
            f"`{name}` is made by {writers[0].name}: a field there needs that pipe's SQL changed too, which is not "
            "carried out yet.",
            name,
        )
    return target


def _checked(name: str, what: str) -> None:
    """Requests are checked where they are parsed; a plan does not rely on it (DESIGN §7)."""
    if not _NAME.match(name):
        raise Refused(
            f"That is no name for a {what}: only letters a to z, digits and _ are allowed, beginning with a letter or "
            "_, at most 128 of them.",
            name,
        )


def _add_fields(
    target: Datasource, change: AddFields, facts: Facts, lineage: Lineage
) -> tuple[PlannedChange, list[str]]:
    place = where(target, facts)
    fields, inferred = _fields(change.fields, target, place)
    after = _with_columns(target, tuple(f.column for f in fields))
    sql = tuple(_statement(field, place, target.name) for field in fields if field.pg_type and not field.in_postgres)
    copies = tuple(
        ReachingCopy(
            name=pipe.name,
            target=pipe.output.target or "",
            mode=pipe.output.mode or "append",
            schedule=None if pipe.output.schedule == "@on-demand" else pipe.output.schedule,
            paused=pipe.schedule_status == "shutdown",
        )
        for pipe in lineage.copies_reaching(target.name)
    )
    readers = lineage.readers(target.name)
    return (
        PlannedChange(
            kind=change.kind,
            request=_request(target.name, fields),
            target=Altered(target, after),
            fields=fields,
            sql=sql,
            migration=_migration(target.name, fields, sql) if sql else None,
            table=place.table,
            sink=facts.sink_of(target.name),
            replicated=place.replicated,
            targets=_targets(target.name, after, facts, lineage),
            copies=copies,
            sink_pipes=tuple(r.name for r in readers if r.kind == "sink"),
            readers=readers,
            lineage=lineage,
        ),
        inferred,
    )


def _fields(
    asked: tuple[NewField, ...], target: Datasource, place: Where
) -> tuple[tuple[PlannedField, ...], list[str]]:
    fields: list[PlannedField] = []
    inferred: list[str] = []
    for field in asked:
        _checked(field.name, "field")
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


def _statement(field: PlannedField, place: Where, datasource: str) -> str:
    schema, table = (place.table.schema, place.table.name) if place.table else ("public", datasource)
    default = f" NOT NULL DEFAULT {field.pg_default}" if field.pg_default is not None else ""
    return f'ALTER TABLE {schema}."{table}" ADD COLUMN IF NOT EXISTS "{field.column.name}" {field.pg_type}{default};'


def _migration(table: str, fields: tuple[PlannedField, ...], sql: tuple[str, ...]) -> Migration:
    """The file for the project's history: idempotent, and it gives up rather than queue behind a long transaction."""
    names = "_".join(f.column.name for f in fields if f.pg_type)
    head = ("SET LOCAL lock_timeout = '3s';", "SET LOCAL statement_timeout = '30s';")
    return Migration(f"V{{epoch}}__add_{names[:80]}_to_{table}.sql", "\n".join([*head, "", *sql]) + "\n")


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
