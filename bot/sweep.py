"""The bot's own sweep: what a lost bell left lying is rung again, and who waits long is told so once."""

import threading
import time
from collections.abc import Sequence

import psycopg
from psycopg_pool import PoolTimeout

from bot import incident_sweep
from bot.handling import sender_of
from bot.slack import Slack, SlackTrouble
from config.log import logger
from config.settings import Settings
from ledger import inbox, messages
from ledger.bell import Bell, What
from ledger.connection import Pool
from ledger.values import InboxRow

REMIND_S = 10.0
LOST_S = 3.0  # a delivery that nobody took for so long: its bell may be lost
AGAIN_S = 10.0  # the same row is not rung sooner: a queue that nobody empties must not grow
TELL_S = 5.0  # what is said again of incidents is hours old: a few seconds are nothing to it
MOST = 50

WAITING = "I have it, no worker has taken it yet. It is kept and nothing is lost (request {number})."

_log = logger("bot")


class Sweep:
    def __init__(self, pool: Pool, bell: Bell, slack: Slack, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._every_s = settings.engine.sweep_s
        self._bell = bell
        self._slack = slack
        self._told = 0.0
        self._rung: dict[tuple[What, int], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bot-sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.once()
            except (psycopg.Error, PoolTimeout) as exc:
                _log.warning("the sweep could not read the ledger", error=str(exc))

    def once(self) -> None:
        """One sweep; the database's errors go to the caller."""
        with self._pool.connection(timeout=2.0) as conn:
            late = inbox.remind(conn, REMIND_S)
            lost = inbox.unhandled(conn, LOST_S)
            if time.monotonic() - self._told >= TELL_S:
                incident_sweep.once(conn, self._settings)
                self._told = time.monotonic()
            behind = messages.behind(conn, MOST)
        self._forget(behind)
        for row in late:
            self._remind(row)
        for number in lost:
            self._ring("inbox", number)
        for number in behind:
            self._ring("publish", number)

    def _ring(self, what: What, number: int) -> None:
        now = time.monotonic()
        if now - self._rung.get((what, number), -AGAIN_S) < AGAIN_S:
            return
        self._rung[what, number] = now
        self._bell.ring(what, number)

    def _forget(self, behind: Sequence[int]) -> None:
        """A ring is remembered for some time, and only while nobody answered it: a message that was taken and put
        off is rung as soon as it is due again, or each of Slack's refusals would cost it ten seconds."""
        old, waiting = time.monotonic() - AGAIN_S, set(behind)
        self._rung = {
            (what, number): at
            for (what, number), at in self._rung.items()
            if at > old and (what != "publish" or number in waiting)
        }

    def _remind(self, row: InboxRow) -> None:
        if row.kind == "home":
            return
        sender, text = sender_of(row), WAITING.format(number=row.id)
        try:
            if sender.response_url:
                self._slack.respond(sender.response_url, text)
            elif sender.channel:
                self._slack.whisper(sender.channel, sender.user, text, thread_ts=sender.thread_ts)
        except SlackTrouble as exc:
            _log.warning("somebody who waits could not be told", inbox=row.id, error=str(exc))
