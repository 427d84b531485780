"""How a control route is asked and how it says no: the body is a JSON object, a refusal one sentence."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Handler = Callable[[Request], Awaitable[Response]]


class BadRequest(Exception):
    """The body is not what the route takes."""


class Impossible(Exception):
    """This cannot be done: there is no such button, channel, pipe."""


async def body_of(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as exc:
        raise BadRequest("the body is not JSON") from exc
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def needed(body: dict[str, Any], *names: str) -> list[Any]:
    missing = [name for name in names if name not in body]
    if missing:
        raise BadRequest(f"missing in the body: {', '.join(missing)}")
    return [body[name] for name in names]


def plainly(handler: Handler) -> Handler:
    """What cannot be done is 404, what cannot be read is 400; both say why."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Impossible as exc:
            return JSONResponse({"ok": False, "error": str(exc)}, 404)
        except BadRequest as exc:
            return JSONResponse({"ok": False, "error": str(exc)}, 400)

    return answer
