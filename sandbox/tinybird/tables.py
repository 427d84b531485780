"""What may be done to a data source; each keeps the state and the tables together."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sandbox.clickhouse import ClickHouseError
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.model import Datasource, Engine, Index, Node, Pipe
from sandbox.tinybird.resolve import dependencies
from sandbox.tinybird.sqltext import tokens
from sandbox.tinybird.workspace import DB, StaleSchema, Workspace

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_INDEX = re.compile(r"^\s*(?:INDEX\s+)?(\w+)\s+(.+?)\s+TYPE\s+(.+?)(?:\s+GRANULARITY\s+(\d+))?\s*$", re.IGNORECASE)
_ENGINES = (
    "MergeTree",
    "ReplacingMergeTree",
    "SummingMergeTree",
    "AggregatingMergeTree",
    "CollapsingMergeTree",
    "VersionedCollapsingMergeTree",
    "Null",
)


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > 200:
        raise ApiError(400, f"Invalid name '{name}': use letters, digits and _ , and begin with a letter or _")
    return name


def parse_index(text: str) -> Index:
    match = _INDEX.match(text)
    if match is None:
        raise ApiError(400, f"Invalid index '{text}'")
    return Index(match[1], match[2], match[3], match[4] or "1")


def check_engine(engine: Engine, source: Datasource) -> None:
    if engine.name not in _ENGINES:
        raise ApiError(400, f"Engine {engine.name} is not supported")
    if engine.name == "ReplacingMergeTree" and engine.options.get("sorting_key", "tuple()") in ("", "tuple()"):
        raise ApiError(400, "ReplacingMergeTree needs a sorting key")
    ver = engine.options.get("ver")
    if ver and source.column(ver) is None:
        raise ApiError(400, f"ENGINE_VER column '{ver}' is not in the schema")


def ddl(workspace: Workspace, source: Datasource, table: str | None = None) -> str:
    """CREATE TABLE for the source, under its own name or as ``table``."""
    parts = [column.ddl() for column in source.columns] + [index.ddl() for index in source.indexes]
    engine = source.engine
    if workspace.knob("insert_deduplication") and not engine.options.get("settings") and engine.name != "Null":
        engine = replace(engine, options={**engine.options, "settings": "non_replicated_deduplication_window = 100"})
    return f"CREATE TABLE {table or f'{DB}.`{source.name}`'} ({', '.join(parts)}) {engine.ddl()}"


async def create(workspace: Workspace, source: Datasource) -> None:
    """Make the table and enter it. ApiError 400 with ClickHouse's words, 409 when the name is taken."""
    check_name(source.name)
    if source.name in workspace.state.sources:
        raise ApiError(
            409, f'There is already a Data Source with name "{source.name}". Pick another name and try again.'
        )
    if source.name in workspace.state.pipes:
        raise ApiError(409, f'There is already a Pipe with name "{source.name}". Pick another name and try again.')
    check_engine(source.engine, source)
    try:
        await workspace.clickhouse.run(ddl(workspace, source))
    except ClickHouseError as exc:
        raise ApiError(400, str(exc), headers={"X-DB-Exception-Code": str(exc.code)}) from exc
    workspace.state.sources[source.name] = source


def note_old_schema(workspace: Workspace, source: Datasource) -> None:
    """For a while the events API may still know the columns as they were."""
    seconds = workspace.number("events_stale_schema_s")
    if seconds > 0:
        workspace.state.stale[source.name] = StaleSchema(workspace.now() + timedelta(seconds=seconds), source.columns)


async def truncate(workspace: Workspace, source: Datasource) -> None:
    await workspace.clickhouse.run(f"TRUNCATE TABLE {DB}.`{source.name}`")


async def ensure_quarantine(workspace: Workspace, source: Datasource) -> str:
    """The quarantine's table name; it is made at the first bad row (facts/tinybird.md §7)."""
    name = f"{source.name}_quarantine"
    if not source.quarantined:
        columns = ", ".join(f"`{column.name}` Nullable(String)" for column in source.columns)
        extra = "c__error_column Array(String), c__error Array(String), c__import_id Nullable(String)"
        await workspace.clickhouse.run(
            f"CREATE TABLE IF NOT EXISTS {DB}.`{name}` ({columns}, {extra}, "
            "insertion_date DateTime) ENGINE = MergeTree ORDER BY insertion_date"
        )
        source.quarantined = True
    return name


def readers(workspace: Workspace, name: str) -> list[tuple[Pipe, Node]]:
    """The nodes that name this data source or pipe themselves."""
    return [
        (pipe, node)
        for pipe in workspace.state.pipes.values()
        for node in pipe.nodes
        if name in dependencies(workspace, pipe, node)
    ]


def used_by(workspace: Workspace, source: Datasource) -> list[Pipe]:
    found = {pipe.id: pipe for pipe, _ in readers(workspace, source.name)}
    found |= {pipe.id: pipe for pipe in workspace.state.pipes.values() if pipe.copy_target == source.id}
    return list(found.values())


async def rename(workspace: Workspace, source: Datasource, new: str) -> None:
    """Give the table another name; the id stays. Whether SQL that names the old one follows is a knob."""
    check_name(new)
    if new in workspace.state.sources or new in workspace.state.pipes:
        raise ApiError(409, f'There is already a Data Source with name "{new}". Pick another name and try again.')
    old = source.name
    async with workspace.lock:
        await workspace.clickhouse.run(f"RENAME TABLE {DB}.`{old}` TO {DB}.`{new}`")
        if source.quarantined:
            await workspace.clickhouse.run(f"RENAME TABLE {DB}.`{old}_quarantine` TO {DB}.`{new}_quarantine`")
        if workspace.knob("rename_rewrites_references"):
            for _, node in readers(workspace, old):
                node.sql = _with_names(node.sql, {old: new})
        del workspace.state.sources[old]
        source.name, source.updated_at = new, workspace.now()
        workspace.state.sources[new] = source
        if workspace.knob("rename_moves_scopes"):
            for scope in (scope for token in workspace.state.tokens for scope in token.scopes):
                if scope.resource == old and scope.type.startswith("DATASOURCES:"):
                    scope.resource = new


def _with_names(sql: str, named: Mapping[str, str]) -> str:
    return "".join(
        named.get(token.name, token.text) if token.kind in ("word", "quoted") else token.text for token in tokens(sql)
    )


async def exchange(workspace: Workspace, a: Datasource, b: Datasource) -> None:
    """Let two data sources of the same schema change places, at once. Whether ids go with the tables, as they do when
    one is renamed, or stay with the names is a knob; so is whether other keys are another schema."""
    if not workspace.knob("exchange_enabled"):
        raise ApiError(403, "Exchanging Data Sources is not enabled in this workspace, contact support")
    same_keys = a.engine == b.engine or not workspace.knob("exchange_same_keys_only")
    if a.sql_schema != b.sql_schema or not same_keys or a is b:
        raise ApiError(400, f"Data Sources '{a.name}' and '{b.name}' do not have the same schema")
    async with workspace.lock:
        await workspace.clickhouse.run(f"EXCHANGE TABLES {DB}.`{a.name}` AND {DB}.`{b.name}`")
        await _exchange_quarantines(workspace, a, b)
        if workspace.knob("exchange_moves_ids"):
            _exchange_names(workspace, a, b)
        else:
            a.engine, b.engine = b.engine, a.engine
            a.indexes, b.indexes = b.indexes, a.indexes
            a.quarantined, b.quarantined = b.quarantined, a.quarantined
        a.updated_at = b.updated_at = workspace.now()


async def _exchange_quarantines(workspace: Workspace, a: Datasource, b: Datasource) -> None:
    one, other = f"{DB}.`{a.name}_quarantine`", f"{DB}.`{b.name}_quarantine`"
    if a.quarantined and b.quarantined:
        await workspace.clickhouse.run(f"EXCHANGE TABLES {one} AND {other}")
    elif a.quarantined or b.quarantined:
        there, free = (one, other) if a.quarantined else (other, one)
        await workspace.clickhouse.run(f"RENAME TABLE {there} TO {free}")


def _exchange_names(workspace: Workspace, a: Datasource, b: Datasource) -> None:
    """Each takes the other's name; what a rename takes along goes with it."""
    named = {a.name: b.name, b.name: a.name}
    if workspace.knob("rename_rewrites_references"):
        reading = {node.id: node for name in named for _, node in readers(workspace, name)}
        for node in reading.values():
            node.sql = _with_names(node.sql, named)
    a.name, b.name = b.name, a.name
    workspace.state.sources |= {a.name: a, b.name: b}
    if workspace.knob("rename_moves_scopes"):
        for scope in (scope for token in workspace.state.tokens for scope in token.scopes):
            if scope.resource in named and scope.type.startswith("DATASOURCES:"):
                scope.resource = named[scope.resource]


async def delete(workspace: Workspace, source: Datasource, *, force: bool) -> None:
    """Drop the table. 409 when it feeds a materialized view, or is the target of one and ``force`` is not set."""
    materialized = [(pipe, node) for pipe in workspace.state.pipes.values() for node in pipe.nodes if node.materialized]
    feeding = [pipe.name for pipe, node in materialized if source.name in dependencies(workspace, pipe, node)]
    if feeding:
        raise ApiError(409, f"The Data Source '{source.name}' has downstream Materialized Views: {', '.join(feeding)}")
    targets = [(pipe, node) for pipe, node in materialized if node.materialized == source.id]
    if targets and not force:
        names = ", ".join(pipe.name for pipe, _ in targets)
        raise ApiError(
            409, f"The Data Source '{source.name}' is a Materialized View of {names}: unlink it first or use force=true"
        )
    async with workspace.lock:
        for _, node in targets:
            await unlink(workspace, node)
        await workspace.clickhouse.run(f"DROP TABLE {DB}.`{source.name}`")
        if source.quarantined:
            await workspace.clickhouse.run(f"DROP TABLE IF EXISTS {DB}.`{source.name}_quarantine`")
        note_old_schema(workspace, source)
        del workspace.state.sources[source.name]
        _forget(workspace, source)


def _forget(workspace: Workspace, source: Datasource) -> None:
    for tag in workspace.state.tags.values():
        tag.resources = [resource for resource in tag.resources if resource["id"] != source.id]
    if workspace.knob("delete_drops_scopes"):
        for token in workspace.state.tokens:
            token.scopes = [
                scope
                for scope in token.scopes
                if scope.resource != source.name or not scope.type.startswith("DATASOURCES:")
            ]


def view_name(node: Node) -> str:
    return f"mv_{node.id}"


async def unlink(workspace: Workspace, node: Node) -> None:
    """Take the view away; the target and its rows stay."""
    await workspace.clickhouse.run(f"DROP VIEW IF EXISTS {DB}.`{view_name(node)}`")
    node.materialized, node.type = None, "standard"
