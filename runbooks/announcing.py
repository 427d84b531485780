"""What is said to people beside a run's own thread: those whose alarms it sets off (facts/estate.md §6).

Steps know what is to be said and when; whoever runs them says it, and knows whether it was heard.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True)
class Unread:
    """A Kafka topic has no consumer from ``since`` on: for ``seconds``, and while people merge a pull request."""

    topic: str
    since: datetime
    seconds: int
    merge: bool

    @property
    def key(self) -> str:
        return unread_key(self.topic)


@dataclass(frozen=True)
class Over:
    """What became of that topic; said below the first message."""

    topic: str
    became: Literal["read", "gone", "unread"]

    @property
    def key(self) -> str:
        return over_key(self.topic)


def unread_key(topic: str) -> str:
    return f"unread/{topic}"


def over_key(topic: str) -> str:
    return f"over/{topic}"


@dataclass(frozen=True)
class Told:
    """``refused`` is why Slack will never take it; without it and not ``sent`` it is on its way."""

    sent: bool
    refused: str | None = None


class Announcer(Protocol):
    """The channel ``channels.announcements`` for one run. A key is said once, however often it is asked for."""

    def told(self, key: str) -> Told | None:
        """What became of it; None if nobody asked for it yet."""
        ...

    def tell(self, news: Unread | Over) -> None:
        """Ask for it to be said; it is sent soon."""
        ...
