"""conversations.*: channels as the bot may see them."""

from sandbox.slack import people
from sandbox.slack.api.registry import Call, Json, method
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.paging import page
from sandbox.slack.payloads import message_body
from sandbox.slack.store import Channel
from sandbox.slack.tiers import TIER_2, TIER_3, TIER_4

READ = ("channels:read", "groups:read")
HISTORY = ("channels:history", "groups:history")


def channel_body(channel: Channel) -> Json:
    direct = channel.direct_with is not None
    body: Json = {
        "id": channel.id,
        "created": 1_700_000_000,
        "is_channel": not channel.private,
        "is_group": channel.private and not direct,
        "is_im": direct,
        "is_mpim": False,
        "is_private": channel.private,
        "is_archived": channel.archived,
        "is_member": people.BOT_USER in channel.members,
        "context_team_id": people.TEAM,
    }
    if direct:
        return body | {"user": channel.direct_with}
    topic = {"value": channel.topic, "creator": "", "last_set": 0}
    names = {"name": channel.name, "name_normalized": channel.name}
    return body | names | {"topic": topic, "purpose": topic, "num_members": len(channel.members)}


@method("conversations.list", TIER_2, *READ)
def list_channels(call: Call) -> Json:
    types = call.arguments.text("types", "public_channel").split(",")
    unknown = set(types) - {"public_channel", "private_channel", "im", "mpim"}
    if unknown:
        raise SlackRefusal("invalid_types")
    found = [c for c in call.slack.workspace.channels.values() if _kind(c) in types and _visible(c)]
    if call.arguments.flag("exclude_archived"):
        found = [c for c in found if not c.archived]
    shown, cursor = page(found, call.arguments)
    return {"channels": [channel_body(c) for c in shown], "response_metadata": {"next_cursor": cursor}}


def _kind(channel: Channel) -> str:
    if channel.direct_with:
        return "im"
    return "private_channel" if channel.private else "public_channel"


def _visible(channel: Channel) -> bool:
    return not channel.private or people.BOT_USER in channel.members


@method("conversations.info", TIER_3, *READ)
def info(call: Call) -> Json:
    return {"channel": channel_body(call.channel())}


@method("conversations.members", TIER_4, *READ)
def members(call: Call) -> Json:
    shown, cursor = page(sorted(call.channel().members), call.arguments)
    return {"members": shown, "response_metadata": {"next_cursor": cursor}}


@method("conversations.open", TIER_3, "im:write")
def open_direct(call: Call) -> Json:
    users = [user for user in call.arguments.text("users").split(",") if user]
    if not users:
        raise SlackRefusal("users_list_not_supplied")
    if len(users) > 1:
        raise SlackRefusal("not_enabled")  # group messages are not part of this workspace
    known = people.person(users[0])
    if known is None or known.is_bot or known.id != users[0]:
        raise SlackRefusal("user_not_found")
    channel = call.slack.workspace.direct(known.id)
    return {"no_op": True, "already_open": True, "channel": channel_body(channel)}


@method("conversations.history", TIER_3, *HISTORY)
def history(call: Call) -> Json:
    """Needs a scope that the manifest leaves out on purpose: the bot must not lean on reading channels."""
    roots = [m for m in call.channel().messages.values() if m.thread_ts is None and m.ephemeral_to is None]
    return {"messages": [message_body(m) for m in reversed(roots)], "has_more": False}


@method("conversations.replies", TIER_3, *HISTORY)
def replies(call: Call) -> Json:
    channel = call.channel()
    root = channel.public_message(call.arguments.required("ts"))
    if root is None:
        raise SlackRefusal("thread_not_found")
    return {"messages": [message_body(m) for m in (root, *channel.replies(root.ts))], "has_more": False}
