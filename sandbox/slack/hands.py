"""What people do: type commands and messages, press buttons, fill and send modals, open the Home tab."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.asking import Impossible
from sandbox.slack import forms, payloads, people
from sandbox.slack.blocks.message import elements_of
from sandbox.slack.blocks.view import check_view
from sandbox.slack.delivery import Attempt, Parcel
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.hooks import Hook
from sandbox.slack.store import Channel, Json, Message, View

if TYPE_CHECKING:
    from sandbox.slack.standin import Slack


_MENTION = re.compile(rf"(?<!\S)@{people.BOT_NAME}\b")


@dataclass(frozen=True)
class Outcome:
    """What became of it. ``shown`` is the ephemeral that the person got, ``said`` what was posted."""

    attempt: Attempt | None = None
    shown: Message | None = None
    said: Message | None = None
    errors: dict[str, str] | None = None

    def body(self) -> Json:
        body: Json = {"ok": True}
        if self.attempt:
            body["ack"] = {"status": self.attempt.status, "text": "", "latency_ms": self.attempt.latency_ms}
        elif self.shown:  # Slack itself said no; nothing went to the app
            body["ack"] = {"status": "refused", "text": "", "latency_ms": None}
        if self.shown:
            body["ack"] |= {"text": self.shown.text, "blocks": self.shown.blocks, "message_ts": self.shown.ts}
        if self.said:
            body |= {"ts": self.said.ts, "thread_ts": self.said.thread_ts}
        if self.errors:
            body |= {"ok": False, "error": "invalid_input", "errors": self.errors}
        return body


class Hands:
    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    def person(self, name_or_id: Any) -> people.Person:
        known = people.person(str(name_or_id))
        if known is None or known.is_bot:
            names = ", ".join(human.name for human in people.HUMANS)
            raise Impossible(f"there is nobody called {name_or_id!r}; there are {names}")
        return known

    def channel(self, name_or_id: Any, user: str) -> Channel:
        """A channel that this person is in; ``tb`` is the direct one with the bot."""
        wanted = str(name_or_id)
        workspace = self._slack.workspace
        known = workspace.direct(user) if wanted == people.BOT_NAME else workspace.channel(wanted)
        if known is None or user not in known.members:
            raise Impossible(f"this person sees no channel {wanted!r}")
        return known

    async def types(self, user: str, channel: Channel, line: str, thread_ts: str | None = None) -> Outcome:
        """Send what was typed: a slash command, a mention of the bot, or a plain message."""
        if channel.archived:
            raise Impossible(f"{channel.name} is archived: nothing can be written there")
        if line.startswith("/"):
            if thread_ts:
                sorry = f"{line.split()[0]} is not supported in threads. Sorry!"
                return Outcome(shown=self._slack.whisper(channel, user, sorry, [], thread_ts))
            return await self._command(user, channel, line)
        root = channel.public_message(thread_ts or "")
        if thread_ts and root is None:
            raise Impossible(f"there is no thread {thread_ts!r} in {channel.name}")
        text = _MENTION.sub(f"<@{people.BOT_USER}>", line)
        called = text != line
        thread = (root.thread_ts or root.ts) if root else None
        message = Message(channel.id, channel.next_ts(), user, text, thread_ts=thread)
        self._slack.post(message)
        if not called or people.BOT_USER not in channel.members or channel.direct_with:
            return Outcome(said=message)
        parcel = Parcel("events_api", payloads.app_mention(message), accepts_payload=False)
        return Outcome(await self._slack.delivery.event(parcel), said=message)

    async def _command(self, user: str, channel: Channel, line: str) -> Outcome:
        command, _, text = line.partition(" ")
        if command != people.COMMAND:
            return Outcome(shown=self._tell(channel, user, f"{command} is not a valid command."))
        url = self._slack.hooks.issue("commands", user, channel.id)
        trigger = self._slack.triggers.issue(user)
        body = payloads.slash_command(user, channel, command, text.strip(), trigger, url)
        attempt = await self._slack.delivery.deliver(Parcel("slash_commands", body, accepts_payload=True))
        if attempt.status != "acked":
            return Outcome(attempt, self._tell(channel, user, f'{command} failed with the error "{attempt.status}"'))
        return Outcome(attempt, self._first_answer(user, channel, line, attempt.payload))

    def _first_answer(self, user: str, channel: Channel, line: str, payload: Any) -> Message | None:
        """What the ack itself said: shown to the asker alone unless it says ``in_channel``."""
        if not isinstance(payload, dict) or not (payload.get("text") or payload.get("blocks")):
            return None
        if payload.get("response_type") == "in_channel":
            self._slack.post(Message(channel.id, channel.next_ts(), user, line))
        try:
            return self._slack.hooks.show(Hook(user, channel.id, None, 0.0), payload)
        except SlackRefusal as refusal:
            return self._tell(channel, user, f'{people.COMMAND} failed with the error "{refusal.code}"')

    def _tell(self, channel: Channel, user: str, text: str) -> Message:
        """What Slackbot tells a person about a command that went wrong."""
        return self._slack.whisper(channel, user, text, [])

    async def presses(self, user: str, channel: Channel, ts: str, action_id: str, value: Any, given: Json) -> Outcome:
        """Press a button, or choose in a menu, of a message. An explicit ``value`` is sent as it is, though
        the button may be gone by now: a screen can be older than the message."""
        message = self._seen(user, channel, ts)
        action = self._action(message.blocks, action_id, value)
        values = forms.initial_values(message.blocks)
        forms.fill(message.blocks, values, given)
        url = self._slack.hooks.issue("actions", user, channel.id, ts)
        trigger = self._slack.triggers.issue(user)
        body = payloads.message_action(user, channel, message, action, trigger, url, values)
        return await self._interact(body)

    async def presses_in_view(self, user: str, view_id: str, action_id: str, value: Any, given: Json) -> Outcome:
        view = self.view(user, view_id)
        action = self._action(view.body["blocks"], action_id, value)
        forms.fill(view.body["blocks"], view.values, given)
        if "type" in action and action["type"] not in ("button", "overflow"):
            forms.fill(view.body["blocks"], view.values, {action_id: value})
        trigger = self._slack.triggers.issue(user, view.id)
        return await self._interact(payloads.view_action(user, view, action, trigger))

    def _action(self, blocks: list[Json], action_id: str, value: Any) -> Json:
        for block in blocks:
            for element in elements_of(block):
                if element.get("action_id") == action_id:
                    return _pressed(block, element, value)
        if value is None:
            raise Impossible(f"there is no button {action_id!r} here")
        gone = {"type": "button", "action_id": action_id, "block_id": "gone", "value": value}
        return gone | {"action_ts": payloads.stamp()}

    async def _interact(self, body: Json) -> Outcome:
        return Outcome(await self._slack.delivery.deliver(Parcel("interactive", body, accepts_payload=False)))

    def view(self, user: str, view_id: str) -> View:
        view = self._slack.workspace.view(view_id)
        if view is None or view.user != user:
            raise Impossible(f"this person has no view {view_id!r} open")
        return view

    async def submits(self, user: str, view_id: str, given: Json) -> Outcome:
        """Fill the top modal and send it; Slack's own checks come first and reach nobody."""
        view = self.view(user, view_id)
        stack = self._slack.modals.stack(user)
        if not stack or stack[-1] is not view:
            raise Impossible(f"view {view_id!r} is not the one on the screen")
        forms.fill(view.body["blocks"], view.values, given)
        if errors := forms.missing(view.body["blocks"], view.values):
            view.errors = errors
            self._slack.feed.tell("views", user=user)
            return Outcome(errors=errors)
        trigger = self._slack.triggers.issue(user, view.id)
        body = payloads.view_submission(user, view, trigger)
        attempt = await self._slack.delivery.deliver(Parcel("interactive", body, accepts_payload=True))
        if attempt.status != "acked":
            view.errors = {"": "We had some trouble connecting. Try again?"}
            self._slack.feed.tell("views", user=user)
            return Outcome(attempt)
        return Outcome(attempt, errors=self._answered(view, attempt.payload))

    def _answered(self, view: View, payload: Any) -> dict[str, str] | None:
        """Do what the ack of a submission asks for."""
        answer = payload if isinstance(payload, dict) else {}
        modals = self._slack.modals
        match answer.get("response_action"):
            case "errors":
                view.errors = dict(answer.get("errors", {}))
                self._slack.feed.tell("views", user=view.user)
                return view.errors
            case "clear":
                modals.clear(view.user)
            case "update" | "push" as action:
                return self._next_view(view, action, answer.get("view"))
            case _:
                modals.close(view)
        return None

    def _next_view(self, view: View, action: str, body: Any) -> dict[str, str] | None:
        try:
            checked = check_view(body, "modal")
            if action == "push":
                self._slack.modals.push(view.user, checked)
            else:
                self._slack.modals.update(view, checked)
        except SlackRefusal as refusal:
            view.errors = {"": "We had some trouble connecting. Try again?"}
            self._slack.feed.tell("views", user=view.user)
            return {"": refusal.code}
        return None

    async def closes(self, user: str, view_id: str) -> Outcome:
        view = self.view(user, view_id)
        self._slack.modals.close(view)
        if not view.body.get("notify_on_close"):
            return Outcome()
        return await self._interact(payloads.view_closed(user, view, cleared=False))

    def archives(self, channel: Channel, archived: bool) -> None:
        """Archive a channel or bring it back. The app falls out of an archived one and is not in it afterwards: a bot
        that unarchives is told not_in_channel (slack-go/slack #1066)."""
        _room(channel).archived = archived
        if archived:
            channel.members.discard(people.BOT_USER)
        self._slack.feed.tell("directory")

    def moves_bot(self, channel: Channel, inside: bool) -> None:
        """Remove the app from a channel, or invite it."""
        room = _room(channel)
        if inside and room.archived:
            raise Impossible(f"{room.name} is archived: nobody can be invited")
        (room.members.add if inside else room.members.discard)(people.BOT_USER)
        self._slack.feed.tell("directory")

    def deletes(self, user: str, channel: Channel, ts: str) -> None:
        """Delete a message as an administrator of the workspace can, the app's too; an ephemeral one is dismissed."""
        self._slack.remove(self._seen(user, channel, ts))

    def _seen(self, user: str, channel: Channel, ts: str) -> Message:
        message = channel.messages.get(ts)
        if message is None or message.ephemeral_to not in (None, user):
            raise Impossible(f"this person sees no message {ts!r} in {channel.name}")
        return message

    async def opens_home(self, user: str) -> Outcome:
        body = payloads.app_home_opened(user, self._slack.workspace.homes.get(user))
        return Outcome(await self._slack.delivery.event(Parcel("events_api", body, accepts_payload=False)))


def _room(channel: Channel) -> Channel:
    """A channel with a name. A direct one can be neither archived nor left."""
    if channel.direct_with:
        raise Impossible("a direct channel cannot be archived, and nobody can be removed from it")
    return channel


def _pressed(block: Json, element: Json, value: Any) -> Json:
    """One entry of ``actions``: the element as it was, with what was chosen."""
    kind = element["type"]
    action: Json = {"type": kind, "action_id": element["action_id"], "block_id": block["block_id"]}
    action["action_ts"] = payloads.stamp()
    if kind == "button":
        action |= {k: element[k] for k in ("text", "value", "style", "url", "confirm") if k in element}
        return action | ({"value": value} if value is not None else {})
    if kind == "overflow":
        return action | {"selected_option": next((o for o in element["options"] if o["value"] == value), None)}
    if value is None:
        raise Impossible(f"{element['action_id']!r} is a {kind}: a value must be chosen")
    try:
        return action | forms.typed(element, value)
    except forms.UnknownChoice as exc:
        raise Impossible(str(exc)) from exc
