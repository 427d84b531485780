"""A system that the sandbox does not play yet: every request is answered 501 with one sentence."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send


class Absent:
    """A stand-in that stands in for nothing but says so."""

    def __init__(self, name: str, token: str) -> None:
        self.name = name
        self.token = token
        self.app: ASGIApp = self._answer

    async def start(self) -> None:
        return None

    async def reset(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = Request(scope).url.path
        said = f"The sandbox does not play {self.name} yet, so {scope['method']} {path} did nothing."
        response: Response = JSONResponse({"message": said}, status_code=501)
        await response(scope, receive, send)
