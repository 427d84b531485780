"""Who sees rows twice that are written once more into a table which stays readable (facts/procedures.md §2.5): readers
without FINAL until they merge, and what sums at the end of a chain of materialized views for ever."""

from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.facts.model import Datasource, Facts
from runbooks.lineage import Link
from runbooks.strategies.change import PlannedChange


@dataclass(frozen=True)
class Doubled:
    """A reader of ``table`` without FINAL; ``pages`` are the endpoints that answer by it, itself included."""

    reader: str
    table: str
    pages: tuple[str, ...]


def readers(change: PlannedChange, facts: Facts) -> Iterator[Doubled]:
    """Of the table itself, and of what views fill from it: rows that come again stand there twice until they merge."""
    chain = change.lineage.materialized_chain(change.name)
    filled = [change.name, *(link.target for link in chain if keeps_one_row(facts, link))]
    for table in filled if replacing(change.target.before) else ():
        found = change.lineage.readers(table)
        for reader in found:
            if reader.kind == "materialized" or not _without_final(change, reader.name, table):
                continue  # a view sees each block that is written, and nothing else
            pages = [r.name for r in found if r.kind == "endpoint" and reader.name in change.lineage.inlined(r.name)]
            yield Doubled(reader.name, table, tuple(pages))


def sums(change: PlannedChange, facts: Facts) -> Iterator[Link]:
    """The views whose targets would count each such row once more."""
    for link in change.lineage.materialized_chain(change.name):
        if not keeps_one_row(facts, link):
            yield link


def keeps_one_row(facts: Facts, link: Link) -> bool:
    """Rows that come twice into the target replace each other, as they do in what feeds it: by the same columns, in
    whatever order."""
    source, target = facts.datasources.get(link.source), facts.datasources.get(link.target)
    return bool(source and target and replacing(target) and set(target.sorting_key) == set(source.sorting_key))


def replacing(table: Datasource) -> bool:
    return table.engine.endswith("ReplacingMergeTree")


def _without_final(change: PlannedChange, pipe: str, table: str) -> bool:
    uses = [u.use for u in change.lineage.uses(table) if u.pipe == pipe and u.use]
    return bool(uses) and not all(use.final for use in uses)
