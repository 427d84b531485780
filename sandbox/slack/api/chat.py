"""chat.* and reactions.add, with the edges that were measured on the real thing (facts/slack.md §2.2)."""

import re

from sandbox.slack import people
from sandbox.slack.api.registry import Call, Json, method
from sandbox.slack.blocks.message import check_message_blocks, with_ids
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.payloads import message_body, stamp
from sandbox.slack.store import Channel, Message
from sandbox.slack.tiers import POSTING, SPECIAL, TIER_3, TIER_4
from sandbox.slack.wire import Arguments

POST_TEXT_LIMIT = 40_000  # cut there
UPDATE_TEXT_LIMIT = 4_000  # msg_too_long
MARKDOWN_TEXT_LIMIT = 12_000
ATTACHMENT_LIMIT = 100
_TS = re.compile(r"^\d{10}\.\d{6}$")
_USER = re.compile(r"^[UW][A-Z0-9]{2,}$")
_REACTION = re.compile(r"^[a-z0-9_+'-]+(::skin-tone-[2-6])?$")
REACTION_LIMIT = 23


def read_blocks(arguments: Arguments) -> list[Json] | None:
    """The ``blocks`` argument, checked and with ids; None when it was not given."""
    if "blocks" not in arguments:
        return None
    try:
        blocks = arguments.json("blocks")
    except ValueError as exc:
        raise SlackRefusal("invalid_blocks_format") from exc
    if not isinstance(blocks, list):
        raise SlackRefusal("invalid_blocks_format")
    check_message_blocks(blocks)
    return with_ids(blocks)


def _read_list(arguments: Arguments, name: str, code: str) -> list[Json]:
    try:
        value = arguments.json(name) or []
    except ValueError as exc:
        raise SlackRefusal(code) from exc
    if not isinstance(value, list):
        raise SlackRefusal(code)
    return value


def read_attachments(arguments: Arguments) -> list[Json]:
    attachments = _read_list(arguments, "attachments", "invalid_attachments_format")
    if len(attachments) > ATTACHMENT_LIMIT:
        raise SlackRefusal("too_many_attachments")
    return attachments


def _read_metadata(arguments: Arguments) -> Json | None:
    if "metadata" not in arguments:
        return None
    try:
        metadata = arguments.json("metadata")
    except ValueError as exc:
        raise SlackRefusal("invalid_metadata_format") from exc
    if not isinstance(metadata, dict):
        raise SlackRefusal("invalid_metadata_format")
    kind, payload = metadata.get("event_type"), metadata.get("event_payload")
    if metadata and not (isinstance(kind, str) and isinstance(payload, dict)):
        raise SlackRefusal("invalid_metadata_schema")
    return metadata


def _read_content(arguments: Arguments) -> tuple[str, list[Json]]:
    """Text and blocks of a new message; refused when there is neither."""
    text = arguments.text("text")
    blocks = read_blocks(arguments) or []
    if "markdown_text" in arguments:
        if text or blocks:
            raise SlackRefusal("markdown_text_conflict")
        text = arguments.text("markdown_text")
        if len(text) > MARKDOWN_TEXT_LIMIT:
            raise SlackRefusal("msg_too_long")
    if not text and not blocks and not read_attachments(arguments):
        raise SlackRefusal("no_text")
    return text[:POST_TEXT_LIMIT], blocks


def _thread_root(channel: Channel, arguments: Arguments) -> str | None:
    """The root that ``thread_ts`` leads to: a reply leads to its root, an unknown ts to the top level."""
    thread_ts = arguments.text("thread_ts")
    if not thread_ts:
        return None
    if not _TS.match(thread_ts):
        raise SlackRefusal("invalid_thread_ts")
    parent = channel.public_message(thread_ts)
    if parent is None:
        return None
    return parent.thread_ts or parent.ts


@method("chat.postMessage", POSTING, "chat:write")
def post_message(call: Call) -> Json:
    channel = call.written_channel(call.named_channel())
    text, blocks = _read_content(call.arguments)
    thread = _thread_root(channel, call.arguments)
    message = Message(
        channel=channel.id,
        ts=channel.next_ts(),
        user=people.BOT_USER,
        text=text,
        blocks=blocks,
        attachments=read_attachments(call.arguments),
        thread_ts=thread,
        subtype="thread_broadcast" if thread and call.arguments.flag("reply_broadcast") else None,
        metadata=_read_metadata(call.arguments) or None,
    )
    call.slack.post(message)
    return {"channel": channel.id, "ts": message.ts, "message": message_body(message)}


@method("chat.update", TIER_3, "chat:write")
def update(call: Call) -> Json:
    arguments = call.arguments
    channel = call.channel()
    if channel.archived:
        raise SlackRefusal("is_inactive")
    message = call.message(channel, "ts")
    if not message.by_bot:
        raise SlackRefusal("cant_update_message")
    if len(arguments.text("text")) > UPDATE_TEXT_LIMIT:
        raise SlackRefusal("msg_too_long")
    metadata = _read_metadata(arguments)
    text, blocks = arguments.text("text"), read_blocks(arguments)
    if text or blocks or metadata is None:
        edit(message, text, blocks, read_attachments(arguments))
    if metadata is not None:  # metadata alone leaves text and blocks as they are; {} takes it away
        message.metadata = metadata or None
    call.slack.changed(message)
    shown = {k: v for k, v in message_body(message).items() if k not in ("ts", "reactions")}
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def edit(message: Message, text: str, blocks: list[Json] | None, attachments: list[Json]) -> None:
    """Text without blocks drops the blocks, buttons and all; neither is refused; blocks show no "(edited)"."""
    if not text and not blocks and not attachments:
        raise SlackRefusal("no_text")
    message.text = text or message.text
    message.blocks = blocks or []
    message.attachments = attachments
    message.revisions += 1
    message.edited = None if blocks else {"user": message.user, "ts": stamp()}


@method("chat.postEphemeral", TIER_4, "chat:write")
def post_ephemeral(call: Call) -> Json:
    channel = call.named_channel()
    user = call.arguments.required("user")
    if not _USER.match(user):
        raise SlackRefusal("invalid_arguments", [f"failed to match all allowed schemas [json-pointer:/user] {user!r}"])
    if channel.archived:
        raise SlackRefusal("is_archived")
    if people.BOT_USER not in channel.members:
        raise SlackRefusal("not_in_channel")
    if user not in channel.members:
        raise SlackRefusal("user_not_in_channel")
    text, blocks = _read_content(call.arguments)
    thread = _thread_root(channel, call.arguments)
    message = call.slack.whisper(channel, user, text, blocks, thread)
    return {"message_ts": message.ts}


@method("chat.delete", TIER_3, "chat:write")
def delete(call: Call) -> Json:
    channel = call.channel()
    message = call.message(channel, "ts")
    if not message.by_bot:
        raise SlackRefusal("cant_delete_message")
    call.slack.remove(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.getPermalink", SPECIAL)
def get_permalink(call: Call) -> Json:
    channel = call.channel()
    message = call.message(channel, "message_ts")
    link = f"{call.slack.base_url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


@method("reactions.add", TIER_3, "reactions:write")
def add_reaction(call: Call) -> Json:
    name = call.arguments.required("name").strip(":")
    if not _REACTION.match(name):
        raise SlackRefusal("invalid_name")
    channel = call.channel()
    if channel.archived:
        raise SlackRefusal("is_archived")
    message = call.message(channel, "timestamp")
    users = message.reactions.get(name, [])
    if people.BOT_USER in users:
        raise SlackRefusal("already_reacted")
    if not users and len(message.reactions) >= REACTION_LIMIT:
        raise SlackRefusal("too_many_emoji")
    message.reactions[name] = [*users, people.BOT_USER]
    call.slack.changed(message)
    return {}
