"""Bringing a message up to date: claim, ask the limiter, render what is stored now, send, store that it was sent.

Edits coalesce: however often the state changed meanwhile, one sending shows the latest. Nothing is held open
while Slack is called.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from bot import incident_thread, projections
from bot.cards.blocks import Card, Files
from bot.cards.check import troubles
from bot.context import Context
from bot.rendering import FILES, NotThere, render
from bot.slack import BAD_BLOCKS, CLOSED, SlackTrouble
from config.log import logger
from ledger import incidents, messages
from ledger.connection import Conn
from ledger.messages import Purpose
from ledger.values import Message

ROOT_QUIET_S = 1.0  # several steps a second are one edit of the card
INCIDENT_QUIET_S = 5.0  # a storm that grows for a minute is twelve edits of it; what people press is shown at once
LONGEST_WAIT_S = 60.0
ANSWER_WAIT_S = 0.5  # a question's answer is asked of other systems
THREAD_WAIT_S = 0.5  # until the root is posted, whose thread it goes into

_log = logger("bot")
_Sent = TypeVar("_Sent")


class NotYet(Exception):
    """Not now: the limiter, or the thread it belongs to is not there."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"again in {seconds} s")


class Never(Exception):
    """It can never be sent; why, for operators."""


def publish(ctx: Context, number: int) -> None:
    with ctx.pool.connection() as conn:
        message = messages.claim(conn, number)
    if message is None:
        return
    try:
        ts = _send(ctx, message)
    except NotYet as later:
        wait = later.seconds
        _store(ctx, lambda conn: messages.postpone(conn, number, wait))
    except Never as never:
        why = str(never)
        _log.error("a message cannot be sent", message=number, ref=message.ref, why=why)
        _store(ctx, lambda conn: messages.trouble(conn, number, why))
    except SlackTrouble as trouble:
        _later(ctx, message, trouble)
    else:
        _sent(ctx, message, ts)


def _sent(ctx: Context, message: Message, ts: str | None) -> None:
    follows = list[int]()
    with ctx.pool.connection() as conn, conn.transaction():
        behind = messages.sent(conn, message.id, ts=ts, rev=message.wanted_rev, quiet_s=_quiet(conn, message))
        if message.purpose == "root":
            follows = projections.replies(conn, message)
        elif message.purpose == "incident":
            follows = incident_thread.replies(conn, message)
        elif message.purpose == "answer" and (message.body or {}).get("kind") not in FILES:
            follows = projections.files(conn, message)
    for number in [*([message.id] if behind else []), *follows]:
        ctx.bell.ring("publish", number)


def _quiet(conn: Conn, message: Message) -> float:
    if message.purpose == "root":
        return ROOT_QUIET_S
    if message.purpose == "incident":
        return INCIDENT_QUIET_S
    return projections.progress_spacing(conn, message) if message.purpose == "progress" else 0.0


def _send(ctx: Context, message: Message) -> str | None:
    """Send it; its ``ts`` where it has one."""
    with ctx.pool.connection() as conn:
        thread = _thread(conn, message)
    body = message.body or {}
    if message.recipient:
        return _whisper(ctx, message, _rendered(ctx, message))
    if body.get("kind") in FILES:
        return _upload(ctx, message, thread)
    method = "chat.update" if message.ts else "chat.postMessage"
    _limited(ctx, method, message)
    card = _rendered(ctx, message)
    if message.ts is None:
        loud = bool(body.get("broadcast"))
        return _plainly(
            card, lambda c: ctx.slack.post(message.channel, c.text, c.blocks, thread_ts=thread, broadcast=loud)
        )
    ts = message.ts
    _plainly(card, lambda c: ctx.slack.update(message.channel, ts, c.text, c.blocks))
    return ts


def _thread(conn: Conn, message: Message) -> str | None:
    if message.thread is None:
        return message.thread_ts
    root = messages.get(conn, message.thread)
    if root is None or root.trouble:
        raise Never("the thread it belongs to could not be begun")
    if root.ts is None:
        raise NotYet(THREAD_WAIT_S)
    return root.thread_ts or root.ts


def _rendered(ctx: Context, message: Message) -> Card:
    try:
        with ctx.pool.connection() as conn:
            card = render(ctx, conn, message)
    except NotThere as exc:
        raise NotYet(ANSWER_WAIT_S) from exc
    if not isinstance(card, Card):
        raise Never("a file where a card belongs")
    if wrong := troubles(card):
        _log.error("a card is over Slack's limits; its text alone is sent", ref=message.ref, wrong=wrong[:5])
        return Card(card.text)
    return card


def _whisper(ctx: Context, message: Message, card: Card) -> None:
    """By the interaction's own address where there is one: it works where the bot may not post."""
    url = (message.body or {}).get("response_url")
    if url:
        try:
            _plainly(card, lambda c: ctx.slack.respond(url, c.text, c.blocks))
            return
        except SlackTrouble as exc:
            if not exc.for_ever:
                raise
    _limited(ctx, "chat.postEphemeral", message)
    who = message.recipient or ""
    _plainly(card, lambda c: ctx.slack.whisper(message.channel, who, c.text, c.blocks, thread_ts=message.thread_ts))


def _upload(ctx: Context, message: Message, thread: str | None) -> str:
    _limited(ctx, "files.completeUploadExternal", message)
    with ctx.pool.connection() as conn:
        made = render(ctx, conn, message)
    if not isinstance(made, Files):
        raise Never("a card where files belong")
    ctx.slack.upload(message.channel, made, thread_ts=thread)
    return "file"


def _limited(ctx: Context, method: str, message: Message) -> None:
    wait = ctx.limiter.take(method, message.channel, urgent=message.purpose != "progress")
    if wait > 0:
        raise NotYet(wait)


def _plainly(card: Card, send: Callable[[Card], _Sent]) -> _Sent:
    """Send it; if Slack refuses its blocks, send its sentence: a message is never lost for its looks."""
    try:
        return send(card)
    except SlackTrouble as exc:
        if exc.code not in BAD_BLOCKS or not card.blocks:
            raise
        _log.error("Slack refused a card's blocks; its text alone is sent", error=str(exc))
        return send(Card(card.text))


def _later(ctx: Context, message: Message, trouble: SlackTrouble) -> None:
    if trouble.code == "ratelimited":
        wait = trouble.retry_after or 1.0
        ctx.limiter.shut(trouble.method, message.channel, wait)
        _store(ctx, lambda conn: messages.postpone(conn, message.id, wait))
    elif trouble.code == "message_not_found" and _anew(ctx, message):
        _log.warning("somebody deleted an incident's card; it is posted anew", message=message.id, ref=message.ref)
    elif trouble.code in CLOSED and _elsewhere(ctx, message, trouble):
        _log.error("a channel is closed to the bot; people are called elsewhere", ref=message.ref, error=str(trouble))
    elif trouble.for_ever:
        _log.error("Slack refuses a message", message=message.id, ref=message.ref, error=str(trouble))
        _store(ctx, lambda conn: messages.trouble(conn, message.id, str(trouble)))
    else:
        _log.warning("Slack did not take a message; it is tried again", message=message.id, error=str(trouble))
        wait = min(LONGEST_WAIT_S, trouble.retry_after or 2.0 ** min(message.failures, 6))
        _store(ctx, lambda conn: messages.failed(conn, message.id, wait))


def _anew(ctx: Context, message: Message) -> bool:
    """Whether the card of an incident that is open is posted once more. What is over may stay deleted."""
    if message.purpose != "incident":
        return False
    with ctx.pool.connection() as conn, conn.transaction():
        found = incidents.get(conn, incident_thread.incident_of(message.ref))
        if found is None or found.state != "open" or not messages.gone(conn, message.id):
            return False
    ctx.bell.ring("publish", message.id)
    return True


def _elsewhere(ctx: Context, message: Message, trouble: SlackTrouble) -> bool:
    """Whether what people must hear goes to the other channel. A reply does not: its card is there by then."""
    channels = [e.channels for e in ctx.settings.environments.values() if e.channels.alerts == message.channel]
    if message.purpose not in ("incident", "alert") or not channels or channels[0].otherwise == message.channel:
        return False
    body = {**(message.body or {}), "instead_of": message.channel, "why": trouble.code}
    with ctx.pool.connection() as conn, conn.transaction():
        messages.trouble(conn, message.id, str(trouble))
        other = messages.want(conn, cast(Purpose, message.purpose), message.ref, channels[0].otherwise, body=body)
    ctx.bell.ring("publish", other)
    return True


def _store(ctx: Context, change: Callable[[Conn], object]) -> None:
    with ctx.pool.connection() as conn:
        change(conn)
