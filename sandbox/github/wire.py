"""How requests come in and answers go out: bodies, refusals, the headers that each answer has."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.github.errors import Refused

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
LIMIT = 5000  # requests in an hour, by the machine's clock
VERSIONS = ("2022-11-28", "2026-03-10")
_NO_AGENT = (
    "Request forbidden by administrative rules. Please make sure your request has a User-Agent header "
    "(https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent)."
)


class Window:
    """The primary rate limit: how many requests are left until the hour ends."""

    def __init__(self) -> None:
        self._used, self._ends = 0, 0.0

    def headers(self) -> dict[str, str]:
        now = time.time()
        if now >= self._ends:
            self._used, self._ends = 0, now + 3600
        self._used += 1
        return {
            "x-ratelimit-limit": str(LIMIT),
            "x-ratelimit-remaining": str(max(0, LIMIT - self._used)),
            "x-ratelimit-used": str(self._used),
            "x-ratelimit-reset": str(int(self._ends)),
            "x-ratelimit-resource": "core",
        }

    def left(self) -> Json:
        """The answer of ``/rate_limit``. On GitHub to ask for it costs nothing; here it counts."""
        core = {"limit": LIMIT, "used": self._used, "remaining": max(0, LIMIT - self._used), "reset": int(self._ends)}
        return {"resources": {"core": core}, "rate": core}


def answered(handler: Handler, window: Window) -> Handler:
    """The endpoint with GitHub's manners around it."""

    async def endpoint(request: Request) -> Response:
        if not request.headers.get("user-agent"):
            return Response(_NO_AGENT, status_code=403, media_type="text/html")
        version = request.headers.get("x-github-api-version", VERSIONS[0])
        try:
            if version not in VERSIONS:
                raise Refused(400, f'"{version}" is not a valid API version')
            response = await handler(request)
        except Refused as refused:
            response = JSONResponse(refused.body(), status_code=refused.status)
        response.headers.update({**window.headers(), "x-github-api-version-selected": version})
        response.headers["x-github-media-type"] = "github.v3; format=json"
        return response

    return endpoint


async def parsed(request: Request) -> object:
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None


async def body_of(request: Request) -> Json:
    body = await parsed(request)
    if not isinstance(body, dict):
        raise Refused(422, "Invalid request.\n\nFor 'links/0/schema', the body is not an object.")
    return body


def needed(body: Json, *keys: str) -> tuple[str, ...]:
    """Texts that must be there. Raises ``Refused`` 422 with the first that is not."""
    for key in keys:
        if not isinstance(body.get(key), str) or not body[key]:
            raise Refused(422, f'Invalid request.\n\n"{key}" wasn\'t supplied.')
    return tuple(body[key] for key in keys)
