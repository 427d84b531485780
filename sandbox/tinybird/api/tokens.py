"""``/v0/tokens``: list, make, change, drop (facts/tinybird.md §1)."""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.tinybird.api import views
from sandbox.tinybird.api.access import parse_scope, require
from sandbox.tinybird.api.forms import query, read_form
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.model import Scope, Token
from sandbox.tinybird.platform import Platform

_TOKENS = Scope("TOKENS")


async def list_all(platform: Platform, request: Request) -> Response:
    require(platform.workspace, request, _TOKENS)
    return JSONResponse({"tokens": [views.token(token) for token in platform.workspace.state.tokens]})


async def post(platform: Platform, request: Request) -> Response:
    form = await read_form(request)
    require(platform.workspace, request, _TOKENS)
    name = form.need("name")
    if any(token.name == name for token in platform.workspace.state.tokens):
        raise ApiError(409, f"There is already a token with name '{name}'")
    origin = {"type": form.get("origin", "C")} | (
        {"resource_id": form.get("resource_id")} if form.get("resource_id") else {}
    )
    token = Token(name, "p.ey" + secrets.token_urlsafe(48), _scopes(request), origin=origin)
    platform.workspace.state.tokens.append(token)
    return JSONResponse(views.token(token))


def _scopes(request: Request) -> list[Scope]:
    return [parse_scope(text) for text in request.query_params.getlist("scope")]


def _find(platform: Platform, request: Request) -> Token:
    key = request.path_params["token"]
    for token in platform.workspace.state.tokens:
        if key in (token.id, token.name, token.token):
            return token
    raise ApiError(404, f"Token '{key}' not found")


async def get(platform: Platform, request: Request) -> Response:
    require(platform.workspace, request, _TOKENS)
    return JSONResponse(views.token(_find(platform, request)))


async def put(platform: Platform, request: Request) -> Response:
    """The scopes given are the whole new list."""
    require(platform.workspace, request, _TOKENS)
    token = _find(platform, request)
    token.scopes = _scopes(request)
    token.name = query(request).get("name") or token.name
    return JSONResponse(views.token(token))


async def delete(platform: Platform, request: Request) -> Response:
    require(platform.workspace, request, _TOKENS)
    platform.workspace.state.tokens.remove(_find(platform, request))
    return JSONResponse({"ok": True})


async def refresh(platform: Platform, request: Request) -> Response:
    require(platform.workspace, request, _TOKENS)
    token = _find(platform, request)
    if token.token in (platform.workspace.admin_token, platform.workspace.append_token):
        raise ApiError(400, f"The token '{token.name}' is the sandbox's own and stays as it is")
    token.token = "p.ey" + secrets.token_urlsafe(48)
    return JSONResponse(views.token(token))
