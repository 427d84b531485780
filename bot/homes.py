"""The Home tab: the open runs, published to one person when they open it."""

from bot.cards.home import home
from bot.context import Context
from bot.outcome import Outcome, Sender
from bot.slack import SlackTrouble
from config.log import logger
from ledger import freeze, incident_views, runs
from ledger.connection import Conn, calendar
from ledger.values import InboxRow, RunState

OPEN: tuple[RunState, ...] = ("planning", "proposed", "running", "paused", "held", "restoring")

_log = logger("bot")


def handle(ctx: Context, conn: Conn, row: InboxRow, sender: Sender) -> Outcome:
    """A tab that cannot be published is only logged: opening it again tries again."""
    if ctx.limiter.take("views.publish") > 0:
        return Outcome("home not published: too many at once")
    found = runs.listing(conn, states=OPEN)
    frozen = freeze.all_standing(conn)
    wrong = incident_views.listing(conn)
    people = [*(r.requester for r in found), *(f.actor for f in frozen), *incident_views.holders(wrong)]
    view = home(found, ctx.directory.names(people), calendar(conn), frozen, wrong)
    try:
        ctx.slack.publish_home(sender.user, view)
    except SlackTrouble as exc:
        _log.warning("a Home tab was not published", inbox=row.id, error=str(exc))
        return Outcome(f"home not published: {exc.code}")
    return Outcome("home")
