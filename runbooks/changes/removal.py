"""``remove field``: gone from Tinybird first, from Postgres at the very end, its values kept (procedures.md §2.1)."""

from dataclasses import replace

from runbooks.changes.made import made
from runbooks.changes.postgres import bound_to, column_of, dependents, migration, table_name
from runbooks.changes.target import checked, existing
from runbooks.errors import Refused
from runbooks.facts.model import Column, Datasource, Facts
from runbooks.fields import Where, where
from runbooks.lineage import Lineage
from runbooks.proof.fields import pg_name
from runbooks.questions import Count
from runbooks.request import RemoveFields
from runbooks.strategies import Altered, PlannedChange
from runbooks.strategies.parts import DEPENDENTS, REWRITE_BYTES_PER_S

KEEP_S = 15  # under the lock; a call to Postgres may last 20 s


def remove_fields(
    target: Datasource, change: RemoveFields, facts: Facts, lineage: Lineage
) -> tuple[PlannedChange, list[str]]:
    place = where(target, facts)
    columns = [found for name in change.names if (found := _column(target, name, place))]
    after = _without(target, tuple(column.name for column in columns))
    names = tuple(name for name in dict.fromkeys(_in_postgres(change, columns, after, place)))
    dropped, said = _droppable(names, place)
    sql = tuple(f"ALTER TABLE {table_name(place)} DROP COLUMN IF EXISTS {pg_name(name)};" for name in dropped)
    request = {"kind": "migrate", "change": "remove fields", "datasource": target.name, "removed": list(change.names)}
    asked = Count(DEPENDENTS, "postgres", dependents(place, dropped))
    planned = replace(
        made(change.kind, {**request, "postgres": list(dropped)}, Altered(target, after), place, facts, lineage),
        sql=sql,
        migration=migration(f"remove_{'_'.join(dropped)[:80]}_from_{target.name}", sql) if sql else None,
        dropped=dropped,
        questions=(asked,) if dropped and place.table else (),
    )
    return planned, said


def _column(target: Datasource, name: str, place: Where) -> Column | None:
    """The column; None where only Postgres has it still. Raises ``Refused`` for one that cannot go."""
    checked(name, "field")
    if target.column(name) is None and place.table and place.table.column(name):
        column = None
    else:
        column = existing(target, name)
    if part := bound_to(target, name) if column else None:
        raise Refused(f"`{name}` is part of the {part} of `{target.name}`, which cannot do without it.", name)
    source = column_of(column, place) if column else place.table.column(name) if place.table else None
    if place.table and source and source.name in place.table.primary_key:
        raise Refused(f"`{name}` is part of the primary key of `{place.table.name}` in Postgres.", name)
    return column


def _without(target: Datasource, names: tuple[str, ...]) -> Datasource:
    left = tuple(c for c in target.columns if c.name not in names)
    if not left:
        raise Refused(f"`{target.name}` would have no field left.", names[0])
    lines = target.description.splitlines()
    kept = [line for line in lines if not any(line.lstrip().startswith(f"- `{name}`") for name in names)]
    return replace(target, columns=left, description="\n".join(kept))


def _in_postgres(change: RemoveFields, columns: list[Column], after: Datasource, place: Where) -> list[str]:
    """The columns of Postgres that nothing of Tinybird is read from any more."""
    if not place.replicated:
        return []
    paths = {column.name: (column.jsonpath or column.name).removesuffix("[:]") for column in columns}
    asked = [paths.get(name, name).removeprefix(place.root) for name in change.names]
    still = {(c.jsonpath or "").removesuffix("[:]").removeprefix(place.root).partition(".")[0] for c in after.columns}
    there = (name for name in asked if "." not in name and name not in still)
    return [name for name in there if place.table is None or place.table.column(name)]


def _droppable(names: tuple[str, ...], place: Where) -> tuple[tuple[str, ...], list[str]]:
    """Those that can be dropped with their values kept, and what is said of it."""
    if not place.replicated:
        return (), []
    if not names:
        return (), ["Postgres keeps all its columns: what is removed is inside one that others are read from"]
    table = place.table
    if table is None:
        return names, []
    what = ", ".join(names)
    if not table.primary_key:
        return (), [f"{what} stays in Postgres: {table.name} has no primary key by which its values could be kept"]
    if (table.bytes or 0) > KEEP_S * REWRITE_BYTES_PER_S:
        size = f"{(table.bytes or 0) / 1e6:,.0f} MB"
        return (), [
            f"{what} stays in Postgres: keeping its values would lock {table.name} ({size}) for longer than "
            f"{KEEP_S} s; drop it by a migration of your own"
        ]
    return names, [
        f"{what}: dropped from Postgres at the very end, values and {', '.join(table.primary_key)} kept in a table"
    ]
