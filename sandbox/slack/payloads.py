"""The bodies that Slack sends to an app (facts/slack.md §2.3–2.6), without the delivery around them."""

import secrets
import time
from typing import Any

from sandbox.slack import people
from sandbox.slack.store import Channel, Message, View

Json = dict[str, Any]
VERIFICATION = "sandbox-verification-token"  # legacy, in every payload; nobody may rely on it


def stamp() -> str:
    return f"{time.time():.6f}"


def _user(user: str) -> Json:
    known = people.person(user)
    name = known.name if known else user
    return {"id": user, "username": name, "name": name, "team_id": people.TEAM}


def _interaction(kind: str, user: str, trigger_id: str) -> Json:
    return {
        "type": kind,
        "team": {"id": people.TEAM, "domain": people.TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
        "user": _user(user),
        "api_app_id": people.APP,
        "token": VERIFICATION,
        "trigger_id": trigger_id,
    }


def channel_name(channel: Channel) -> str:
    if channel.direct_with:
        return "directmessage"
    return "privategroup" if channel.private else channel.name


def slash_command(user: str, channel: Channel, command: str, text: str, trigger_id: str, response_url: str) -> Json:
    return {
        "token": VERIFICATION,
        "team_id": people.TEAM,
        "team_domain": people.TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user,
        "user_name": _user(user)["name"],
        "command": command,
        "text": text,
        "api_app_id": people.APP,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def message_body(message: Message) -> Json:
    """A message as the Web API and interactions show it. A bot's has no ``subtype``."""
    body: Json = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts, "team": people.TEAM}
    if message.by_bot:
        profile = {"id": people.BOT, "app_id": people.APP, "name": people.BOT_NAME, "team_id": people.TEAM}
        body |= {"bot_id": people.BOT, "app_id": people.APP, "bot_profile": {**profile, "deleted": False}}
    body["blocks"] = message.blocks or composed(message.text)
    for name in ("thread_ts", "edited", "metadata", "subtype", "attachments", "files"):
        if value := getattr(message, name):
            body[name] = value
    if message.reactions:
        body["reactions"] = [{"name": n, "users": u, "count": len(u)} for n, u in message.reactions.items()]
    return body


def composed(text: str) -> list[Json]:
    """The rich_text block that a text-only post reads back with."""
    if not text:
        return []
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return [{"type": "rich_text", "block_id": "b" + secrets.token_hex(2), "elements": [section]}]


def view_body(view: View) -> Json:
    """A view as answers and interactions show it: what was sent, plus what Slack adds."""
    sent = view.body
    return {
        "id": view.id,
        "team_id": people.TEAM,
        "type": sent["type"],
        "title": sent.get("title"),
        "close": sent.get("close"),
        "submit": sent.get("submit"),
        "blocks": sent["blocks"],
        "private_metadata": sent.get("private_metadata", ""),
        "callback_id": sent.get("callback_id", ""),
        "external_id": sent.get("external_id", ""),
        "state": {"values": view.values},
        "hash": view.hash,
        "clear_on_close": bool(sent.get("clear_on_close")),
        "notify_on_close": bool(sent.get("notify_on_close")),
        "submit_disabled": False,
        "root_view_id": view.root_id,
        "previous_view_id": view.previous_id,
        "app_id": people.APP,
        "app_installed_team_id": people.TEAM,
        "bot_id": people.BOT,
    }


def message_action(
    user: str, channel: Channel, message: Message, action: Json, trigger_id: str, response_url: str, values: Json
) -> Json:
    """block_actions from a message; an ephemeral one comes without the full ``message``."""
    ephemeral = message.ephemeral_to is not None
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.id, "is_ephemeral": ephemeral}
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    body = _interaction("block_actions", user, trigger_id) | {
        "container": container,
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "state": {"values": values},
        "response_url": response_url,
        "actions": [action],
    }
    if not ephemeral:
        body["message"] = message_body(message)
    return body


def view_action(user: str, view: View, action: Json, trigger_id: str) -> Json:
    return _interaction("block_actions", user, trigger_id) | {
        "container": {"type": "view", "view_id": view.id},
        "view": view_body(view),
        "actions": [action],
    }


def view_submission(user: str, view: View, trigger_id: str) -> Json:
    return _interaction("view_submission", user, trigger_id) | {"view": view_body(view), "response_urls": []}


def view_closed(user: str, view: View, cleared: bool) -> Json:
    body = _interaction("view_closed", user, "") | {"view": view_body(view), "is_cleared": cleared}
    del body["trigger_id"]
    return body


def _event(event: Json) -> Json:
    bot = {"team_id": people.TEAM, "user_id": people.BOT_USER, "is_bot": True, "is_enterprise_install": False}
    return {
        "token": VERIFICATION,
        "team_id": people.TEAM,
        "api_app_id": people.APP,
        "type": "event_callback",
        "event_id": "Ev" + secrets.token_hex(5).upper(),
        "event_time": int(time.time()),
        "authorizations": [{"enterprise_id": None, **bot}],
        "event": event,
    }


def app_mention(message: Message) -> Json:
    event: Json = {
        "type": "app_mention",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "channel": message.channel,
        "team": people.TEAM,
        "blocks": composed(message.text),
        "event_ts": message.ts,
    }
    if message.thread_ts:
        event["thread_ts"] = message.thread_ts
    return _event(event)


def app_home_opened(user: str, view: View | None) -> Json:
    channel = people.direct_channel(user)
    event: Json = {"type": "app_home_opened", "user": user, "channel": channel, "tab": "home", "event_ts": stamp()}
    if view:
        event["view"] = view_body(view)
    return _event(event)
