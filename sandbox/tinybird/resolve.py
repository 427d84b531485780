"""From a pipe, or SQL that names pipes, to SQL that names tables only: pipes and nodes become CTEs."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from sandbox.tinybird.errors import ApiError, no_pipe
from sandbox.tinybird.model import Node, Pipe
from sandbox.tinybird.sqltext import TableName, at_time, tables, tokens
from sandbox.tinybird.template import declared, render
from sandbox.tinybird.workspace import Workspace

_DEEPEST = 20


def sql_of(
    workspace: Workspace,
    pipe: Pipe,
    parameters: Mapping[str, Any],
    node: Node | None = None,
    at: datetime | None = None,
) -> str:
    """The SQL that gives the pipe's (or that node's) rows, at the platform's time or at another one."""
    return at_time(_pipe_sql(workspace, pipe, node or pipe.output, parameters, 0), at or workspace.now())


def query(workspace: Workspace, sql: str, parameters: Mapping[str, Any], pipe: Pipe | None = None) -> str:
    """A query as it is sent to ``/v0/sql``, or as ``q`` of an endpoint, where ``_`` is the pipe."""
    rendered = render(sql, parameters)
    found: list[str] = []
    if pipe is not None:
        found.append(f"`_` AS ({_pipe_sql(workspace, pipe, pipe.output, parameters, 0)})")
    found += _ctes(workspace, None, rendered, parameters, 0)
    return at_time(_with(found, rendered), workspace.now())


def _pipe_sql(workspace: Workspace, pipe: Pipe, node: Node, parameters: Mapping[str, Any], depth: int) -> str:
    if depth > _DEEPEST:
        raise ApiError(400, f"Pipe '{pipe.name}' has a circular dependency")
    rendered = render(node.sql, parameters)
    return _with(_ctes(workspace, pipe, rendered, parameters, depth), rendered)


def _ctes(workspace: Workspace, pipe: Pipe | None, sql: str, parameters: Mapping[str, Any], depth: int) -> list[str]:
    found: list[str] = []
    for table in tables(sql):
        if table.called or table.database:
            continue
        inner = pipe.node(table.name) if pipe else None
        if inner is not None and pipe is not None:
            found.append(f"`{table.name}` AS ({_pipe_sql(workspace, pipe, inner, parameters, depth + 1)})")
        elif (other := workspace.pipe(table.name)) is not None and table.name == other.name:
            found.append(f"`{table.name}` AS ({_pipe_sql(workspace, other, other.output, parameters, depth + 1)})")
    return found


def _with(ctes: list[str], sql: str) -> str:
    if not ctes:
        return sql
    parts = tokens(sql)
    first = next((i for i, token in enumerate(parts) if token.kind != "space" and not token.says("(")), None)
    if first is not None and parts[first].says("WITH"):
        before = "".join(token.text for token in parts[:first])
        rest = "".join(token.text for token in parts[first + 1 :])
        return f"{before}WITH {', '.join(ctes)}, {rest}"
    if sql.lstrip().startswith("("):
        sql = f"SELECT * FROM ({sql})"
    return f"WITH {', '.join(ctes)} {sql.lstrip()}"


@lru_cache(2048)
def _named(sql: str) -> tuple[TableName, ...]:
    return tuple(table for table in tables(declared(sql)) if not table.called)


def dependencies(workspace: Workspace, pipe: Pipe, node: Node) -> list[str]:
    """Names of the data sources and pipes that the node reads, every branch of its template counted."""
    own = {other.name for other in pipe.nodes}
    named = _named(node.sql)
    return list(
        dict.fromkeys(
            f"{table.database}.{table.name}" if table.database else table.name
            for table in named
            if table.name not in own
        )
    )


def all_dependencies(workspace: Workspace, pipe: Pipe) -> set[str]:
    """Names of data sources that the pipe reaches, through other pipes too."""
    seen: set[str] = set()
    open_names = [name for node in pipe.nodes for name in dependencies(workspace, pipe, node)]
    while open_names:
        name = open_names.pop()
        if name in seen:
            continue
        seen.add(name)
        other = workspace.state.pipes.get(name)
        if other is not None:
            open_names += [inner for node in other.nodes for inner in dependencies(workspace, other, node)]
    return {name for name in seen if name in workspace.state.sources}


def must_have(workspace: Workspace, key: str) -> Pipe:
    pipe = workspace.pipe(key)
    if pipe is None:
        raise no_pipe(key)
    return pipe
