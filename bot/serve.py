"""The bot's process: one app behind socket mode or signed HTTP, a sweep, health and metrics."""

import signal
import threading

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.error import BoltError
from slack_sdk.errors import SlackClientError

from bot.app import build
from bot.server import Server, web
from bot.slack import Slack, web_client
from bot.sweep import Sweep
from config.errors import SettingsError
from config.log import logger
from config.settings import Settings
from ledger.bell import BEHIND_S, Bell
from ledger.connection import Pool, open_pool

ACK_TIMEOUT_S = 2  # what a listener may call Slack for, it must have within the ack's 3 s

PING_S = 5

_log = logger("bot")


class Bot:
    """All parts of a running bot. ``SettingsError`` names what keeps it from starting."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        slack = settings.slack
        if slack.mode == "http" and not (slack.signing_secret and slack.signing_secret.get_secret_value().strip()):
            raise SettingsError(
                "setting slack.signing_secret is missing: write it in tbops.toml or set TBOPS_SLACK__SIGNING_SECRET"
            )
        self._pool: Pool = open_pool(settings.ledger_dsn.get_secret_value(), name="tbops bot", min_size=2)
        bell = Bell(settings.redis_url.get_secret_value(), patience_s=BEHIND_S)
        client = web_client(slack.bot_token.get_secret_value(), slack.api_url, ACK_TIMEOUT_S)
        self.app = self._build(bell)
        self._sweep = Sweep(self._pool, bell, Slack(client), settings)
        self._socket = self._socket_mode(self.app)
        taking = self.app if slack.mode == "http" else None
        self._server = Server(web(self._pool, taking, self._hears), slack.host, slack.port)

    def start(self) -> None:
        """Listening and connected when it returns."""
        try:
            self._server.start()
        except OSError as exc:
            raise SettingsError(f"setting slack.port is wrong: {exc}") from exc
        if self._socket:
            self._socket.connect()
        self._sweep.start()
        _log.info("the bot listens", mode=self._settings.slack.mode, port=self._server.port)

    @property
    def port(self) -> int:
        return self._server.port

    def stop(self) -> None:
        if self._socket:
            self._socket.close()
        self._server.stop()
        self._sweep.stop()
        self._pool.close()

    def _build(self, bell: Bell) -> App:
        slack = self._settings.slack
        client = web_client(slack.bot_token.get_secret_value(), slack.api_url, ACK_TIMEOUT_S)
        try:
            return build(self._settings, self._pool, bell, client)
        except (BoltError, SlackClientError, OSError) as exc:
            self._pool.close()
            raise SettingsError(f"setting slack.bot_token is wrong, or Slack does not answer: {exc}") from exc

    def _socket_mode(self, app: App) -> SocketModeHandler | None:
        token = self._settings.slack.app_token
        if self._settings.slack.mode != "socket" or token is None:
            return None
        # a line is given up after four unanswered pings (facts/slack.md §1.7): half-open, it is noticed within 20 s
        return SocketModeHandler(app, token.get_secret_value(), ping_interval=PING_S)

    def _hears(self) -> bool:
        return self._socket is None or bool(self._socket.client.is_connected())


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. ``SettingsError`` when it cannot begin."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: over.set())
    bot = Bot(settings)
    bot.start()
    over.wait()
    bot.stop()
