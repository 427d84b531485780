"""Tokens and scopes: who asks, and may they (facts/tinybird.md §1)."""

import secrets

from starlette.requests import Request

from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.model import Scope, Token
from sandbox.tinybird.workspace import Workspace


def token_of(workspace: Workspace, request: Request) -> Token:
    """The token of a request, from its header or its query. ApiError 403 when there is none or it is not known."""
    header = request.headers.get("authorization", "")
    given = header[7:].strip() if header.lower().startswith("bearer ") else request.query_params.get("token", "")
    if not given:
        raise ApiError(403, "Missing authorization: no token was given")
    for token in workspace.state.tokens:
        if secrets.compare_digest(token.token.encode(), given.encode()):
            return token
    raise ApiError(403, "invalid authentication token")


def allows(token: Token, *wanted: Scope) -> bool:
    """Is the token an admin's, or does it hold one of the scopes?"""
    held = {(scope.type, scope.resource) for scope in token.scopes}
    return ("ADMIN", None) in held or any((scope.type, scope.resource) in held for scope in wanted)


def require(workspace: Workspace, request: Request, *wanted: Scope) -> Token:
    """The request's token, if it is an admin's or holds one of the scopes; else ApiError 403 that names them."""
    token = token_of(workspace, request)
    if not allows(token, *wanted):
        names = " or ".join(scope.text for scope in wanted) or "ADMIN"
        raise ApiError(403, f"The token '{token.name}' does not have the required scope: {names}")
    return token


def reads(token: Token, names: set[str]) -> list[str]:
    """Those of ``names`` (data sources and pipes) that the token may not read."""
    held = {scope.resource for scope in token.scopes if scope.type in ("DATASOURCES:READ", "PIPES:READ")}
    if any(scope.type in ("ADMIN", "WORKSPACE:READ_ALL") for scope in token.scopes):
        return []
    return sorted(name for name in names if name not in held and name.removesuffix("_quarantine") not in held)


def parse_scope(text: str) -> Scope:
    """``DATASOURCES:APPEND:members`` and the like."""
    parts = text.split(":")
    if parts[0] in ("ADMIN", "TOKENS"):
        return Scope(parts[0])
    if len(parts) < 2:
        raise ApiError(400, f"Invalid scope '{text}'")
    kind = ":".join(parts[:2])
    return Scope(kind, parts[2] if len(parts) > 2 else None, ":".join(parts[3:]) or None)
