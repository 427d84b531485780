"""One delivery, handled in one transaction: commands, mentions, clicks, forms, the Home tab."""

from collections.abc import Callable, Mapping
from typing import Any

from bot import clicks, commands, homes
from bot.context import Context
from bot.outcome import Outcome, Ring, Sender
from ledger import inbox, messages
from ledger.connection import Conn
from ledger.values import InboxRow

Handler = Callable[[Context, Conn, InboxRow, Sender], Outcome]

_HANDLERS: dict[str, Handler] = {
    "command": commands.handle,
    "mention": commands.handle,
    "action": clicks.handle,
    "view": commands.chosen,
    "home": homes.handle,
}


def handle(ctx: Context, number: int) -> None:
    """Everything that follows from a delivery is committed with the mark that it was handled; then bells."""
    with ctx.pool.connection() as conn:
        rings: list[Ring] = []
        with inbox.handling(conn, number) as row:
            if row is None:
                return
            sender = sender_of(row)
            outcome = _HANDLERS[row.kind](ctx, conn, row, sender)
            rings += outcome.rings
            if outcome.answer is not None:
                rings.append(("publish", _answer(conn, row, sender, outcome.answer)))
            inbox.finish(conn, number, outcome.said)
    for what, about in rings:
        ctx.bell.ring(what, about)


def sender_of(row: InboxRow) -> Sender:
    p = row.payload
    return Sender(
        team=str(p["team"]),
        user=str(p["user"]),
        channel=p.get("channel"),
        thread_ts=p.get("thread_ts"),
        response_url=p.get("response_url"),
    )


def _answer(conn: Conn, row: InboxRow, sender: Sender, body: Mapping[str, Any]) -> int:
    """A message for the sender's eyes alone; in their own direct channel where the click had none."""
    return messages.want(
        conn,
        "ephemeral",
        f"inbox/{row.id}",
        sender.channel or sender.user,
        thread_ts=sender.thread_ts,
        recipient=sender.user,
        body={**body, "response_url": sender.response_url},
    )
