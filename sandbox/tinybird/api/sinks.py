"""Sink pipes over HTTP, which mirror copy pipes (facts/tinybird.md §4); pausing them is what the documentation says."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.tinybird import sinks
from sandbox.tinybird.api import views
from sandbox.tinybird.api.access import require
from sandbox.tinybird.api.forms import query, read_form
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.model import Pipe, Scope
from sandbox.tinybird.platform import Platform
from sandbox.tinybird.resolve import must_have

_CREATE = Scope("PIPES:CREATE")


async def node(platform: Platform, request: Request) -> Response:
    """Make a node the sink node, or take that back."""
    form = await read_form(request)
    require(platform.workspace, request, _CREATE)
    pipe = must_have(platform.workspace, request.path_params["file"])
    found = pipe.node(request.path_params["node"])
    if found is None:
        raise ApiError(400, f"Node '{request.path_params['node']}' not found in pipe '{pipe.name}'")
    if request.method == "DELETE":
        sinks.unset_sink(platform.workspace, pipe, found)
        return Response(status_code=204)
    sinks.set_sink(platform.workspace, platform.jobs, pipe, found, query(request) | form.values)
    return JSONResponse(views.pipe(platform.workspace, pipe))


async def run(platform: Platform, request: Request) -> Response:
    require(platform.workspace, request, _CREATE, Scope("PIPES:READ", request.path_params["file"]))
    pipe = _sink_pipe(platform, request)
    given = {name: value for name, value in query(request).items() if name not in ("token", "cli_version")}
    job = platform.jobs.submit(sinks.sink_job(platform.workspace, pipe, given, platform.workspace.now()))
    shown = views.job(platform.workspace, platform.jobs, job)
    return JSONResponse({**views.pipe(platform.workspace, pipe), "job": shown})


async def pause(platform: Platform, request: Request) -> Response:
    """``POST /v0/pipes/{pipe}/sink/pause|resume``; what waits already is not taken back by a pause."""
    require(platform.workspace, request, _CREATE)
    pipe = _sink_pipe(platform, request)
    what = request.path_params["action"]
    if what not in ("pause", "resume"):
        raise ApiError(404, f"Unknown action '{what}'")
    if pipe.cron is None:
        raise ApiError(400, f"The sink pipe '{pipe.name}' has no schedule to {what}")
    pipe.paused = what == "pause"
    platform.jobs.plan(pipe)
    return JSONResponse(views.pipe(platform.workspace, pipe))


def _sink_pipe(platform: Platform, request: Request) -> Pipe:
    pipe = must_have(platform.workspace, request.path_params["file"])
    if pipe.type != "sink":
        raise ApiError(400, f"The pipe '{pipe.name}' is not a sink pipe")
    return pipe
