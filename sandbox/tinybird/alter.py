"""``alter``: from the live schema to the one that is sent, if Classic can do it in place (facts/tinybird.md §2)."""

import re
from dataclasses import dataclass, field

from sandbox.clickhouse import ClickHouseError
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.model import Datasource, Index
from sandbox.tinybird.schema import Column
from sandbox.tinybird.tables import note_old_schema
from sandbox.tinybird.workspace import DB, Workspace


@dataclass
class Wanted:
    """What the request asks for; None leaves a thing as it is."""

    columns: tuple[Column, ...] | None = None
    description: str | None = None
    ttl: str | None = None
    indexes: tuple[Index, ...] | None = None


@dataclass
class Changes:
    """The operations as Tinybird words them, and the statements that carry them out."""

    operations: list[str] = field(default_factory=list[str])
    statements: list[str] = field(default_factory=list[str])
    added: list[Column] = field(default_factory=list[Column])

    def add(self, operation: str, statement: str | None = None) -> None:
        self.operations.append(operation)
        if statement is not None:
            self.statements.append(statement)


def plan(workspace: Workspace, source: Datasource, wanted: Wanted) -> Changes:
    """What has to be done. ApiError 400 for what cannot be done in place, or when there is nothing to do."""
    changes = Changes()
    if wanted.columns is not None:
        _columns(workspace, source, wanted.columns, changes)
    if wanted.indexes is not None:
        _indexes(source, wanted.indexes, changes)
    if wanted.ttl is not None and wanted.ttl != source.engine.options.get("ttl", ""):
        remove = wanted.ttl in ("", "false")
        changes.add(
            "REMOVE TTL" if remove else f"MODIFY TTL {wanted.ttl}",
            "REMOVE TTL" if remove else f"MODIFY TTL {wanted.ttl}",
        )
    if wanted.description is not None and wanted.description != source.description:
        changes.add("MODIFY COMMENT")
    if not changes.operations:
        raise ApiError(400, "There were no operations to perform")
    return changes


def _columns(workspace: Workspace, source: Datasource, wanted: tuple[Column, ...], changes: Changes) -> None:
    names = {column.name for column in wanted}
    for column in source.columns:
        if column.name not in names:
            raise ApiError(400, f"Removing columns is not supported: '{column.name}' is missing in the new schema")
    previous: str | None = None
    for column in wanted:
        live = source.column(column.name)
        if live is None:
            if bool(column.jsonpath) != (source.format == "ndjson"):
                has = "needs a jsonpath" if source.format == "ndjson" else "cannot have a jsonpath"
                raise ApiError(400, f"The new column '{column.name}' {has}")
            where = f" AFTER `{previous}`" if previous else " FIRST"
            changes.add(f"ADD COLUMN {column.text()}", f"ADD COLUMN {column.ddl()}{where}")
            changes.added.append(column)
        elif column != live:
            _modify(workspace, source, live, column, changes)
        previous = column.name


def _modify(workspace: Workspace, source: Datasource, live: Column, column: Column, changes: Changes) -> None:
    if column.jsonpath != live.jsonpath:
        raise ApiError(400, f"Changing the jsonpath of column '{column.name}' is not supported")
    if _squeezed(column.type) != _squeezed(live.type):
        if _squeezed(column.type) != f"Nullable({_squeezed(live.type)})":
            raise ApiError(
                400, f"Changing the type of column '{column.name}' from {live.type} to {column.type} is not supported"
            )
        keys = re.findall(r"\w+", " ".join(source.engine.options.values()))
        if column.name in keys:
            raise ApiError(400, f"Column '{column.name}' is used by the engine and cannot be made nullable")
        changes.add(f"MODIFY COLUMN `{column.name}` {column.type}", f"MODIFY COLUMN {column.ddl()}")
    elif column.default != live.default:
        if not workspace.knob("alter_changes_default"):
            raise ApiError(400, f"Changing the default of column '{column.name}' is not supported")
        remove = column.default is None
        text = f"`{column.name}` REMOVE DEFAULT" if remove else f"`{column.name}` DEFAULT {column.default}"
        changes.add(f"MODIFY COLUMN {text}", f"MODIFY COLUMN {text}")
    else:
        raise ApiError(400, f"Changing the codec of column '{column.name}' is not supported")


def _squeezed(kind: str) -> str:
    return re.sub(r"\s+", "", kind)


def _indexes(source: Datasource, wanted: tuple[Index, ...], changes: Changes) -> None:
    for index in source.indexes:
        if index not in wanted:
            changes.add(f"DROP INDEX {index.name}", f"DROP INDEX {index.name}")
    for index in wanted:
        if index not in source.indexes:
            changes.add(f"ADD {index.ddl()}", f"ADD {index.ddl()}")


async def carry_out(workspace: Workspace, source: Datasource, wanted: Wanted, changes: Changes, *, dry: bool) -> None:
    """Alter the table, all or nothing; ``dry`` tries it on an empty twin. ApiError 400 with ClickHouse's words."""
    async with workspace.lock:
        twin = f"staging.`try_{source.id}`"
        try:
            await workspace.clickhouse.run(f"CREATE TABLE {twin} AS {DB}.`{source.name}`")
            await _alter(workspace, twin, changes)
            if not dry:
                await _alter(workspace, f"{DB}.`{source.name}`", changes)
        except ClickHouseError as exc:
            raise ApiError(400, str(exc), headers={"X-DB-Exception-Code": str(exc.code)}) from exc
        finally:
            await workspace.clickhouse.run(f"DROP TABLE IF EXISTS {twin}")
        if dry:
            return
        if source.quarantined:
            more = [f"ADD COLUMN IF NOT EXISTS `{column.name}` Nullable(String)" for column in changes.added]
            await _alter(workspace, f"{DB}.`{source.name}_quarantine`", Changes(statements=more))
        note_old_schema(workspace, source)
        _enter(workspace, source, wanted)


async def _alter(workspace: Workspace, table: str, changes: Changes) -> None:
    if changes.statements:
        await workspace.clickhouse.run(f"ALTER TABLE {table} {', '.join(changes.statements)}")


def _enter(workspace: Workspace, source: Datasource, wanted: Wanted) -> None:
    if wanted.columns is not None:
        source.columns = wanted.columns
    if wanted.description is not None:
        source.description = wanted.description
    if wanted.indexes is not None:
        source.indexes = wanted.indexes
    if wanted.ttl is not None:
        options = {key: value for key, value in source.engine.options.items() if key != "ttl"}
        source.engine = type(source.engine)(
            source.engine.name, options | ({"ttl": wanted.ttl} if wanted.ttl not in ("", "false") else {})
        )
    source.updated_at = workspace.now()
