"""What steps say to people beside their run's thread: rows of the ledger, which the bot renders and sends."""

from dataclasses import asdict, replace

from config.settings import Settings
from ledger import messages
from ledger.bell import Bell
from ledger.connection import Pool
from runbooks.announcing import Over, Told, Unread, unread_key
from runbooks.site import Site
from systems.permit import Permit
from workers.context import MakeSite


class Announcements:
    """``runbooks.announcing.Announcer`` over the ledger: a message for each key of a run."""

    def __init__(self, pool: Pool, bell: Bell, channel: str, run: int, permit: Permit) -> None:
        self._pool = pool
        self._bell = bell
        self._channel = channel
        self._run = run
        self._permit = permit

    def told(self, key: str) -> Told | None:
        with self._pool.connection() as conn:
            row = messages.find(conn, "announcement", self._ref(key), self._channel)
        return Told(row.ts is not None, row.trouble) if row else None

    def tell(self, news: Unread | Over) -> None:
        self._permit("slack", f"announce {news.key}")
        body = {"kind": "unread" if isinstance(news, Unread) else "over", **asdict(news)}
        if isinstance(news, Unread):
            body["since"] = news.since.isoformat()
        with self._pool.connection() as conn, conn.transaction():
            first = messages.find(conn, "announcement", self._ref(unread_key(news.topic)), self._channel)
            below = first.id if first and isinstance(news, Over) else None
            number = messages.want(conn, "announcement", self._ref(news.key), self._channel, thread=below, body=body)
        self._bell.ring("publish", number)

    def _ref(self, key: str) -> str:
        return f"{messages.run_ref(self._run)}/announcement/{key}"


def announcing(sites: MakeSite, settings: Settings, pool: Pool, bell: Bell) -> MakeSite:
    """The same sites, with somebody who says what their steps have to say where tbops.toml names a channel for it."""

    def site(environment: str, run: int, permit: Permit) -> Site:
        made, channel = sites(environment, run, permit), settings.environment(environment).channels.announcements
        return replace(made, announcer=Announcements(pool, bell, channel, run, permit)) if channel else made

    return site
