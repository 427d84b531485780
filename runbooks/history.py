"""The project's migrations, Flyway style (facts/systems.md §0): which come first, and what one of them does."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from runbooks.ddl import name_of, statements

_NAME = re.compile(r"^V(?P<version>\d+(?:[._]\d+)*)__(?P<does>.+)\.sql$")


@dataclass(frozen=True)
class Touch:
    """What a migration does to a column. ``safe``: it may run again, ``IF NOT EXISTS``."""

    does: Literal["add", "drop"]
    column: str
    safe: bool


def version(path: str) -> tuple[int, ...]:
    """By which migrations are ordered; empty for a file that is none (``U…`` undoes one)."""
    named = _NAME.match(path.rpartition("/")[2])
    return tuple(int(part) for part in re.split(r"[._]", named["version"])) if named else ()


def same_work(name: str, folder: str, paths: Iterable[str]) -> str | None:
    """The migration of that folder that is called the same but for its version; None without one."""
    does = name.partition("__")[2]
    found = [path for path in in_order(folder, paths) if path.rpartition("/")[2].partition("__")[2] == does]
    return found[-1] if found else None


def in_order(folder: str, paths: Iterable[str]) -> list[str]:
    """The migrations of a folder, oldest first."""
    inside = [path for path in paths if path.rpartition("/")[0] == folder and version(path)]
    return sorted(inside, key=lambda path: (version(path), path))


def newest_about(words: Iterable[str], folder: str, paths: Iterable[str]) -> list[str]:
    """Those whose names mention one of the words, newest first: ``addNicknameToMembers`` mentions nickname."""
    asked = [plain for word in words if (plain := _plain(word))]
    found = [path for path in in_order(folder, paths) if any(word in _plain(path.rpartition("/")[2]) for word in asked)]
    return found[::-1]


def touches(text: str, schema: str, table: str) -> Iterator[Touch]:
    """Columns that the SQL adds to the table or drops from it, in its order. What does not parse is left out."""
    for statement in statements(text):
        alter = statement.tree if statement.may_name(table) else None
        of = alter.find(exp.Table) if isinstance(alter, exp.Alter) else None
        if alter is None or of is None or name_of(of.this) != table or (of.db and name_of(of.args["db"]) != schema):
            continue
        for action in alter.args.get("actions") or ():
            if isinstance(action, exp.ColumnDef):
                yield Touch("add", name_of(action.this), bool(action.args.get("exists")))
            elif isinstance(action, exp.Drop) and str(action.args.get("kind")).upper() == "COLUMN":
                yield from (
                    Touch("drop", name_of(column.this), bool(action.args.get("exists")))
                    for column in action.find_all(exp.Column)
                )


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
