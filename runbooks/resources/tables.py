"""What a data source is changed by in place; and what needs a migration, with the line that makes one."""

from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.facts.model import Column, Datasource, Index
from runbooks.guards import digest_of_schema
from runbooks.resources.differences import Difference
from runbooks.step import Step
from runbooks.steps.datasource_alter import AlterDatasource, NewColumn
from runbooks.steps.datasource_modify import AddSkipIndex, DescribeDatasource, SetColumnDefault, lines_of
from runbooks.steps.datasource_push import CreatePushed
from runbooks.steps.standing import Standing


@dataclass(frozen=True)
class Needs:
    """What a push cannot bring about: what differs, and what to do instead."""

    said: str
    instead: str


def steps(one: Difference) -> Iterator[Step]:
    """In place, or made new; nothing for one that needs a migration: then all of it goes by that."""
    git, live = one.git, one.live
    if not isinstance(git, Datasource):
        return
    if not isinstance(live, Datasource):
        yield CreatePushed.of(Standing(name=git.name, id="", planned=digest_of_schema(git)), git)
        return
    if any(needs(git, live)):
        return
    if added := new_columns(git, live):
        yield AlterDatasource(name=git.name, add=tuple(NewColumn.of(column) for column in added))
    for column in _redefaulted(git, live):
        yield SetColumnDefault(name=git.name, column=column.name, default=column.default)
    for index in git.indexes:
        if index.name not in {known.name for known in live.indexes}:
            yield AddSkipIndex.of(git.name, index)
    if lines_of(git.description) != lines_of(live.description):
        yield DescribeDatasource(name=git.name, description=git.description)


def held(one: Difference) -> bool:
    """Whether it needs a migration first."""
    return isinstance(one.git, Datasource) and isinstance(one.live, Datasource) and any(needs(one.git, one.live))


def new_columns(git: Datasource, live: Datasource) -> tuple[Column, ...]:
    return tuple(column for column in git.columns if live.column(column.name) is None)


def needs(git: Datasource, live: Datasource) -> Iterator[Needs]:
    """What ``tb push --force`` leaves as it is without a word (facts/tinybird.md §10), or what ``alter`` refuses."""
    name = git.name
    if _keys(git.sorting_key) != _keys(live.sorting_key):
        columns = ", ".join(git.sorting_key)
        yield Needs(
            f"its sorting key is {_listed(live)}, and {_listed(git)} in git", f"/tb migrate {name} sort by {columns}"
        )
    for what, here, there in (
        ("engine", live.engine, git.engine),
        ("partition key", live.partition_key, git.partition_key),
        ("version", live.version, git.version),
        ("TTL", live.ttl, git.ttl),
        ("settings", live.settings, git.settings),
    ):
        if _squeezed(here) != _squeezed(there):
            yield Needs(f"its {what} is {here or 'none'}, and {there or 'none'} in git", "")
    for column in live.columns:
        if git.column(column.name) is None:
            yield Needs(f"git has no {column.name} any more", f"/tb migrate {name} remove field {column.name}")
    for column in git.columns:
        yield from _column(name, column, live.column(column.name))
    for index in live.indexes:
        other = next((known for known in git.indexes if known.name == index.name), None)
        if other is None or _index(other) != _index(index):
            yield Needs(f"its index {index.name} is {'another' if other else 'not'} in git", "")


def _column(name: str, git: Column, live: Column | None) -> Iterator[Needs]:
    if live is None:
        return
    if _squeezed(git.type) != _squeezed(live.type):
        line = f"/tb migrate {name} change field {git.name} to {git.type}"
        yield Needs(f"{git.name} is {live.type}, and {git.type} in git", line)
    for what, here, there in (
        ("path", live.jsonpath, git.jsonpath),
        ("codec", live.codec, git.codec),
        ("expression", live.materialized, git.materialized),
    ):
        if _squeezed(here or "") != _squeezed(there or ""):
            yield Needs(f"the {what} of {git.name} is {here or 'none'}, and {there or 'none'} in git", "")


def _redefaulted(git: Datasource, live: Datasource) -> Iterator[Column]:
    for column in git.columns:
        before = live.column(column.name)
        if before and _default(before) != _default(column):
            yield column


def _default(column: Column) -> str:
    text = (column.default or "").strip()
    return "" if text.upper() == "NULL" else text


def _index(index: Index) -> tuple[str, str]:
    return _squeezed(index.expression), _squeezed(index.type)


def _keys(keys: tuple[str, ...]) -> list[str]:
    return [_squeezed(key) for key in keys]


def _listed(of: Datasource) -> str:
    return ", ".join(of.sorting_key) or "none"


def _squeezed(text: str) -> str:
    return "".join(text.replace("`", "").split())
