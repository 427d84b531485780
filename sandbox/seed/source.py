"""Fills the source database: the tables of ``source.sql`` with the rows of ``rows.py``."""

from importlib import resources

import psycopg
from psycopg import sql

from sandbox.seed.rows import Rows


def build_source(connection: psycopg.Connection, more_tables: str) -> None:
    """Make tables, publication, grants and rows in an empty database, all owned by ``tbops_migrator``."""
    connection.execute("SET ROLE tbops_migrator")
    connection.execute(resources.files("sandbox.seed").joinpath("source.sql").read_bytes())
    connection.execute(more_tables.encode())
    for table, rows in Rows().tables().items():
        names = list(rows[0])
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table),
            sql.SQL(", ").join(sql.Identifier(name) for name in names),
        )
        with connection.cursor().copy(into) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
    connection.commit()
    connection.autocommit = True
    connection.execute("ANALYZE")
