"""Datafiles: the text form of data sources and pipes that `tb pull` writes and `tb push` reads."""

from runbooks.datafile.includes import unrolled
from runbooks.datafile.reader import read_datasource, read_pipe
from runbooks.datafile.schema import column_sql, read_columns, read_index, schema_sql, split_top
from runbooks.datafile.writer import describe, write_datasource, write_pipe

__all__ = [
    "column_sql",
    "describe",
    "read_columns",
    "read_datasource",
    "read_index",
    "read_pipe",
    "schema_sql",
    "split_top",
    "unrolled",
    "write_datasource",
    "write_pipe",
]
