"""What of Slack's deliveries is kept: enough to handle them later, no tokens. Shapes: facts/slack.md §2.3–2.6."""

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MENTION = re.compile(r"^\s*<@[UW][A-Z0-9]+(\|[^>]*)?>[\s,:]*")
_LINK = re.compile(r"<(?:https?://|mailto:)[^|>]*\|([^>]*)>")  # Slack makes links of words such as `record.it`


@dataclass(frozen=True)
class Delivery:
    """``dedup`` is the same when Slack delivers the same thing again."""

    kind: str
    dedup: str
    payload: dict[str, Any]


def command(body: Mapping[str, Any]) -> Delivery:
    kept = {
        "text": str(body.get("text") or ""),
        "user": body["user_id"],
        "team": body["team_id"],
        "channel": body["channel_id"],
        "response_url": body.get("response_url"),
    }
    return Delivery("command", f"command:{body['trigger_id']}", kept)


def mention(body: Mapping[str, Any]) -> Delivery:
    event = body["event"]
    kept = {
        "text": said_to_us(str(event.get("text") or "")),
        "user": event["user"],
        "team": body["team_id"],
        "channel": event["channel"],
        "thread_ts": event.get("thread_ts"),
        "ts": event["ts"],
    }
    return Delivery("mention", f"event:{body['event_id']}", kept)


def action(body: Mapping[str, Any]) -> Delivery:
    pressed = body["actions"][0]
    container: Mapping[str, Any] = body.get("container") or {}
    message: Mapping[str, Any] = body.get("message") or {}
    chosen: Mapping[str, Any] = pressed.get("selected_option") or {}
    user, value = body["user"]["id"], str(pressed.get("value") or chosen.get("value") or "")
    kept = {
        "action_id": str(pressed.get("action_id") or ""),
        "value": value,
        "user": user,
        "team": body["team"]["id"],
        "channel": container.get("channel_id"),
        "message_ts": container.get("message_ts"),
        "thread_ts": message.get("thread_ts") or container.get("thread_ts"),
        "response_url": body.get("response_url"),
    }
    digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:24]
    return Delivery("action", f"action:{pressed.get('action_ts')}:{user}:{digest}", kept)


def view(body: Mapping[str, Any]) -> Delivery:
    shown = body["view"]
    kept = {
        "callback_id": shown.get("callback_id"),
        "private_metadata": shown.get("private_metadata") or "",
        "values": _values(shown.get("state", {}).get("values", {})),
        "user": body["user"]["id"],
        "team": body["team"]["id"],
    }
    return Delivery("view", f"view:{shown['id']}:{shown.get('hash')}", kept)


def home(body: Mapping[str, Any]) -> Delivery:
    return Delivery("home", f"event:{body['event_id']}", {"user": body["event"]["user"], "team": body["team_id"]})


def said_to_us(text: str) -> str:
    """The words behind the mention: events carry entities and links that the person did not type."""
    return html.unescape(_LINK.sub(r"\1", _MENTION.sub("", text))).strip()


def _values(state: Mapping[str, Any]) -> dict[str, str]:
    """Input values by action id: the ones a modal of ours has are texts and single choices."""
    found: dict[str, str] = {}
    for inputs in state.values():
        for action_id, given in inputs.items():
            chosen: Mapping[str, Any] = given.get("selected_option") or {}
            found[str(action_id)] = str(given.get("value") or chosen.get("value") or "")
    return found
