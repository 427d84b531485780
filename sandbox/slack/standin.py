"""The Slack stand-in as one object: its state, its ways in and out, and its Starlette application."""

import secrets
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from sandbox.slack import people, wire
from sandbox.slack.api import METHODS, Call, Method, files
from sandbox.slack.delivery import ACK_LIMIT_S, Delivery
from sandbox.slack.errors import RateLimited, SlackRefusal
from sandbox.slack.feed import Feed
from sandbox.slack.hooks import ResponseUrls
from sandbox.slack.modals import Modals
from sandbox.slack.sockets import Sockets
from sandbox.slack.store import Channel, Json, Message, Workspace
from sandbox.slack.tiers import Buckets
from sandbox.slack.triggers import Triggers
from sandbox.standin import World

PAGE = Path(__file__).parent / "page"

# Knobs of this stand-in and how they stand at first; POST /sandbox/knobs changes them.
KNOBS: dict[str, Any] = {
    "slack.rate_limits": True,
    "slack.ack_limit_s": ACK_LIMIT_S,  # how long an app may take to acknowledge what it is sent
    "slack.more_scopes": "",  # beside the manifest's, with commas: an app that was granted more
    "slack.fewer_scopes": "",  # of the manifest's, with commas: an app that was granted less
}

# What manifest.yaml asks for (a test compares them); a call that needs more is answered with missing_scope.
SCOPES = (
    "app_mentions:read",
    "channels:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "files:write",
    "groups:read",
    "usergroups:read",
    "users:read",
)


class _PageFiles(StaticFiles):
    """The page's scripts and styles, asked for anew each time: an upgraded sandbox must not meet old ones."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


class Slack:
    """One workspace with one app in it. Lives on the event loop; nothing here is for other threads."""

    name = "slack"
    bot_user = people.BOT_USER

    def __init__(self, world: World) -> None:
        self.world = world
        self.bot_token = f"xoxb-{secrets.token_hex(12)}"
        self.app_token = f"xapp-1-{people.APP}-{secrets.token_hex(12)}"
        self.signing_secret = secrets.token_hex(16)
        self.feed = Feed()
        self.sockets = Sockets(world.log)
        self.delivery = Delivery(self.sockets, self.signing_secret, world.knobs)
        self._empty()
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/", self._page),
                Mount("/page", _PageFiles(directory=PAGE)),
                Route("/api/{method}", self._call, methods=["GET", "POST"]),
                WebSocketRoute("/link/", self.sockets.serve),
                Route("/commands/{rest:path}", self._respond, methods=["POST"]),
                Route("/actions/{rest:path}", self._respond, methods=["POST"]),
                Route("/upload/v1/{file_id}", self._upload, methods=["POST"]),
            ]
        )

    def _empty(self) -> None:
        self.workspace = Workspace()
        self.triggers = Triggers()
        self.buckets = Buckets()
        self.hooks = ResponseUrls(self)
        self.modals = Modals(self.workspace, self.feed)
        self.world.knobs.update(KNOBS)

    @property
    def base_url(self) -> str:
        return self.world.url(self.world.ports.slack)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the app was granted."""
        granted = dict.fromkeys((*SCOPES, *self._named("slack.more_scopes")))
        return tuple(scope for scope in granted if scope not in self._named("slack.fewer_scopes"))

    def _named(self, knob: str) -> list[str]:
        given = str(self.world.knobs.get(knob, "")).split(",")
        return [name.strip() for name in given if name.strip()]

    async def start(self) -> None:
        return None

    async def reset(self) -> None:
        """An empty workspace. Connected apps and a configured request URL stay."""
        self.delivery.forget()
        self._empty()
        self.feed.tell("reset")

    def hang_up(self) -> None:
        """End the streams of open pages and the app's sockets, which a stopping server would wait for."""
        self.feed.close()
        self.sockets.drop()

    async def stop(self) -> None:
        self.hang_up()
        await self.delivery.close()

    # What every room of this package does to messages: store, then tell the open pages.

    def post(self, message: Message) -> None:
        self.workspace.channels[message.channel].messages[message.ts] = message
        self.changed(message)

    def changed(self, message: Message) -> None:
        self.feed.tell("channel", channel=message.channel)

    def whisper(self, channel: Channel, user: str, text: str, blocks: list[Json], thread: str | None = None) -> Message:
        """An ephemeral message of the bot, seen by one person only."""
        ts = channel.next_ts()
        message = Message(channel.id, ts, people.BOT_USER, text, blocks, thread_ts=thread, ephemeral_to=user)
        self.post(message)
        return message

    def remove(self, message: Message) -> None:
        """A root with replies leaves a tombstone, everything else is gone."""
        channel = self.workspace.channels[message.channel]
        if channel.replies(message.ts):
            message.subtype, message.text = "tombstone", "This message was deleted."
            message.blocks, message.attachments, message.metadata = [], [], None
        else:
            channel.messages.pop(message.ts, None)
        self.changed(message)

    # The ways in.

    async def _page(self, _: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers={"cache-control": "no-store"})

    async def _respond(self, request: Request) -> Response:
        return await self.hooks.answer(request)

    async def _upload(self, request: Request) -> Response:
        return await files.receive(request, self.workspace)

    async def _call(self, request: Request) -> Response:
        headers = {"x-slack-req-id": secrets.token_hex(8)}
        try:
            arguments = await wire.read(request)
            method = self._method(request.path_params["method"])
            if method.kind == "bot":
                headers["x-oauth-scopes"] = ",".join(self.scopes)
            self._authorize(method, wire.token(request, arguments))
            self._limit(method, arguments)
            return JSONResponse({"ok": True, **method.body(Call(self, arguments))}, headers=headers)
        except SlackRefusal as refusal:
            return JSONResponse(refusal.body(), headers=headers)
        except RateLimited as limited:
            headers["retry-after"] = str(limited.retry_after)
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers=headers)

    def _method(self, name: str) -> Method:
        if name not in METHODS:
            raise SlackRefusal("unknown_method", req_method=name)
        return METHODS[name]

    def _authorize(self, method: Method, token: str) -> None:
        if method.kind is None:
            return
        if not token:
            raise SlackRefusal("not_authed")
        if token not in (self.bot_token, self.app_token):
            raise SlackRefusal("invalid_auth")
        if token != (self.bot_token if method.kind == "bot" else self.app_token):
            raise SlackRefusal("not_allowed_token_type")
        if method.scopes and not set(method.scopes) & set(self.scopes):
            raise SlackRefusal("missing_scope", needed=method.scopes[0], provided=",".join(self.scopes))

    def _limit(self, method: Method, arguments: wire.Arguments) -> None:
        if not self.world.knobs.get("slack.rate_limits", True):
            return
        key = method.name
        if method.rate.by_channel:
            channel = self.workspace.channel(arguments.text("channel"))
            key += f":{channel.id}" if channel else ""
        if (wait := self.buckets.take(key, method.rate)) is not None:
            raise RateLimited(wait)
