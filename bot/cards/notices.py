"""Small messages: answers for one person's eyes, replies where people must see, help."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.cards.blocks import Block, Card, context, section, sections
from bot.cards.outcome import outcome
from bot.cards.shape import NOBODY, Lacking, blocks_of
from bot.cards.status import headline, status
from bot.cards.steps import every_step
from bot.cards.words import Names, clock, code, cut, escape, person, prose, ruled, ruled_alone, slack_user, span
from bot.grammar.help import OPTIONS, Entry, entries
from ledger.values import RunView

MOST_STEPS = 40
CLOSED = {
    "is_archived": "that channel is archived",
    "is_inactive": "that channel is archived",
    "not_in_channel": "I am not in that channel",
    "channel_not_found": "I cannot see that channel",
    "restricted_action": "I may not post in that channel",
}
_OVER = ("succeeded", "failed", "aborted", "expired")


def whisper(text: str) -> Card:
    """One plain sentence; ``text`` is ours or quotes what people typed, so it is escaped here."""
    return Card(cut(prose(text), 2900))


def help_page(command: str | None) -> Card:
    listed = entries(command)
    many = f"{len(listed)} forms" if len(listed) > 1 else "one form"
    text = f"Help for /tb{' ' + command if command else ''}: {many}; in a thread write @tb instead of /tb."
    blocks: list[Block] = [
        *sections([_help_line(e) for e in listed]),
        context(escape(OPTIONS) + "\nIn a thread write `@tb …`: slash commands do not work there."),
    ]
    return Card(text, (section("*What I understand*"), *blocks))


def _help_line(entry: Entry) -> str:
    return f"{code('/tb ' + entry.usage)} {escape(entry.says)}"


def ruling(text: str, names: Names) -> Card:
    """A sentence of the ledger, for one person's eyes."""
    return Card(cut(ruled_alone(text, names), 2900))


def alert(body: Mapping[str, Any], names: Names) -> Card:
    """What the engine or the watch says in the alerts channel: ``text``, and ``people`` (actors) who must come."""
    called = [f"<@{user}>" for actor in body.get("people", ()) if (user := slack_user(str(actor)))]
    text = cut(ruled(str(body.get("text") or "Something needs people."), names), 2500)
    return Card(" ".join([*called, text]), (section(f"🔔 {' '.join([*called, text])}"),))


def instead(card: Card, body: Mapping[str, Any]) -> Card:
    """A card that could not be posted where it belongs says so; ``body`` has why, as Slack named it."""
    if not body.get("instead_of"):
        return card
    why = CLOSED.get(str(body.get("why")), "I may not post there")
    said = f"This belongs in <#{body['instead_of']}>, but {why}; `/tb doctor` says what to do."
    return Card(f"{card.text} {said}", (*card.blocks, context(said)))


def announcement(view: RunView, body: Mapping[str, Any], names: Names) -> Card:
    """For those whose alarms a run sets off: what, when, for how long, and whom to ask."""
    topic, number = prose(str(body["topic"])), view.run.id
    ask = f"It is of run {number}, {code(view.run.command)}; ask {person(view.run.requester, names)}."
    if body["kind"] == "unread":
        begins = clock(datetime.fromisoformat(str(body["since"])))
        lasts = f"for about {span(int(body['seconds']))}"
        if body["merge"]:
            lasts = f"until people have merged a pull request, and {lasts} more"
        return Card(
            f"The Kafka topic {topic} has no consumer from about {begins} on, {lasts}: an alarm that watches for that "
            f"may call people, and needs nobody. {ask}"
        )
    match body["became"]:
        case "read":
            return Card(f"This is over: Kafka Connect reads the topic {topic}.")
        case "gone":
            return Card(f"This is over: the Kafka topic {topic} is gone.")
        case _:
            return Card(f"Run {number} goes no further, and the Kafka topic {topic} still has no consumer. {ask}")


def gate(view: RunView, number: int, lacking: Lacking = NOBODY) -> Card:
    """A later block waits: those who follow the thread must see it."""
    block = next((b for b in blocks_of(view.steps) if b.number == number), None)
    if block is None or not block.open:
        return Card(f"Run {view.run.id} waited for approval here; it has been decided.")
    what = prose(block.steps[0].title)
    missing = lacking.get(number, 1)
    who = f" by {missing} people" if missing > 1 else ""
    return Card(f"🔒 Run {view.run.id} waits for approval of {block.named}{who}: {what}. The buttons are on the card.")


def call(view: RunView, state: str) -> Card:
    """People are needed for a run whose card is in the same thread, and says why."""
    called = slack_user(view.run.requester)
    ping = f"<@{called}> " if called else ""
    return Card(f"{ping}Run {view.run.id} ({prose(cut(view.run.command, 160))}) has {state}; its card here says why.")


def event(view: RunView, state: str, names: Names) -> Card:
    """A state that people must see, as it was when it came; once the run has moved on, in the past tense."""
    if view.run.state != state:
        return Card(f"Run {view.run.id} was {state} here; it is {view.run.state} now.")
    called = slack_user(view.run.requester)
    ping = f"<@{called}> " if called and state in ("held", "failed") else ""
    text = ping + headline(view, names)
    said = section(cut(ping + status(view, names), 2900))
    steps = sections(["*What each step came to*", *every_step(view)[:MOST_STEPS]]) if state in _OVER else []
    return Card(text, (said, *outcome(view), *steps) if steps or outcome(view) else ())
