"""The open incidents, with where their cards are."""

from bot.context import Context
from bot.outcome import Outcome
from bot.slack import SlackTrouble
from config.log import logger
from ledger import incident_views
from ledger.connection import Conn
from ledger.values import Message

MOST = 15

_log = logger("bot")


def listed_incidents(ctx: Context, conn: Conn, environment: str | None) -> Outcome:
    """What is shown is read when it is shown; here only where each card is, which Slack is asked for."""
    links = dict[str, str]()
    for listed in incident_views.listing(conn, environment)[:MOST]:
        card = incident_views.card(conn, listed.incident.id)
        if link := _link(ctx, card) if card else "":
            links[str(listed.incident.id)] = link
    return Outcome("incidents", answer={"kind": "incidents", "environment": environment, "links": links})


def _link(ctx: Context, card: Message) -> str:
    """Empty where it cannot be had: the line says the number."""
    if card.ts is None:
        return ""
    try:
        return ctx.slack.permalink(card.channel, card.ts)
    except SlackTrouble as exc:
        _log.warning("a card's address could not be asked", message=card.id, error=str(exc))
        return ""
