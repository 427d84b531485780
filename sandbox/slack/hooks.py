"""response_urls: five uses within thirty minutes, no token (facts/slack.md §2.8)."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sandbox.slack.api.chat import edit, read_blocks
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.people import BOT_USER, TEAM
from sandbox.slack.store import Channel, Message
from sandbox.slack.wire import Arguments

if TYPE_CHECKING:
    from sandbox.slack.standin import Slack

USES = 5
LIFE_S = 1800.0


@dataclass
class Hook:
    """Where an answer goes; ``message_ts`` is the message whose button was pressed."""

    user: str
    channel: str
    message_ts: str | None
    at: float
    used: int = 0


class ResponseUrls:
    def __init__(self, slack: Slack, clock: Callable[[], float] = time.monotonic) -> None:
        self._slack = slack
        self._clock = clock
        self._hooks: dict[str, Hook] = {}

    def issue(self, kind: str, user: str, channel: str, message_ts: str | None = None) -> str:
        """A new absolute URL; ``kind`` is ``commands`` or ``actions``."""
        path = f"/{kind}/{TEAM}/{len(self._hooks) + 1}/{secrets.token_hex(12)}"
        self._hooks[path] = Hook(user, channel, message_ts, self._clock())
        return self._slack.base_url + path

    async def answer(self, request: Request) -> Response:
        """The endpoint behind every response_url."""
        hook = self._hooks.get(request.url.path)
        if hook is None:
            return PlainTextResponse("no_such_url", 404)
        if self._clock() - hook.at > LIFE_S:
            return JSONResponse({"ok": False, "error": "expired_url"}, 404)
        if hook.used >= USES:
            return JSONResponse({"ok": False, "error": "used_url"}, 404)
        try:
            sent = json.loads(await request.body())
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(sent, dict):
            return PlainTextResponse("invalid_payload", 400)
        hook.used += 1
        try:
            self.show(hook, sent)
        except SlackRefusal as refusal:
            return JSONResponse(refusal.body(), 400 if refusal.code == "no_text" else 200)
        return PlainTextResponse("ok")

    def show(self, hook: Hook, sent: dict[str, Any]) -> Message | None:
        """Replace or delete the message that was pressed, or put a new one into the channel."""
        channel = self._slack.workspace.channels[hook.channel]
        original = channel.messages.get(hook.message_ts) if hook.message_ts else None
        if sent.get("delete_original") and original:
            self._slack.remove(original)
            return None
        arguments = Arguments(sent)
        blocks = read_blocks(arguments)
        text = arguments.text("text")
        if sent.get("replace_original") and original:
            edit(original, text, blocks, [])
            self._slack.changed(original)
            return original
        return self._new(hook, channel, text, blocks, arguments)

    def _new(self, hook: Hook, channel: Channel, text: str, blocks: list[Any] | None, sent: Arguments) -> Message:
        if not text and not blocks:
            raise SlackRefusal("no_text")
        root = channel.public_message(sent.text("thread_ts"))
        thread = (root.thread_ts or root.ts) if root else None
        if sent.text("response_type", "ephemeral") == "in_channel":
            message = Message(channel.id, channel.next_ts(), BOT_USER, text, blocks or [], thread_ts=thread)
            self._slack.post(message)
            return message
        return self._slack.whisper(channel, hook.user, text, blocks or [], thread)
