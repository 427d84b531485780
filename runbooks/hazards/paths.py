"""JSON paths of columns: the past's most frequent faults (facts/estate.md §8, "A lint that pays")."""

import re
from collections.abc import Iterator

from runbooks.facts.model import Column
from runbooks.fields import beside_the_record, dotted, nearest
from runbooks.hazards import Context, found, on_datasource
from runbooks.plan import Hazard
from runbooks.request import NAME


@on_datasource
def json_path_root(at: Context) -> Iterator[Hazard]:
    root = at.place.root
    for column in at.columns:
        path = column.jsonpath
        below = dotted(path or "")
        if path and root and not (root == "$.record." and beside_the_record(below)) and not _under(below, root):
            tail = below.removeprefix("$.record.").removeprefix("$.")
            yield found(
                "json-path-root",
                "error",
                _name(at, column),
                f"{column.name} is read from {path}, but its neighbours from below {root.rstrip('.')}: it stays empty.",
                f"Read it from {root}{tail}.",
            )


@on_datasource
def path_name_mismatch(at: Context) -> Iterator[Hazard]:
    for column in at.columns:
        segments = _segments(at, column)
        if len(segments) != 1 or segments[0] == column.name or not re.fullmatch(NAME, segments[0]):
            continue  # nor could a column have such a name
        other = at.table.column(column.name) if at.table else None
        if other is None and _alike(segments[0], column.name):
            continue
        level = "error" if other else "note" if at.table and at.table.column(segments[0]) else "warning"
        yield found(
            "path-name-mismatch",
            level,
            _name(at, column),
            f"{column.name} is read from {segments[0]}"
            + (f", though Postgres has a column {column.name}." if other else ", another name."),
            f"Read it from {at.place.root}{column.name}, or name it {segments[0]}.",
        )


@on_datasource
def array_path(at: Context) -> Iterator[Hazard]:
    for column in at.columns:
        path, array = column.jsonpath, column.type.startswith("Array(")
        if path and path != "$" and array != ("[:]" in path):
            right = f"{path}[:]" if array else path.replace("[:]", "")
            yield found(
                "array-path",
                "error",
                _name(at, column),
                f"{column.name} is {column.type} and is read from {path}: rows go to quarantine.",
                f"Read it from {right}.",
            )


@on_datasource
def pg_column_missing(at: Context) -> Iterator[Hazard]:
    if at.facts.tables is None or not at.place.replicated:
        return
    if at.table is None:
        yield found(
            "pg-column-missing",
            "error",
            at.subject.name,
            f"Postgres has no table for the data source {at.subject.name}.",
            "Check the Sequin sink's table, or the database that was asked.",
        )
        return
    made = {f.column.name for f in at.change.fields if f.pg_type} if at.change else set[str]()
    for column in at.columns:
        segments = _segments(at, column)
        if segments and column.name not in made and at.table.column(segments[0]) is None:
            near = nearest(segments[0], (c.name for c in at.table.columns))
            yield found(
                "pg-column-missing",
                "error",
                _name(at, column),
                f"{column.name} is read from {segments[0]}, which the Postgres table {at.table.name} does not have.",
                f"Did you mean {near}?" if near else f"Add {segments[0]} to Postgres, or remove the column.",
            )


def _alike(path: str, name: str) -> bool:
    """``updated_at`` and ``updatedAt``: one name in the habits of both sides (facts/estate.md §5)."""
    return path.replace("_", "").lower() == name.replace("_", "").lower()


def _under(path: str, root: str) -> bool:
    return path == "$" or (path.startswith(root) and (root == "$.record." or not path.startswith("$.record.")))


def _segments(at: Context, column: Column) -> list[str]:
    """The path below its root, ``[:]`` left out; empty where there is none or where the root is another."""
    root = at.place.root
    path = dotted(column.jsonpath or "")
    if not root or not path.startswith(root):
        return []
    return path.removeprefix(root).replace("[:]", "").split(".")


def _name(at: Context, column: Column) -> str:
    return f"{at.subject.name}.{column.name}"
