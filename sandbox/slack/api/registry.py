"""Which Web API methods there are, with the scope and the rate of each (facts/slack.md §2.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.slack.errors import SlackRefusal
from sandbox.slack.store import Channel, Message
from sandbox.slack.tiers import Rate
from sandbox.slack.wire import Arguments

if TYPE_CHECKING:
    from sandbox.slack.standin import Slack

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call of one method: its arguments and the workspace that it is about."""

    slack: Slack
    arguments: Arguments

    def channel(self) -> Channel:
        """The channel argument, by id only: chat.update and its kin know no names."""
        return self.known_channel(self.slack.workspace.channels.get(self.arguments.required("channel")))

    def named_channel(self) -> Channel:
        """The channel argument by id, name or ``#name``, as chat.postMessage takes it."""
        return self.known_channel(self.slack.workspace.channel(self.arguments.required("channel")))

    def known_channel(self, channel: Channel | None) -> Channel:
        """Private channels without the bot do not exist for it."""
        if channel is None or (channel.private and self.slack.bot_user not in channel.members):
            raise SlackRefusal("channel_not_found")
        return channel

    def written_channel(self, channel: Channel) -> Channel:
        """One that the bot may post to. Public ones that it is not in need a scope; archived ones refuse everybody."""
        if channel.archived:
            raise SlackRefusal("is_archived")
        if self.slack.bot_user not in channel.members and "chat:write.public" not in self.slack.scopes:
            raise SlackRefusal("not_in_channel")
        return channel

    def message(self, channel: Channel, argument: str) -> Message:
        message = channel.public_message(self.arguments.required(argument))
        if message is None or message.subtype == "tombstone":
            raise SlackRefusal("message_not_found")
        return message


Body = Callable[[Call], Json]


@dataclass(frozen=True)
class Method:
    """``scopes``: any one of them is enough. ``kind``: of token it takes (``bot``, ``app``, or none at all)."""

    name: str
    body: Body
    rate: Rate
    scopes: tuple[str, ...] = ()
    kind: str | None = "bot"


METHODS: dict[str, Method] = {}


def method(name: str, rate: Rate, *scopes: str, kind: str | None = "bot") -> Callable[[Body], Body]:
    """Register a function as a Web API method; it returns what stands beside ``ok: true``."""

    def register(body: Body) -> Body:
        METHODS[name] = Method(name, body, rate, scopes, kind)
        return body

    return register
