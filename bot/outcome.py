"""What handling a delivery comes to: what to say to its sender, and which bells to ring after the commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.bell import What

Ring = tuple[What, int]

NOT_MINE = "That button was changed on its way here, or is not one of mine. Nothing was changed; use the newest card."


@dataclass(frozen=True)
class Sender:
    """Who sent it and from where. ``channel`` is None for the Home tab and forms."""

    team: str
    user: str
    channel: str | None
    thread_ts: str | None
    response_url: str | None

    @property
    def id(self) -> str:
        """The actor, as the ledger names people."""
        return f"slack:{self.team}:{self.user}"


@dataclass(frozen=True)
class Outcome:
    """``said`` is for operators ("run 7", "refused"); ``answer`` is the body of an ephemeral, None for none."""

    said: str
    rings: tuple[Ring, ...] = ()
    answer: Mapping[str, Any] | None = None


def tell(text: str, *, said: str = "answered", rings: tuple[Ring, ...] = ()) -> Outcome:
    """One plain sentence to the sender; foreign text in it is escaped when it is shown."""
    return Outcome(said, rings, {"kind": "said", "text": text})


def rule(sentence: str, *, said: str = "refused") -> Outcome:
    """A sentence of the policy: it names people and groups as Slack mentions, and quotes nobody."""
    return Outcome(said, (), {"kind": "rule", "text": sentence})
