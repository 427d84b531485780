"""The listeners: each parses (pure), stores one row, acknowledges and rings. Nothing slow, nothing lost (DESIGN §7)."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import psycopg
from psycopg_pool import PoolTimeout
from slack_bolt import App
from slack_sdk import WebClient

from bot import payloads
from bot.cards import modals, notices
from bot.cards.words import escape
from bot.grammar import Command, Help, Refusal, parse
from bot.payloads import Delivery
from bot.slack import Slack, SlackTrouble
from config.log import logger
from config.settings import Settings
from ledger import inbox
from ledger.bell import Bell
from ledger.connection import Pool
from runbooks.request import Request

STORE_S = 1.5  # Slack waits 3 s for the ack; a person must still hear that it was not stored
_ANY = re.compile(".*")

NOT_STORED = "I could not store this; nothing was changed. Try again in a minute."

_log = logger("bot")


class NotStored(Exception):
    """The ledger's Postgres did not take the row in time."""


def build(settings: Settings, pool: Pool, bell: Bell, client: WebClient) -> App:
    """The app of socket mode and signed HTTP alike. Asks Slack once whether the token is good (``BoltError``)."""
    secret = settings.slack.signing_secret
    app: Any = App(  # its listener decorators are typed as partly unknown
        client=client,
        signing_secret=secret.get_secret_value() if secret else "only sockets",
        process_before_response=True,
    )
    listeners = Listeners(pool, bell, Slack(client))
    app.command("/tb")(listeners.command)
    app.event("app_mention")(listeners.mention)
    app.event("app_home_opened")(listeners.home)
    app.action({"type": "block_actions", "action_id": _ANY})(listeners.action)
    app.view({"type": "view_submission", "callback_id": _ANY})(listeners.view)
    app.error(_broken)
    return cast(App, app)


class Listeners:
    def __init__(self, pool: Pool, bell: Bell, slack: Slack) -> None:
        self._pool = pool
        self._bell = bell
        self._slack = slack
        # the answer leaves when the listener returns, so nobody waits for Redis; a ring lost here the sweep makes good
        self._ringing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bot-ring")

    def command(self, ack: Callable[..., Any], body: dict[str, Any]) -> None:
        meant = parse(str(body.get("text") or ""))
        if isinstance(meant, Refusal):
            ack(text=escape(meant.sentence) + " Nothing was changed.")
            return
        if isinstance(meant, Help):
            page = notices.help_page(meant.command)
            ack(text=page.text, blocks=list(page.blocks))
            return
        try:
            number = self._store(payloads.command(body))
        except NotStored:
            ack(text=NOT_STORED)
            return
        ack(text=first_answer(meant, number))
        self._ring(number)

    def action(self, ack: Callable[..., Any], body: dict[str, Any]) -> None:
        delivery = payloads.action(body)
        try:
            number = self._store(delivery)
        except NotStored:
            ack()
            self._tell(delivery)
            return
        ack()
        if delivery.payload["action_id"].startswith(modals.OPENS):
            self._open(delivery, str(body["trigger_id"]), number)
        self._ring(number)

    def view(self, ack: Callable[..., Any], body: dict[str, Any]) -> None:
        try:
            number = self._store(payloads.view(body))
        except NotStored:
            ack(response_action="update", view=modals.said(NOT_STORED))
            return
        ack()
        self._ring(number)

    def mention(self, body: dict[str, Any]) -> None:
        """An event that is not stored is not acknowledged, so Slack delivers it again. Apps that call us are not
        people, and are not answered."""
        if not body["event"].get("user"):
            return
        self._ring(self._store(payloads.mention(body)))

    def home(self, body: dict[str, Any]) -> None:
        if body["event"].get("tab", "home") == "home":
            self._ring(self._store(payloads.home(body)))

    def _store(self, delivery: Delivery) -> int:
        try:
            with self._pool.connection(timeout=STORE_S) as conn:
                return inbox.accept(conn, dedup=delivery.dedup, kind=delivery.kind, payload=delivery.payload).id
        except (psycopg.Error, PoolTimeout) as exc:
            _log.error("a delivery was not stored", kind=delivery.kind, error=str(exc))
            raise NotStored from exc

    def _ring(self, number: int) -> None:
        self._ringing.submit(self._bell.ring, "inbox", number)

    def _open(self, delivery: Delivery, trigger_id: str, number: int) -> None:
        """Only here is the trigger fresh enough for a modal; a job fills it when the facts are known."""
        try:
            self._slack.open_view(trigger_id, modals.loading(number))
        except SlackTrouble as exc:
            _log.warning("a modal did not open", error=str(exc))
            self._tell(delivery, "The form did not open in time; press the button again.")

    def _tell(self, delivery: Delivery, text: str = NOT_STORED) -> None:
        url = delivery.payload.get("response_url")
        if not url:
            return
        try:
            self._slack.respond(url, text)
        except SlackTrouble as exc:
            _log.warning("somebody was not told", error=str(exc))


def first_answer(meant: Command, number: int) -> str:
    """The ack of a stored command: the first thing that its sender sees."""
    if isinstance(meant, Request):
        return f"Planning … (request {number})"
    return f"Got it (request {number})."


def _broken(error: Exception) -> None:
    _log.error("a listener failed", error=f"{type(error).__name__}: {error}")
