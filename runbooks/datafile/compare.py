"""Two datafiles of one data source beside each other: in which of their parts they differ, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from runbooks.datafile.lines import directives
from runbooks.facts.model import Column, Datasource

_PARTS: Mapping[str, str] = {
    "engine": "engine",
    "sorting_key": "sorting key",
    "partition_key": "partition key",
    "version": "version",
    "ttl": "TTL",
    "settings": "settings",
    "engine_options": "engine's options",
    "indexes": "indexes",
    "tags": "tags",
    "directives": "directives",
}
NO_PART = frozenset[str]()


def differing(old: Datasource, new: Datasource, known: frozenset[str] = NO_PART) -> Iterator[str]:
    """``age goes``, ``sorting key changes``: what a new one does to an old one. ``known`` are the columns and parts
    whose difference is wanted. A description that only grows is no difference."""
    before, after = ({column.name: column for column in each.columns} for each in (old, new))
    for name in (n for n in before if n not in after and n not in known):
        yield f"{name} goes"
    for name in (n for n in after if n not in before and n not in known):
        yield f"{name} comes"
    for name, column in before.items():
        other = after.get(name)
        if other and name not in known and _bare(other) != _bare(column):
            yield f"{name} changes"
    order = [n for n in before if n in after and n not in known], [n for n in after if n in before and n not in known]
    if order[0] != order[1]:
        yield "the columns' order changes"
    yield from (
        f"{said} changes" for part, said in _PARTS.items() if part not in known and _of(old, part) != _of(new, part)
    )
    if _lines(old) - _lines(new) - {line for line in _lines(old) if any(f"`{name}`" in line for name in known)}:
        yield "lines of the description go"


def not_kept(name: str, text: str) -> Iterator[str]:
    """What a file made anew does not have, as no reader keeps it: rights and remarks. Raises ``DatafileError``."""
    tokens = sum(directive.keyword == "token" for directive in directives(name, text))
    if tokens:
        yield f"{tokens} TOKEN {'line' if tokens == 1 else 'lines'}"
    remarks = sum(line.lstrip().startswith("#") for line in text.splitlines())
    if remarks:
        yield f"{remarks} {'comment' if remarks == 1 else 'comments'}"


def _of(datasource: Datasource, part: str) -> object:
    found = getattr(datasource, part)
    return sorted(found) if part in ("tags", "engine_options", "directives") else found


def _lines(datasource: Datasource) -> set[str]:
    return {line.strip() for line in datasource.description.splitlines() if line.strip()}


def _bare(column: Column) -> Column:
    return replace(column, default=(column.default or "").strip() or None)
