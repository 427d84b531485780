"""People in the sandbox's Slack: they type, press buttons, read cards, see what only they can see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.sandbox import PATIENCE_S, GaveUp, Json, Sandbox


@dataclass(frozen=True)
class Message:
    """A message as it was when it was read. ``again`` reads it anew."""

    sandbox: Sandbox
    channel: str
    shown: Json

    @property
    def ts(self) -> str:
        return self.shown["ts"]

    @property
    def text(self) -> str:
        return self.shown["text"]

    @property
    def words(self) -> str:
        """Everything that can be read in it, for ``in``."""
        return f"{self.text}\n" + "\n".join(_texts(self.shown["blocks"]))

    @property
    def buttons(self) -> dict[str, Json]:
        """Buttons by their label."""
        return {
            element["text"]["text"]: element
            for block in self.shown["blocks"] or []
            for element in [*block.get("elements", []), block.get("accessory") or {}]
            if element.get("type") == "button"
        }

    def again(self) -> "Message":
        for message in _messages(self.sandbox, self.channel):
            if message.ts == self.ts:
                return message
        raise GaveUp(f"the message {self.ts} is gone from {self.channel}")

    def replies(self) -> list["Message"]:
        return [
            message
            for message in _messages(self.sandbox, self.channel)
            if message.shown["thread_ts"] == self.ts and message.ts != self.ts
        ]

    def until(self, look: Callable[["Message"], bool], *, patience_s: float = PATIENCE_S) -> "Message":
        """Read it anew until it looks right."""

        def now() -> "Message | None":
            message = self.again()
            return message if look(message) else None

        try:
            found = self.sandbox.until(now, patience_s=patience_s, what="the message")
        except GaveUp as gave_up:
            thread = "\n".join(reply.text for reply in self.replies())
            raise GaveUp(f"{gave_up}\nThe card:\n{self.again().words}\nIts thread:\n{thread}") from None
        assert found is not None
        return found


@dataclass(frozen=True)
class Done:
    """What a person did, and what came back at once."""

    sandbox: Sandbox
    person: str
    channel: str
    outcome: Json
    before: frozenset[str]  # ts of what the person saw before

    @property
    def ack(self) -> str:
        """The text that Slack showed at once (the ack's, or its own complaint)."""
        return self.outcome.get("ack", {}).get("text", "")

    def card(self, *, patience_s: float = PATIENCE_S) -> Message:
        """The root card that the bot posted because of it."""
        return self._new(lambda m: not m.shown["ephemeral"] and m.shown["thread_ts"] in (None, m.ts), patience_s)

    def ephemeral(self, *, patience_s: float = PATIENCE_S) -> Message:
        """The sentence that only this person sees."""
        return self._new(lambda m: bool(m.shown["ephemeral"]), patience_s)

    def _new(self, wanted: Callable[[Message], bool], patience_s: float) -> Message:
        def look() -> Message | None:
            seen = _messages(self.sandbox, self.channel, user=self.person)
            fresh = [m for m in seen if m.ts not in self.before and m.shown["user_name"] == "tb" and wanted(m)]
            return fresh[0] if fresh else None

        found = self.sandbox.until(look, patience_s=patience_s, what=f"an answer of the bot to {self.person}")
        assert found is not None
        return found


class Person:
    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self._sandbox = sandbox
        self.name = name

    def types(self, text: str, *, channel: str = "migrations", thread: Message | None = None) -> Done:
        """Type a line: ``/tb …``, or ``@tb …`` in a thread."""
        body: Json = {"user": self.name, "channel": channel, "text": text}
        if thread is not None:
            body["thread_ts"] = thread.ts
        return self._does("command", body, channel)

    def clicks(self, label: str, *, on: Message) -> Done:
        """Press the button with this label on a card as it was read: it may be older than the card."""
        assert label in on.buttons, (
            f"no button {label!r} on it; there are {', '.join(on.buttons) or 'none'}\n{on.words}"
        )
        button = on.buttons[label]
        body = {
            "user": self.name,
            "channel": on.channel,
            "message_ts": on.ts,
            "action_id": button["action_id"],
            "value": button.get("value"),
        }
        return self._does("click", body, on.channel)

    def chooses(self, option: str, *, on: Message) -> Done:
        """Choose this in whichever menu of a card has it: one that unfolds, or the one behind three dots."""
        menus = [
            (element["action_id"], chosen["value"])
            for block in on.shown["blocks"] or []
            for element in block.get("elements", [])
            for chosen in element.get("options", [])
            if chosen["text"]["text"] == option
        ]
        assert menus, f"no {option!r} in a menu of it\n{on.words}"
        action_id, value = menus[0]
        body = {"user": self.name, "channel": on.channel, "message_ts": on.ts, "action_id": action_id, "value": value}
        return self._does("click", body, on.channel)

    def submits(self, view_id: str, values: Json) -> Json:
        answer = self._sandbox.control.post(
            "/sandbox/slack/submit", json={"user": self.name, "view_id": view_id, "values": values}
        )
        return answer.json()

    def views(self) -> list[Json]:
        """The modals on this person's screen, the top one last."""
        return self._sandbox.control.get("/sandbox/slack/views", params={"user": self.name}).json()["views"]

    def sees(self, channel: str = "migrations") -> list[Message]:
        return _messages(self._sandbox, channel, user=self.name)

    def _does(self, what: str, body: Json, channel: str) -> Done:
        before = frozenset(message.ts for message in self.sees(channel))
        answer = self._sandbox.control.post(f"/sandbox/slack/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return Done(self._sandbox, self.name, channel, answer.json(), before)


class People:
    """``ana`` asks, ``ben`` and ``chen`` approve, ``omar`` may nothing."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.ana = Person(sandbox, "ana")
        self.ben = Person(sandbox, "ben")
        self.chen = Person(sandbox, "chen")
        self.omar = Person(sandbox, "omar")


def _messages(sandbox: Sandbox, channel: str, *, user: str | None = None) -> list[Message]:
    answer = sandbox.control.get(f"/sandbox/slack/channels/{channel}/messages", params={"user": user} if user else {})
    assert answer.status_code == 200, answer.text
    return [Message(sandbox, channel, shown) for shown in answer.json()["messages"]]


def _texts(part: Any) -> list[str]:
    """All strings under a key ``text`` anywhere in blocks."""
    if isinstance(part, list):
        return [text for one in part for text in _texts(one)]
    if not isinstance(part, dict):
        return []
    own = [part["text"]] if isinstance(part.get("text"), str) else []
    return own + [text for value in part.values() for text in _texts(value)]
