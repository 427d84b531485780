"""``/v0/pipes``: list, get, push, nodes, publishing, copies (facts/tinybird.md §3, §4)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.tinybird import datafiles, materialized, pipes, tables
from sandbox.tinybird.api import sql, views
from sandbox.tinybird.api.access import require, token_of
from sandbox.tinybird.api.forms import json_body, query, read_form
from sandbox.tinybird.copies import copy_job
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.model import Node, Pipe, Scope
from sandbox.tinybird.platform import Platform
from sandbox.tinybird.resolve import must_have

_CREATE = Scope("PIPES:CREATE")


async def list_all(platform: Platform, request: Request) -> Response:
    token_of(platform.workspace, request)
    return JSONResponse(
        {"pipes": [views.pipe(platform.workspace, pipe) for pipe in platform.workspace.state.pipes.values()]}
    )


async def get(platform: Platform, request: Request) -> Response:
    name = request.path_params["file"]
    if "." in name:
        return await sql.endpoint(platform, request)
    token_of(platform.workspace, request)
    return JSONResponse(views.pipe(platform.workspace, must_have(platform.workspace, name)))


async def datafile(platform: Platform, request: Request) -> Response:
    """``GET /v1/pipes/{pipe}.pipe``."""
    token_of(platform.workspace, request)
    workspace = platform.workspace
    pipe = must_have(workspace, request.path_params["file"].removesuffix(".pipe"))
    target = workspace.source(pipe.copy_target or pipe.output.materialized or "")
    text = datafiles.write_pipe(
        pipe,
        workspace.tags_of(pipe.id, pipe.name),
        target.name if target else None,
        workspace.token_lines("PIPES", pipe.name),
    )
    return Response(text, headers={"content-type": "text/plain"})


async def post(platform: Platform, request: Request) -> Response:
    """Create or replace a whole pipe from JSON, or a simple one from ``name`` and ``sql``."""
    form = await read_form(request)
    require(platform.workspace, request, _CREATE)
    given: dict[str, Any]
    if form.body.lstrip().startswith(b"{"):
        given = json_body(form)
    else:
        given = {"name": form.need("name"), "nodes": [{"sql": form.need("sql")}]}
    given.setdefault("description", form.get("description"))
    check = not form.flag("ignore_sql_errors")
    old = platform.workspace.state.pipes.get(str(given.get("name")))
    pipe = pipes.put_pipe(platform.workspace, platform.jobs, given, force=form.flag("force"), check=check)
    for node in old.nodes if old else []:
        if node.materialized:
            await tables.unlink(platform.workspace, node)
    await _materialize(platform, pipe, given)
    return JSONResponse(views.pipe(platform.workspace, pipe))


async def _materialize(platform: Platform, pipe: Pipe, given: dict[str, Any]) -> None:
    """Make the views of a pushed pipe; when one is refused the pipe is taken away again."""
    try:
        for node, one in zip(pipe.nodes, given.get("nodes") or [], strict=True):
            if node.type == "materialized":
                await materialized.link(platform.workspace, pipe, node, one)
    except ApiError:
        del platform.workspace.state.pipes[pipe.name]
        raise


async def unlink(platform: Platform, request: Request) -> Response:
    """``DELETE …/materialization``: the view goes, the target and its rows stay."""
    require(platform.workspace, request, _CREATE)
    _, node = _node(platform, request)
    if not node.materialized:
        raise ApiError(400, f"The node '{node.name}' is not materialized")
    await tables.unlink(platform.workspace, node)
    return Response(status_code=204)


async def populate(platform: Platform, request: Request) -> Response:
    require(platform.workspace, request, _CREATE)
    pipe, node = _node(platform, request)
    if not node.materialized:
        raise ApiError(400, f"The node '{node.name}' is not materialized")
    job = platform.jobs.submit(materialized.populate_job(platform.workspace, platform.logs, pipe, node))
    return JSONResponse({"job": views.job(platform.workspace, platform.jobs, job)})


async def put(platform: Platform, request: Request) -> Response:
    form = await read_form(request)
    require(platform.workspace, request, _CREATE)
    pipe = must_have(platform.workspace, request.path_params["file"])
    state = platform.workspace.state
    new = form.get("name")
    if new and new != pipe.name:
        tables.check_name(new)
        if new in state.pipes or new in state.sources:
            raise ApiError(409, f'There is already a resource with name "{new}". Pick another name and try again.')
        del state.pipes[pipe.name]
        pipe.name = new
        state.pipes[new] = pipe
    if "description" in form.values:
        pipe.description = form.get("description")
    pipe.updated_at = platform.workspace.now()
    return JSONResponse(views.pipe(platform.workspace, pipe))


async def delete(platform: Platform, request: Request) -> Response:
    pipe = must_have(platform.workspace, request.path_params["file"])
    require(platform.workspace, request, Scope("PIPES:DROP", pipe.name), _CREATE)
    for node in pipe.nodes:
        if node.materialized:
            await tables.unlink(platform.workspace, node)
    del platform.workspace.state.pipes[pipe.name]
    return Response(status_code=204)


async def add_node(platform: Platform, request: Request) -> Response:
    form = await read_form(request)
    require(platform.workspace, request, _CREATE)
    pipe = must_have(platform.workspace, request.path_params["file"])
    given = {"name": form.get("name"), "sql": form.get("sql") or form.body.decode("utf-8", "replace")}
    node = pipes.make_node(platform.workspace, given, f"{pipe.name}_{len(pipe.nodes)}")
    pipe.nodes.append(node)
    return JSONResponse(views.node(platform.workspace, pipe, node))


async def one_node(platform: Platform, request: Request) -> Response:
    """PUT new SQL into a node, or DELETE it."""
    form = await read_form(request)
    require(platform.workspace, request, _CREATE)
    pipe, node = _node(platform, request)
    if request.method == "DELETE":
        if node.type != "standard":
            raise ApiError(403, f"The node '{node.name}' is the pipe's {node.type} node: unlink it first")
        pipe.nodes.remove(node)
        return Response(status_code=204)
    made = pipes.make_node(platform.workspace, {"sql": form.body.decode("utf-8", "replace")}, node.name)
    node.sql, node.params, node.updated_at = made.sql, made.params, made.updated_at
    return JSONResponse(views.node(platform.workspace, pipe, node))


def _node(platform: Platform, request: Request) -> tuple[Pipe, Node]:
    pipe = must_have(platform.workspace, request.path_params["file"])
    node = pipe.node(request.path_params["node"])
    if node is None:
        raise ApiError(400, f"Node '{request.path_params['node']}' not found in pipe '{pipe.name}'")
    return pipe, node


async def endpoint(platform: Platform, request: Request) -> Response:
    """Publish a node, or take the publication back."""
    require(platform.workspace, request, _CREATE)
    pipe, node = _node(platform, request)
    if request.method == "DELETE":
        node.type = "standard" if node.type == "endpoint" else node.type
        return Response(status_code=204)
    pipes.publish(platform.workspace, pipe, node)
    return JSONResponse(views.pipe(platform.workspace, pipe))


async def copy_node(platform: Platform, request: Request) -> Response:
    form = await read_form(request)
    require(platform.workspace, request, _CREATE)
    pipe, node = _node(platform, request)
    if request.method == "DELETE":
        pipes.unset_copy(platform.workspace, pipe, node)
        return Response(status_code=204)
    pipes.set_copy(platform.workspace, platform.jobs, pipe, node, form.values)
    return JSONResponse(views.pipe(platform.workspace, pipe))


async def run_copy(platform: Platform, request: Request) -> Response:
    require(platform.workspace, request, _CREATE, Scope("PIPES:READ", request.path_params["file"]))
    pipe = _copy_pipe(platform, request)
    given = {
        name: value
        for name, value in query(request).items()
        if name not in ("token", "cli_version", "_mode", "on_demand_compute")
    }
    mode = pipes.check_mode(query(request).get("_mode") or pipe.copy_mode)
    platform.jobs.check_quota()
    job = platform.jobs.submit(copy_job(platform.workspace, platform.logs, pipe, mode, given, platform.workspace.now()))
    view = views.pipe(platform.workspace, pipe)
    shown = views.job(platform.workspace, platform.jobs, job)
    return JSONResponse({**view, "job": shown, "tags": {"copy_target_datasource": pipe.copy_target}})


async def pause_copy(platform: Platform, request: Request) -> Response:
    """``POST /v0/pipes/{pipe}/copy/pause|resume|cancel``; what waits already is not taken back by a pause."""
    require(platform.workspace, request, _CREATE)
    pipe = _copy_pipe(platform, request)
    what = request.path_params["action"]
    if what == "cancel":
        for job in platform.jobs.live_of(pipe.id):
            if platform.jobs.cancellable(job):
                platform.jobs.cancel(job)
    if what != "resume" and pipe.cron is None and what == "pause":
        raise ApiError(400, f"The copy pipe '{pipe.name}' has no schedule to pause")
    if what not in ("pause", "resume", "cancel"):
        raise ApiError(404, f"Unknown action '{what}'")
    pipe.paused = what != "resume"
    platform.jobs.plan(pipe)
    return JSONResponse(views.pipe(platform.workspace, pipe))


def _copy_pipe(platform: Platform, request: Request) -> Pipe:
    pipe = must_have(platform.workspace, request.path_params["file"])
    if pipe.type != "copy":
        raise ApiError(400, f"The pipe '{pipe.name}' is not a copy pipe")
    return pipe
