"""``sort by``: another sorting key, which is what rows replace each other by."""

from dataclasses import replace

from runbooks.changes.made import made
from runbooks.changes.postgres import table_name
from runbooks.changes.target import existing
from runbooks.errors import Refused
from runbooks.facts.model import Column, Datasource, Facts
from runbooks.fields import Where, where
from runbooks.lineage import Lineage
from runbooks.proof.fields import ch_name, comparable
from runbooks.questions import Count, Question
from runbooks.request import SortBy
from runbooks.strategies import Altered, PlannedChange
from runbooks.strategies.parts import DUPLICATES
from runbooks.types import clickhouse


def sort_by(target: Datasource, change: SortBy, facts: Facts, lineage: Lineage) -> tuple[PlannedChange, list[str]]:
    place = where(target, facts)
    columns = tuple(existing(target, name) for name in change.columns)
    _check(target, columns)
    key = tuple(column.name for column in columns)
    altered = Altered(target, replace(target, sorting_key=key))
    request = {"kind": "migrate", "change": "sort by", "datasource": target.name, "columns": list(key)}
    planned = made(change.kind, request, altered, place, facts, lineage)
    was = ", ".join(target.sorting_key) or "nothing"
    said = f"{target.name}: sorted by {was} until now"
    return replace(planned, questions=tuple(sharing(target, columns, place))), [said]


def _check(target: Datasource, columns: tuple[Column, ...]) -> None:
    names = [column.name for column in columns]
    for column in columns:
        kind = clickhouse.parse(column.type)
        if names.count(column.name) > 1:
            raise Refused(f"`{column.name}` is there twice.", column.name)
        if kind.nullable:
            raise Refused(
                f"`{column.name}` is {column.type}, and a sorting key takes no NULL: ask for `change field "
                f"{column.name} to {kind.core} default …` first.",
                column.name,
            )
        if column.name == target.version:
            raise Refused(
                f"`{column.name}` is the version of `{target.name}`: sorted by it, no row would ever replace another.",
                column.name,
            )
    if tuple(names) == target.sorting_key:
        raise Refused(f"`{target.name}` is sorted by {', '.join(names)} already.", names[0])
    if not target.engine.endswith("MergeTree"):
        raise Refused(f"`{target.name}` has the engine {target.engine}, which sorts nothing.", target.name)


def sharing(target: Datasource, columns: tuple[Column, ...], place: Where) -> list[Question]:
    """How many rows share a key with another, counted where the rows come from."""
    if not target.engine.endswith("ReplacingMergeTree"):
        return []
    if not place.replicated:
        key = ", ".join(ch_name(column.name) for column in columns)
        of = f"FROM {ch_name(target.name)} FINAL"
        return [Count(DUPLICATES, "tinybird", f"SELECT toString(count() - uniqExact(tuple({key}))) AS _n {of}")]
    known = {c.name: c for c in place.table.columns} if place.table else {}
    parts = [comparable(column, known) for column in columns]
    if place.table is None or not all(parts):
        return []
    key = " || chr(31) || ".join(part.postgres for part in parts if part)
    return [Count(DUPLICATES, "postgres", f"SELECT count(*) - count(DISTINCT {key}) FROM {table_name(place)}")]
