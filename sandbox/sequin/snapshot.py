"""The rows of the source as records: what backfills of every table would have sent long ago."""

from typing import Any

import psycopg
from psycopg import sql

from sandbox.postgres import SOURCE
from sandbox.seed import seed_named
from sandbox.sequin.catalog import Catalog
from sandbox.sequin.encode import to_json
from sandbox.standin import World


def records(world: World) -> dict[str, list[dict[str, Any]]]:
    """The replicated tables' rows by table name, encoded as in Sequin's messages."""
    catalog = Catalog()
    found: dict[str, list[dict[str, Any]]] = {}
    with psycopg.connect(world.dsn(SOURCE, "sequin"), autocommit=True) as connection:
        catalog.refresh(connection)
        for name in seed_named(world.seed).replicated:
            table = catalog.tables[f"public.{name}"]
            columns = sql.SQL(", ").join(
                sql.SQL("{}::text").format(sql.Identifier(column)) for column, _ in table.columns
            )
            rows = connection.execute(sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(name)))
            found[name] = [
                {column: to_json(value, oid) for (column, oid), value in zip(table.columns, row, strict=True)}
                for row in rows
            ]
    return found
