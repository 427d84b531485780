"""What Sequin believes about the source's tables: a cache that DDL does not touch (facts/systems.md §1.6)."""

from dataclasses import dataclass

import psycopg

_TABLES = """
    SELECT n.nspname, c.relname, c.oid::int8,
        array_agg(a.attname::text ORDER BY a.attnum),
        array_agg(a.atttypid::int8 ORDER BY a.attnum),
        coalesce((SELECT array_agg(k.attname::text ORDER BY array_position(i.indkey::int2[], k.attnum))
                  FROM pg_index i JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
                  WHERE i.indrelid = c.oid AND i.indisprimary), '{}')
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND has_schema_privilege(n.oid, 'USAGE')
    GROUP BY n.nspname, c.relname, c.oid
"""


@dataclass(frozen=True)
class Table:
    """A table with its columns as ``(name, type oid)`` and the names of its primary key."""

    schema: str
    name: str
    oid: int
    columns: tuple[tuple[str, int], ...]
    key: tuple[str, ...]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


class Catalog:
    """The cached tables by ``schema.table``. Replaced as a whole, so that readers need no lock."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def refresh(self, connection: psycopg.Connection) -> None:
        """Read every table in schemas that Sequin's role may use, published or not."""
        self.tables = {
            f"{schema}.{name}": Table(schema, name, oid, tuple(zip(names, types, strict=True)), tuple(key))
            for schema, name, oid, names, types, key in connection.execute(_TABLES)
        }
