"""The form *Choose a type*: filled when its card's button was pressed, read when it is sent."""

import json
import re
from dataclasses import dataclass
from typing import Any

from bot.cards import modals
from bot.cards.buttons import untyped_field
from bot.context import Context
from bot.outcome import Outcome, tell
from bot.slack import SlackTrouble
from config.log import logger
from ledger import runs
from ledger.connection import Conn
from ledger.errors import NoSuchRun
from ledger.values import InboxRow

TYPES = (
    "text", "boolean", "integer", "bigint", "double precision", "numeric(18, 6)", "timestamp with time zone", "uuid",
    "jsonb", "text[]",
)  # fmt: skip

_log = logger("bot")


@dataclass(frozen=True)
class Chosen:
    """What was sent: the old command with the type in it, and where its run's thread is."""

    text: str
    channel: str | None


def fill(ctx: Context, conn: Conn, row: InboxRow, run: int) -> Outcome:
    """Shows the choice in the modal that the bot opened for this click."""
    try:
        view = runs.get(conn, run)
    except NoSuchRun:
        return tell(f"There is no run {run}. Nothing was changed.")
    field = untyped_field(view.run)
    if field is None:
        return tell(f"Run {run} no longer asks for a type. Nothing was changed.")
    try:
        ctx.slack.update_view(modals.external_id(row.id), modals.choose_type(run, field, TYPES))
    except SlackTrouble as exc:
        _log.warning("a form was not filled", run=run, error=str(exc))
        return tell("The form could not be shown; press the button again. Nothing was changed.")
    return Outcome(f"form for run {run}")


def sent(conn: Conn, row: InboxRow) -> Chosen | None:
    """The command that a sent form means; None when it is not one of ours, or its run no longer asks."""
    try:
        about: dict[str, Any] = json.loads(str(row.payload.get("private_metadata") or "{}"))
        view = runs.get(conn, int(about.get("run") or 0))
    except (ValueError, TypeError, AttributeError, NoSuchRun):
        return None
    values: dict[str, str] = row.payload.get("values") or {}
    kind, field = values.get(modals.CHOOSE), untyped_field(view.run)
    if kind not in TYPES or field is None or field != about.get("field"):
        return None
    typed = re.sub(rf"(\bfield\s+{field})\b", lambda m: f"{m[1]} {kind}", view.run.command, count=1)
    return Chosen(typed, view.run.channel)
