"""Sorting key, version and partition of replacing tables: what decides which rows survive (facts/estate.md §2)."""

from collections.abc import Iterator
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from runbooks.facts.model import PgTable
from runbooks.hazards import Context, found, on_datasource, on_plan
from runbooks.plan import Hazard, Level
from runbooks.proof.fields import comparable, pg_name
from runbooks.questions import Count, count_of
from runbooks.strategies import PlannedChange
from runbooks.strategies.parts import DUPLICATES

ROOT = "$.record."
SHARED = "rows that share the key that stays"
_FIXED = frozenset({"createdAt", "created_at"})


@on_datasource
def sorting_key_not_unique(at: Context) -> Iterator[Hazard]:
    """An old fault, and a note in a plan: unless rows share the key now, since then no proof comes to its end."""
    table, key = at.table, set(at.subject.sorting_key)
    if table is None or not _replacing(at) or not key or _replaced(at) or _unique(at, table, key):
        return
    best = " or ".join(", ".join(unique) for unique in table.unique) or "a unique index, which Postgres lacks"
    shared = count_of(at.facts.answers, SHARED) if at.change else None
    now = "rows that share it replace each other"
    if shared:
        some = "one row shares" if shared == 1 else f"{shared:,} rows share"
        now = f"{some} it with another, and what a run did could not be proven"
    yield found(
        "sorting-key-not-unique",
        "error" if shared else _old(at, "error"),
        at.subject.name,
        f"Sorted by {', '.join(at.subject.sorting_key)}, which no unique index of Postgres makes unique: {now}.",
        f"Sort by a key that holds {best}.",
    )


def questions(change: PlannedChange) -> tuple[Count, ...]:
    """How many rows share a key that stays, where no unique index keeps them apart. An index needs no proof by rows."""
    before, after, table = change.target.before, change.target.after, change.table
    if not change.replicated or table is None or change.kind == "add index" or before.sorting_key != after.sorting_key:
        return ()
    known = {column.name: column for column in table.columns}
    columns = [before.column(name) for name in before.sorting_key]
    parts = [comparable(column, known) if column else None for column in columns]
    paths = {(column.jsonpath or "").removeprefix(ROOT) for column in columns if column}
    if not before.engine.endswith("ReplacingMergeTree") or not parts or not all(parts):
        return ()
    if any(set(unique) <= paths for unique in table.unique):
        return ()
    key = " || chr(31) || ".join(part.postgres for part in parts if part)
    of = f"{pg_name(table.schema)}.{pg_name(table.name)}"
    return (Count(SHARED, "postgres", f"SELECT count(*) - count(DISTINCT {key}) FROM {of}"),)


@on_plan
def new_sorting_key_not_unique(at: Context) -> Iterator[Hazard]:
    """A unique index is what makes a key safe; that no two rows share it today says nothing of tomorrow
    (facts/procedures.md §2.16). A column that may be NULL makes no key unique: NULLs are all different to it."""
    change, key = at.planned, at.planned.target.after.sorting_key
    if not _replaced(at) or not _replacing(at) or (change.table and _kept_unique(at, change.table, key)):
        return
    if change.replicated and change.table is None:
        if not {*change.target.before.sorting_key} <= {*key}:
            yield _not_asked(at, key)
        return
    count = count_of(at.facts.answers, DUPLICATES)
    if count == 0 and not change.replicated:
        return
    if count:
        lost = f"{count:,} {'row shares its' if count == 1 else 'rows share their'} key with another"
        now = f"{lost}: of each such group one row would be left."
    elif count == 0:
        now = "No two rows share it today, but nothing keeps it so: those that will replace each other."
    else:
        now = "How many rows share it was not counted: those that do replace each other."
    yield found(
        "sorting-key-not-unique",
        "error",
        at.subject.name,
        f"No unique index of {'Postgres' if change.replicated else 'a source'} makes {', '.join(key)} unique. {now}",
        _cure(change.table, key),
    )


def _not_asked(at: Context, key: tuple[str, ...]) -> Hazard:
    """A plan of a folder: a key that holds the old one is as unique as that was, of any other nothing is known."""
    return found(
        "sorting-key-not-unique",
        "warning",
        at.subject.name,
        f"Postgres was not asked whether rows share {', '.join(key)}: of those that do, one would be left.",
        "Ask with --dsn, or in Slack: then they are counted.",
    )


@on_plan
def mutable_sorting_key(at: Context) -> Iterator[Hazard]:
    change = at.planned
    if not _replaced(at) or not _replacing(at) or (change.replicated and change.table is None):
        return
    fixed = _FIXED | set(change.table.primary_key if change.table else change.target.before.sorting_key)
    moving = [c for c in change.target.after.sorting_key if not _sources(at, {c}) <= fixed]
    if moving:
        yield found(
            "mutable-sorting-key",
            "warning",
            at.subject.name,
            f"When {' or '.join(moving)} of a row changes, the row is kept under its old key too, until the table is "
            "made anew.",
            "Sort by columns that never change, or live with such rows.",
        )


@on_datasource
def sorting_key_column_missing(at: Context) -> Iterator[Hazard]:
    known = {c.name for c in at.subject.columns}
    for part in () if _replaced(at) else at.subject.sorting_key:
        missing = sorted(_named_in(part) - known)
        if missing:
            yield found(
                "sorting-key-column-missing",
                _old(at, "error"),
                at.subject.name,
                f"The sorting key names {', '.join(missing)}, which is not a column.",
                "Correct ENGINE_SORTING_KEY.",
            )


@on_datasource
def version_column_missing(at: Context) -> Iterator[Hazard]:
    of = at.subject
    if not _replacing(at) or (of.version and of.column(of.version)):
        return
    what = f"ENGINE_VER names {of.version}, which is not a column" if of.version else "There is no ENGINE_VER"
    yield found(
        "version-column-missing",
        _old(at, "error" if of.version else "warning"),
        of.name,
        f"{what}: which of two rows with one key survives is left to chance.",
        "Name the column that rises with every change, such as updatedAt.",
    )


@on_datasource
def mutable_partition_key(at: Context) -> Iterator[Hazard]:
    of = at.subject
    if not _replacing(at):
        return
    named = _named_in(of.partition_key) & {c.name for c in of.columns}
    moving = sorted(named - _FIXED - set(of.sorting_key))
    if moving:
        yield found(
            "mutable-partition-key",
            _old(at, "error" if of.version in moving else "warning"),
            of.name,
            f"Partitioned by {of.partition_key}: when {', '.join(moving)} changes, the row is kept in both partitions.",
            "Partition by a column that never changes, such as toYear(createdAt).",
        )


@lru_cache(maxsize=10_000)
def _named_in(key: str) -> frozenset[str]:
    """The columns that a part of a key names: ``toDate(createdAt, 'UTC')`` names one. What cannot be parsed, none."""
    if key.isidentifier():
        return frozenset({key})
    try:
        tree = sqlglot.parse_one(f"SELECT {key}", read="clickhouse") if key else exp.Select()
    except (SqlglotError, RecursionError):
        return frozenset()
    columns = (c for c in tree.find_all(exp.Column) if not isinstance(c.this, exp.Star))
    return frozenset(".".join(part.name for part in c.parts) for c in columns)


def _replaced(at: Context) -> bool:
    """The key that is there goes: what is wrong with it does not matter any more."""
    return at.change is not None and at.change.target.after.sorting_key != at.change.target.before.sorting_key


def _unique(at: Context, table: PgTable, key: set[str]) -> bool:
    return any(set(unique) <= _sources(at, key) for unique in table.unique)


def _kept_unique(at: Context, table: PgTable, key: tuple[str, ...]) -> bool:
    needed = {c.name for c in table.columns if not c.nullable} | set(table.primary_key)
    return any(set(unique) <= _sources(at, set(key)) and set(unique) <= needed for unique in table.unique)


def _cure(table: PgTable | None, key: tuple[str, ...]) -> str:
    if table is None:
        return "Sort by a key that no two rows share."
    best = (
        " or ".join(", ".join(unique) for unique in table.unique) or "the columns of a unique index, which is lacking"
    )
    return f"Sort by a key that holds {best}."


def _replacing(at: Context) -> bool:
    return at.subject.engine.endswith("ReplacingMergeTree")


def _sources(at: Context, key: set[str]) -> set[str]:
    """The Postgres columns that the key's columns are read from."""
    paths = {c.name: (c.jsonpath or c.name).removeprefix(at.place.root) for c in at.subject.columns}
    return {paths.get(name, name) for name in key}


def _old(at: Context, level: Level) -> Level:
    """An older fault is no reason to stop a change that does not touch it; before a rebuild it is asked about."""
    if at.change is None:
        return level
    return "warning" if at.rebuilds and level == "error" else "note"
