"""What the workspace holds: channels with their messages, open views, homes and files.

Plain state without rules; the Web API's modules and the people's hands keep the rules.
"""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack import people

Json = dict[str, Any]


@dataclass
class Message:
    """One message. ``ephemeral_to`` is the only user who sees it; ``revisions`` counts its edits."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    ephemeral_to: str | None = None
    metadata: Json | None = None
    edited: Json | None = None
    subtype: str | None = None
    files: list[Json] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    revisions: int = 0

    @property
    def by_bot(self) -> bool:
        return self.user == people.BOT_USER


@dataclass
class Channel:
    id: str
    name: str
    topic: str
    members: set[str]
    private: bool = False
    direct_with: str | None = None
    archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)
    last_ts: float = 0.0

    def next_ts(self) -> str:
        """A ts later than every one given out in this channel: seconds, a dot, six digits."""
        self.last_ts = max(round(time.time(), 6), round(self.last_ts + 0.000001, 6))
        return f"{self.last_ts:.6f}"

    def public_message(self, ts: str) -> Message | None:
        """The message with this ts unless it is ephemeral, which no API method can address."""
        message = self.messages.get(ts)
        return message if message and message.ephemeral_to is None else None

    def replies(self, root_ts: str) -> list[Message]:
        return [m for m in self.messages.values() if m.thread_ts == root_ts and m.ephemeral_to is None]

    def visible_to(self, user: str | None) -> list[Message]:
        """Messages in the order of their ts; ephemeral ones only to the person they are for."""
        shown = (m for m in self.messages.values() if m.ephemeral_to in (None, user))
        return sorted(shown, key=lambda m: m.ts)


@dataclass
class View:
    """A modal on somebody's screen, or somebody's App Home."""

    id: str
    user: str
    body: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    values: Json = field(default_factory=dict)
    errors: Json = field(default_factory=dict)


def new_hash() -> str:
    return f"{int(time.time())}.{secrets.token_hex(4)}"


class Workspace:
    """Everything that a reset empties."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.modals: dict[str, list[View]] = {}  # user -> stack, the one on the screen last
        self.homes: dict[str, View] = {}
        self.files: dict[str, Json] = {}
        self.pictures: dict[str, bytes] = {}  # by the file's id
        for room in people.ROOMS:
            self.channels[room.id] = Channel(room.id, room.name, room.topic, set(room.members), room.private)
        for human in people.HUMANS:
            self.direct(human.id)

    def direct(self, user: str) -> Channel:
        """The direct channel of this user with the bot."""
        known = people.person(user)
        channel_id = people.direct_channel(user)
        if channel_id not in self.channels:
            name = known.name if known else user
            members = {user, people.BOT_USER}
            self.channels[channel_id] = Channel(channel_id, name, "", members, private=True, direct_with=user)
        return self.channels[channel_id]

    def channel(self, name_or_id: str) -> Channel | None:
        """By id, ``name`` or ``#name``; a user's id means the direct channel, as chat.postMessage has it."""
        wanted = name_or_id.removeprefix("#")
        if wanted in self.channels:
            return self.channels[wanted]
        known = people.person(wanted)
        if known and wanted == known.id:
            return self.direct(wanted)
        rooms = (c for c in self.channels.values() if c.direct_with is None)
        return next((c for c in rooms if c.name == wanted), None)

    def view(self, view_id: str) -> View | None:
        stacked = (view for stack in self.modals.values() for view in stack)
        return next((view for view in (*stacked, *self.homes.values()) if view.id == view_id), None)
