"""Datafiles read into facts. ``TOKEN`` lines are not kept: a pulled file grants nothing (facts/estate.md §1)."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from cronsim import CronSimError

from runbooks.datafile.lines import Directive, directives, unquoted
from runbooks.datafile.schema import read_columns, read_index, split_top
from runbooks.errors import DatafileError
from runbooks.facts.model import Column, Datasource, Index, Node, Pipe, PipeKind
from runbooks.schedules import SOME_DAY, runs_of

_DROPPED = frozenset({"token", "test", "from"})
_OLD_ENGINE_WORDS = frozenset({"sorting_key", "partition_key", "primary_key", "sampling_key", "ttl"})


def read_datasource(name: str, text: str) -> Datasource:
    """The data source ``name`` from its ``.datasource`` file. Raises ``DatafileError``."""
    file = f"{name}.datasource"
    read = _Read(file)
    for directive in directives(file, text):
        read.take(directive)
    if not read.columns:
        raise DatafileError(file, 0, "there is no SCHEMA with a column in it")
    engine = dict(read.engine)
    unsorted = engine.get("sorting_key", "").replace(" ", "") == "tuple()"
    empty = tuple((key, "") for key, value in engine.items() if not value)  # ENGINE_PARTITION_KEY "" stays written
    return Datasource(
        name=name,
        columns=read.columns,
        engine=read.engine_type or "MergeTree",
        sorting_key=tuple(split_top("" if unsorted else engine.pop("sorting_key", ""), ",")),
        partition_key=engine.pop("partition_key", ""),
        version=engine.pop("ver", ""),
        ttl=engine.pop("ttl", ""),
        settings=engine.pop("settings", ""),
        indexes=read.indexes,
        description=read.description,
        tags=read.tags,
        shared=any(keyword == "SHARED_WITH" and names.strip() for keyword, names in read.rest),
        engine_options=tuple((key.upper(), value) for key, value in sorted({*engine.items(), *empty})),
        directives=tuple(read.rest),
    )


def read_pipe(name: str, text: str) -> Pipe:
    """The pipe ``name`` from its ``.pipe`` file; SQL as it stands, templates and a leading ``%`` included.

    A pipe without a type is read as an endpoint: pushing it publishes its last node (facts/tinybird.md §3).
    Raises ``DatafileError``.
    """
    file = f"{name}.pipe"
    head, nodes = _Read(file), list[_Read]()
    for directive in directives(file, text):
        if directive.keyword == "node":
            if not directive.words:
                raise DatafileError(file, directive.line, "NODE has no name")
            nodes.append(_Read(file, node=unquoted(directive.words[0])))
        elif directive.keyword == "tags":
            head.take(directive)  # wherever it stands it belongs to the pipe
        else:
            (nodes[-1] if nodes else head).take(directive)
    if not nodes:
        raise DatafileError(file, 0, "there is no NODE in it")
    built = tuple(_node(file, read) for read in nodes)
    return Pipe(
        name=name,
        nodes=built,
        kind=_kind_of(built),
        description=head.description,
        tags=head.tags,
        directives=tuple(head.rest),
    )


@dataclass
class _Read:
    """What the directives of a data source, of a pipe's head or of one node have said so far."""

    file: str
    node: str = ""
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    engine_type: str = ""
    engine: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    description: str = ""
    tags: tuple[str, ...] = ()
    sql: str = ""
    node_type: str = ""
    target: str | None = None
    mode: str | None = None
    schedule: str | None = None
    rest: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def take(self, directive: Directive) -> None:
        keyword, value = directive.keyword, _text(directive)
        if directive.block is None:
            value = unquoted(value)  # quotes around a block are the text's own
        if keyword == "description" and directive.block is None:
            value = " ".join(directive.words)  # quotes in it are the text's own
        if keyword in _DROPPED:
            return
        if keyword in _OLD_ENGINE_WORDS or keyword.startswith("engine_"):
            self.engine.append((keyword.removeprefix("engine_"), value))
        elif reader := _READERS.get(keyword):
            try:
                reader(self, value)
            except ValueError as exc:
                raise DatafileError(self.file, directive.line, str(exc)) from exc
        else:
            self.rest.append((keyword.upper(), _text(directive) if keyword == "include" else value))


def _text(directive: Directive) -> str:
    if directive.block is None:
        return directive.value
    if directive.keyword == "sql":
        return textwrap.dedent("\n".join(directive.block)).strip("\n").rstrip()
    return "\n".join(line.strip() for line in directive.block if line.strip())


def _schema(read: _Read, value: str) -> None:
    read.columns = read_columns(value)


def _indexes(read: _Read, value: str) -> None:
    read.indexes = tuple(read_index(line) for line in value.splitlines() if line.strip())


def _tags(read: _Read, value: str) -> None:
    read.tags += tuple(tag.strip() for tag in value.split(",") if tag.strip())


def _schedule(read: _Read, value: str) -> None:
    if not value.startswith("@"):
        try:
            runs_of(value, SOME_DAY)
        except CronSimError as exc:
            raise ValueError(f"COPY_SCHEDULE {value} is no cron expression such as 8 * * * *") from exc
    read.schedule = value


def _set(attribute: str, change: Callable[[str], Any] = str) -> Callable[[_Read, str], None]:
    return lambda read, value: setattr(read, attribute, change(value))


_READERS: dict[str, Callable[[_Read, str], None]] = {
    "schema": _schema,
    "indexes": _indexes,
    "indices": _indexes,
    "tags": _tags,
    "engine": _set("engine_type"),
    "description": _set("description"),
    "sql": _set("sql"),
    "type": _set("node_type", str.lower),
    "target_datasource": _set("target"),
    "datasource": _set("target"),
    "copy_mode": _set("mode", str.lower),
    "mode": _set("mode", str.lower),
    "copy_schedule": _schedule,
}

_NODE_KINDS = {
    "": "standard",
    "standard": "standard",
    "endpoint": "endpoint",
    "copy": "copy",
    "materialized": "materialized",
    "sink": "sink",
    "stream": "sink",
}


def _node(file: str, read: _Read) -> Node:
    if read.node_type not in _NODE_KINDS:
        raise DatafileError(
            file, 0, f"node {read.node} has the type {read.node_type}, which Tinybird Classic does not know"
        )
    needs = {"copy": "TARGET_DATASOURCE", "materialized": "DATASOURCE"}.get(read.node_type)
    if needs and not read.target:
        raise DatafileError(file, 0, f"node {read.node} is of type {read.node_type} and has no {needs}")
    engine = [("ENGINE", read.engine_type)] if read.engine_type else []
    node = Node(
        name=read.node,
        sql=read.sql,
        description=read.description,
        target=read.target,
        directives=(*engine, *((f"ENGINE_{k.upper()}", v) for k, v in sorted(read.engine)), *read.rest),
    )
    match _NODE_KINDS[read.node_type]:
        case "copy":
            return replace(node, kind="copy", mode=read.mode or "append", schedule=read.schedule or "@on-demand")
        case "materialized":
            return replace(node, kind="materialized")
        case "endpoint":
            return replace(node, kind="endpoint")
        case "sink":
            return replace(node, kind="sink")
        case _:
            return node


def _kind_of(nodes: tuple[Node, ...]) -> PipeKind:
    kinds = [node.kind for node in nodes if node.kind != "standard"]
    match kinds:
        case [*_, ("copy" | "materialized" | "sink") as kind]:
            return kind
        case _:
            return "endpoint"
