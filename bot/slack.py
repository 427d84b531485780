"""Slack's Web API as this room uses it: typed, without retries of its own, with one error.

Who retries is the message's row in the ledger; a client that slept for ``Retry-After`` would hold a worker
(facts/slack.md §1.6). Every method used here is in ``METHODS``: the manifest's scopes are tested against it.
"""

import ssl
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any, cast

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.cards.blocks import Block, Files

TIMEOUT_S = 10

METHODS: dict[str, tuple[str, ...]] = {  # method: the scopes that allow it
    "auth.test": (),
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.getPermalink": (),
    "files.getUploadURLExternal": ("files:write",),
    "files.completeUploadExternal": ("files:write",),
    "users.info": ("users:read",),
    "usergroups.users.list": ("usergroups:read",),
    "conversations.info": ("channels:read", "groups:read"),
    "views.open": (),
    "views.update": (),
    "views.publish": (),
}

# Trouble that trying again does not mend: the message is parked with the code.
_FOR_EVER = frozenset(
    (
        "cant_update_message", "cannot_reply_to_message", "channel_not_found", "edit_window_closed", "expired_url",
        "expired_trigger_id", "exchanged_trigger_id", "hash_conflict", "invalid_arguments", "invalid_trigger_id",
        "is_archived", "is_inactive", "message_not_found", "messages_tab_disabled", "missing_scope", "no_such_subteam",
        "no_text", "not_enabled", "not_found", "not_in_channel", "restricted_action", "used_url", "user_not_found",
        "user_not_in_channel",
    )
)  # fmt: skip
# The channel is closed to the bot, whatever it would say there.
CLOSED = frozenset({"channel_not_found", "is_archived", "is_inactive", "not_in_channel", "restricted_action"})
BAD_BLOCKS = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "view_too_large"}
)


class SlackTrouble(Exception):
    """``method`` was refused with ``code``, or not answered (``no_answer``: it may have been done).

    ``retry_after`` is Slack's own wish in seconds, None where it said nothing.
    """

    def __init__(self, method: str, code: str, *, retry_after: float | None = None) -> None:
        self.method = method
        self.code = code
        self.retry_after = retry_after
        super().__init__(f"Slack answered {code} to {method}")

    @property
    def for_ever(self) -> bool:
        return self.code in _FOR_EVER


def web_client(token: str, api_url: str | None, timeout_s: int = TIMEOUT_S) -> WebClient:
    """A client that never retries; ``api_url`` is another Slack than slack.com, without ``/api/`` or with it."""
    if api_url is None:
        return WebClient(token=token, timeout=timeout_s, retry_handlers=[])
    base = api_url.rstrip("/")
    base = f"{base}/" if base.endswith("/api") else f"{base}/api/"
    plain = cast(ssl.SSLContext, None) if base.startswith("http://") else ssl.create_default_context()
    return WebClient(token=token, base_url=base, timeout=timeout_s, retry_handlers=[], ssl=plain)


class Slack:
    """One workspace, one bot."""

    def __init__(self, client: WebClient) -> None:
        self._web: Any = client  # slack_sdk types its keyword arguments as unknown

    def post(
        self,
        channel: str,
        text: str,
        blocks: Sequence[Block] = (),
        *,
        thread_ts: str | None = None,
        broadcast: bool = False,
    ) -> str:
        """Post; the message's ``ts``. ``broadcast``: a reply that the channel sees too."""
        args: dict[str, Any] = {"channel": channel, "text": text, "thread_ts": thread_ts}
        if broadcast:
            args["reply_broadcast"] = True
        args |= {"unfurl_links": False, "unfurl_media": False}
        if blocks:
            args["blocks"] = list(blocks)
        return str(self._call("chat.postMessage", self._web.chat_postMessage, **args)["ts"])

    def update(self, channel: str, ts: str, text: str, blocks: Sequence[Block] = ()) -> None:
        """Edit in place. Without blocks the old ones and their buttons go away (facts/slack.md §2.2)."""
        self._call("chat.update", self._web.chat_update, channel=channel, ts=ts, text=text, blocks=list(blocks))

    def whisper(
        self, channel: str, user: str, text: str, blocks: Sequence[Block] = (), *, thread_ts: str | None = None
    ) -> None:
        """An ephemeral message, for one person in a channel that the bot can post to."""
        args: dict[str, Any] = {"channel": channel, "user": user, "text": text, "thread_ts": thread_ts}
        if blocks:
            args["blocks"] = list(blocks)
        self._call("chat.postEphemeral", self._web.chat_postEphemeral, **args)

    def respond(self, url: str, text: str, blocks: Sequence[Block] = ()) -> None:
        """An ephemeral answer to an interaction: works where the bot may not post; five times in 30 minutes."""
        hook = WebhookClient(url, timeout=TIMEOUT_S, retry_handlers=[])
        try:
            answer = hook.send(
                text=text, blocks=list(blocks) or None, response_type="ephemeral", replace_original=False
            )
        except (OSError, HTTPException, SlackClientError) as exc:
            raise SlackTrouble("response_url", "no_answer") from exc
        if answer.status_code == 429:
            raise SlackTrouble("response_url", "ratelimited", retry_after=1.0)
        if answer.status_code != 200:
            raise SlackTrouble("response_url", "expired_url" if answer.status_code < 500 else "no_answer")

    def upload(self, channel: str, sent: Files, *, thread_ts: str | None = None) -> None:
        """All of them in one message."""
        files = [
            {"filename": file.name, "title": file.title, "content": file.content, "alt_txt": file.described or None}
            for file in sent.files
        ]
        self._call(
            "files.completeUploadExternal", self._web.files_upload_v2, channel=channel, file_uploads=files,
            initial_comment=sent.text or None, thread_ts=thread_ts,
        )  # fmt: skip

    def open_view(self, trigger_id: str, view: Block) -> None:
        """Open a modal, within 3 s of the click."""
        self._call("views.open", self._web.views_open, trigger_id=trigger_id, view=view)

    def update_view(self, external_id: str, view: Block) -> None:
        """Replace a modal that was opened under this id."""
        self._call("views.update", self._web.views_update, external_id=external_id, view=view)

    def publish_home(self, user: str, view: Block) -> None:
        self._call("views.publish", self._web.views_publish, user_id=user, view=view)

    def channel(self, channel: str) -> dict[str, Any]:
        """What Slack knows of a channel: its ``name``, ``is_archived``, ``is_private``, ``is_member``."""
        return dict(self._call("conversations.info", self._web.conversations_info, channel=channel)["channel"])

    def permalink(self, channel: str, ts: str) -> str:
        """The address of a message."""
        return str(
            self._call("chat.getPermalink", self._web.chat_getPermalink, channel=channel, message_ts=ts)["permalink"]
        )

    def user_name(self, user: str) -> str:
        """The name that people know somebody by."""
        found = self._call("users.info", self._web.users_info, user=user)["user"]
        return str(found.get("profile", {}).get("display_name") or found.get("name") or user)

    def group_members(self, group: str) -> tuple[str, ...]:
        found = self._call("usergroups.users.list", self._web.usergroups_users_list, usergroup=group)
        return tuple(str(u) for u in found["users"])

    def _call(self, method: str, call: Callable[..., Any], **args: Any) -> Any:
        try:
            return call(**args)
        except SlackApiError as exc:
            raise _trouble(method, exc) from exc
        except (OSError, HTTPException, SlackClientError, ValueError) as exc:
            raise SlackTrouble(method, "no_answer") from exc


def _trouble(method: str, exc: SlackApiError) -> SlackTrouble:
    response = cast(Any, exc.response)  # pyright: ignore[reportUnknownMemberType]
    headers = {str(k).lower(): v for k, v in dict(response.headers or {}).items()}
    wait = str(headers.get("retry-after", ""))
    after = float(wait) if wait.isdigit() else None
    if response.status_code == 429:
        return SlackTrouble(method, "ratelimited", retry_after=after or 1.0)
    if response.status_code >= 500:
        return SlackTrouble(method, "no_answer", retry_after=after)
    said: Any = response.data
    code = str(said.get("error", "unreadable_answer")) if isinstance(said, dict) else "unreadable_answer"  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return SlackTrouble(method, code, retry_after=after)
