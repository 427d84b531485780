"""``/v0/jobs``: list, one, cancel (facts/tinybird.md §5)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.tinybird.api import views
from sandbox.tinybird.api.access import token_of
from sandbox.tinybird.api.forms import query
from sandbox.tinybird.model import stamp
from sandbox.tinybird.platform import Platform


async def list_jobs(platform: Platform, request: Request) -> Response:
    token_of(platform.workspace, request)
    wanted = query(request)
    found = platform.jobs.recent()
    for key in ("kind", "status", "pipe_id", "pipe_name"):
        if wanted.get(key):
            found = [job for job in found if getattr(job, key) == wanted[key]]
    if wanted.get("created_after"):
        found = [job for job in found if stamp(job.created_at) >= wanted["created_after"].replace("T", " ")]
    if wanted.get("created_before"):
        found = [job for job in found if stamp(job.created_at) <= wanted["created_before"].replace("T", " ")]
    return JSONResponse({"jobs": [views.job(platform.workspace, platform.jobs, job) for job in found]})


async def one_job(platform: Platform, request: Request) -> Response:
    token_of(platform.workspace, request)
    return JSONResponse(views.job(platform.workspace, platform.jobs, platform.jobs.find(request.path_params["job"])))


async def cancel_job(platform: Platform, request: Request) -> Response:
    token_of(platform.workspace, request)
    job = platform.jobs.find(request.path_params["job"])
    platform.jobs.cancel(job)
    return JSONResponse(views.job(platform.workspace, platform.jobs, job))
