"""Migrations' SQL read as Postgres would: its statements, and the table that they make."""

from runbooks.ddl.draft import Draft, NotClear, Part, beginning
from runbooks.ddl.statements import name_of, statements

__all__ = ["Draft", "NotClear", "Part", "beginning", "name_of", "statements"]
