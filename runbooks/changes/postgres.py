"""The file that enters the project's migration history (facts/procedures.md §2.14)."""

import re

from runbooks.facts.model import Column, Datasource, PgColumn
from runbooks.fields import Where
from runbooks.proof.fields import pg_literal
from runbooks.strategies import Migration

NOT_KNOWN = ""  # the type of a column where Postgres was not asked
_HEAD = ("SET LOCAL lock_timeout = '3s';", "SET LOCAL statement_timeout = '30s';")


def migration(does: str, sql: tuple[str, ...]) -> Migration:
    """Idempotent, and it gives up rather than queue behind a long transaction. ``does``: ``add_x_to_members``."""
    return Migration(f"V{{epoch}}__{does}.sql", "\n".join([*_HEAD, "", *sql]) + "\n")


def table_name(place: Where) -> str:
    """The table as SQL names it; where Postgres was not asked, the one that has the data source's name."""
    schema, table = (place.table.schema, place.table.name) if place.table else ("public", place.datasource.name)
    return f'{schema}."{table}"'


def column_of(column: Column, place: Where) -> PgColumn | None:
    """The column of Postgres that ``column`` is read from; None inside a jsonb column, or where there is none. Where
    Postgres was not asked it is taken to be there, of a type that is not known."""
    if not place.replicated:
        return None
    path = (column.jsonpath or column.name).removesuffix("[:]").removeprefix(place.root)
    if place.table is None:
        return None if "." in path or "$" in path else PgColumn(path, NOT_KNOWN, nullable=True)
    return place.table.column(path)


def bound_to(target: Datasource, column: str) -> str | None:
    """What of the table hangs on the column, in words; None if nothing does."""
    parts = {
        "sorting key": " ".join(target.sorting_key),
        "version": target.version,
        "partition key": target.partition_key,
        "TTL": target.ttl,
        **{f"index {index.name}": index.expression for index in target.indexes},
    }
    return next((what for what, text in parts.items() if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", text)), None)


def dependents(place: Where, columns: tuple[str, ...]) -> str:
    """How many views, rules, triggers and policies name the columns: Postgres refuses to change those."""
    names = ", ".join(pg_literal(column) for column in columns)
    kinds = ", ".join(f"'{kind}'::regclass" for kind in ("pg_rewrite", "pg_trigger", "pg_policy"))
    return (
        "SELECT count(DISTINCT (d.classid, d.objid)) FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid "
        f"AND a.attnum = d.refobjsubid WHERE d.refclassid = 'pg_class'::regclass AND d.classid IN ({kinds}) "
        f"AND d.refobjid = {pg_literal(table_name(place))}::regclass AND a.attname IN ({names})"
    )
