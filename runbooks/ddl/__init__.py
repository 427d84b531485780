"""Migrations' SQL read as Postgres would: its statements, and the table that they make."""

from runbooks.ddl.draft import Draft, NotClear, Part, beginning
from runbooks.ddl.past import Past, Told
from runbooks.ddl.statements import name_of, statements

__all__ = ["Draft", "NotClear", "Part", "Past", "Told", "beginning", "name_of", "statements"]
