"""``/v0/workspace``, ``/v0/user/workspaces/``, tags and the small things that the CLI asks."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.tinybird.api.access import allows, require, token_of
from sandbox.tinybird.api.events import guess
from sandbox.tinybird.api.forms import json_body, query, read_form
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.ingest import read_ndjson
from sandbox.tinybird.model import Tag
from sandbox.tinybird.platform import Platform
from sandbox.tinybird.schema import schema_text


async def workspace(platform: Platform, request: Request) -> Response:
    token = token_of(platform.workspace, request)
    answer = _workspace(platform)
    answer |= {"user_id": platform.workspace.user_id, "user_email": platform.workspace.user_email}
    if allows(token):
        answer["scope"] = "admin"
    return JSONResponse(answer)


def _workspace(platform: Platform) -> dict[str, Any]:
    own = platform.workspace
    answer: dict[str, Any] = {
        "id": own.id,
        "name": own.name,
        "role": "admin",
        "owner": own.user_id,
        "plan": "enterprise",
        "is_branch": False,
        "main": None,
        "max_seats_limit": 90,
        "rate_limits": {
            "api_datasources_create_append_replace": {"count": int(own.number("creates_per_minute")), "period": 60}
        },
    }
    if own.knob("forward"):
        answer["is_forward"] = True
    return answer


async def user_workspaces(platform: Platform, request: Request) -> Response:
    token = token_of(platform.workspace, request)
    entry = _workspace(platform) | {"token": token.token}
    return JSONResponse({
        "id": platform.workspace.user_id, "email": platform.workspace.user_email, "scope": "user",
        "active": True, "is_admin": True, "workspaces": [entry],
    })  # fmt: skip


async def tags(platform: Platform, request: Request) -> Response:
    token_of(platform.workspace, request)
    if request.method == "POST":
        require(platform.workspace, request)
        body = json_body(await read_form(request))
        tag = Tag(str(body.get("name") or ""), _resources(body))
        platform.workspace.state.tags[tag.name] = tag
        return JSONResponse(_tag(tag))
    return JSONResponse({"tags": [_tag(tag) for tag in platform.workspace.state.tags.values()]})


async def one_tag(platform: Platform, request: Request) -> Response:
    require(platform.workspace, request)
    name = request.path_params["tag"]
    tag = platform.workspace.state.tags.get(name)
    if tag is None:
        raise ApiError(404, f"Tag '{name}' not found")
    if request.method == "DELETE":
        del platform.workspace.state.tags[name]
        return Response(status_code=204)
    tag.resources = _resources(json_body(await read_form(request)))
    return JSONResponse(_tag(tag))


def _resources(body: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"id": str(one["id"]), "name": str(one["name"]), "type": str(one["type"])}
        for one in body.get("resources") or []
    ]


def _tag(tag: Tag) -> dict[str, Any]:
    return {"id": tag.id, "name": tag.name, "resources": tag.resources}


async def connectors(platform: Platform, request: Request) -> Response:
    token_of(platform.workspace, request)
    return JSONResponse({"connectors": []})


async def analyze(platform: Platform, request: Request) -> Response:
    """A guessed schema for a sample of NDJSON."""
    form = await read_form(request)
    token_of(platform.workspace, request)
    body = next(iter(form.files.values()), form.body)
    try:
        columns = guess(read_ndjson(body))
    except ValueError as exc:
        raise ApiError(400, f"Only NDJSON can be analyzed here: {exc}") from exc
    shown = [{"name": c.name, "path": c.jsonpath, "recommended_type": c.type, "present_pct": 1} for c in columns]
    return JSONResponse(
        {"analysis": {"columns": shown, "schema": schema_text(columns)}, "dialect": {}, "preview": {"data": []}}
    )


async def versions(platform: Platform, request: Request) -> Response:
    return JSONResponse(
        {"host": dict(query(request)).get("host", ""), "cli": {"version": "5.22.2", "latest": "5.22.2"}}
    )
