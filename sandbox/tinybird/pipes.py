"""What may be done to a pipe: create or replace, publish, copy nodes; each keeps the state whole."""

import textwrap
from typing import Any

from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.jobs import Jobs, check_cron
from sandbox.tinybird.model import Node, Pipe
from sandbox.tinybird.resolve import dependencies
from sandbox.tinybird.sinks import set_sink
from sandbox.tinybird.sqltext import must_be_select
from sandbox.tinybird.tables import check_name
from sandbox.tinybird.template import declared, parameters_of
from sandbox.tinybird.workspace import Workspace


def make_node(workspace: Workspace, given: dict[str, Any], fallback: str) -> Node:
    """A node from what a client posts. ApiError 400 for SQL that is no SELECT or a template that cannot be read."""
    sql = _dedented(str(given.get("sql", "")))
    must_be_select(declared(sql))
    now = workspace.now()
    kind = str(given.get("type") or "standard").lower()
    return Node(
        check_name(str(given.get("name") or fallback)),
        sql,
        now,
        now,
        description=str(given.get("description") or ""),
        type=kind if kind in ("copy", "materialized", "sink") else "standard",
        params=parameters_of(sql),
    )


def _dedented(sql: str) -> str:
    """The CLI sends a template's lines behind ``%`` with the datafile's indent: take that away."""
    first, newline, rest = sql.partition("\n")
    return first + newline + textwrap.dedent(rest) if first.strip() == "%" else sql


def put_pipe(workspace: Workspace, jobs: Jobs, given: dict[str, Any], *, force: bool, check: bool) -> Pipe:
    """Create the pipe, or replace it whole; ids of the pipe and of nodes of the same name stay."""
    name = check_name(str(given.get("name") or ""))
    old = workspace.state.pipes.get(name)
    if old is not None and not force:
        raise ApiError(409, f'There is already a Pipe with name "{name}". Pick another name and try again.')
    if name in workspace.state.sources:
        raise ApiError(409, f'There is already a Data Source with name "{name}". Pick another name and try again.')
    nodes = [make_node(workspace, one, f"{name}_{i}") for i, one in enumerate(given.get("nodes") or [])]
    if not nodes:
        raise ApiError(400, "A pipe needs at least one node")
    if any(node.name == name for node in nodes):
        raise ApiError(400, f"The node '{name}' has the name of its pipe; pick another name")
    now = workspace.now()
    pipe = Pipe(name, nodes, now, now, description=str(given.get("description") or ""))
    if old is not None:
        _take_over(old, pipe)
    if check:
        _check_names(workspace, pipe)
    _copy_of_push(workspace, pipe, given)
    for node in (node for node in nodes if node.type == "sink"):
        set_sink(workspace, jobs, pipe, node, given)
    workspace.state.pipes[name] = pipe
    jobs.plan(pipe)
    return pipe


def _take_over(old: Pipe, pipe: Pipe) -> None:
    pipe.id, pipe.created_at = old.id, old.created_at
    for node in pipe.nodes:
        before = old.node(node.name)
        if before is not None:
            node.id, node.created_at = before.id, before.created_at
    if old.type == "endpoint" and pipe.type == "default":
        (pipe.node(old.output.name) or pipe.nodes[-1]).type = "endpoint"


def _check_names(workspace: Workspace, pipe: Pipe) -> None:
    for node in pipe.nodes:
        for name in dependencies(workspace, pipe, node):
            if (
                "." not in name
                and name not in workspace.state.sources
                and name not in workspace.state.pipes
                and name != pipe.name
            ):
                raise ApiError(400, f"Resource '{name}' not found (node '{node.name}')")


def _copy_of_push(workspace: Workspace, pipe: Pipe, given: dict[str, Any]) -> None:
    """The copy node that comes with a pushed pipe: its target and mode; the schedule follows by PUT."""
    for node, one in zip(pipe.nodes, given.get("nodes") or [], strict=True):
        if node.type == "copy":
            set_target(workspace, pipe, str(one.get("target_datasource") or given.get("target_datasource") or ""))
            pipe.copy_mode = check_mode(str(one.get("mode") or "append"))
            cron = given.get("schedule_cron")
            pipe.cron = check_cron(str(cron)) if cron not in (None, "", "None", "@on-demand") else None


def check_mode(mode: str) -> str:
    if mode not in ("append", "replace"):
        raise ApiError(400, f"Invalid copy mode '{mode}': use append or replace")
    return mode


def set_target(workspace: Workspace, pipe: Pipe, key: str) -> None:
    target = workspace.source(key)
    if target is None:
        raise ApiError(400, f"The target Data Source '{key}' does not exist")
    pipe.copy_target = target.id


def publish(workspace: Workspace, pipe: Pipe, node: Node) -> None:
    if pipe.type in ("copy", "materialized", "sink"):
        raise ApiError(403, f"The pipe '{pipe.name}' is already {pipe.type}: a pipe has one output, unlink it first")
    for other in pipe.nodes:
        other.type = "endpoint" if other is node else "standard"
    pipe.updated_at = workspace.now()


def set_copy(workspace: Workspace, jobs: Jobs, pipe: Pipe, node: Node, given: dict[str, str]) -> None:
    """Make ``node`` the copy node, or change its target, mode or schedule; what is not given stays."""
    if pipe.type in ("endpoint", "materialized", "sink"):
        raise ApiError(403, f"The pipe '{pipe.name}' is already {pipe.type}: a pipe has one output, unlink it first")
    if given.get("target_datasource"):
        set_target(workspace, pipe, given["target_datasource"])
    if pipe.copy_target is None:
        raise ApiError(400, "Parameter 'target_datasource' is required")
    if given.get("mode"):
        pipe.copy_mode = check_mode(given["mode"])
    if "schedule_cron" in given:
        cron = given["schedule_cron"]
        pipe.cron = None if cron in ("None", "", "@on-demand") else check_cron(cron)
    for other in pipe.nodes:
        other.type = "copy" if other is node else "standard"
    pipe.updated_at = workspace.now()
    jobs.plan(pipe)


def unset_copy(workspace: Workspace, pipe: Pipe, node: Node) -> None:
    if node.type != "copy":
        raise ApiError(400, f"The node '{node.name}' is not a copy node")
    node.type = "standard"
    pipe.copy_target = pipe.cron = pipe.next_tick = None
    pipe.paused = False
    pipe.updated_at = workspace.now()
