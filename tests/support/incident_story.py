"""Incidents as the watch makes them, for tests that are about what people see and press of them."""

from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from ledger import incidents, messages
from ledger.connection import Conn, Pool, calendar
from ledger.incidents import Detail, Found, Incident, Kind
from tests.support.drive import Drive
from tests.support.people import Message, People

PIPE = "members_sorted_copy_pipe"
SAID = f"The copy {PIPE} failed in sandbox at 10:00 UTC: it needs more memory than Tinybird gives it."
ERROR = "Memory limit (for query) exceeded: would use 11.20 GiB, maximum: 10.00 GiB"


def detail(said: str = SAID, **more: Any) -> Detail:
    given: dict[str, Any] = {
        "cause": "memory", "raw": ERROR, "target": "members_sorted", "schedule": "0 * * * *", "mode": "replace",
        "rows_before": 5000, "rows_now": 5000, "endpoints": ("members_list", "members_count"), "copies": ("next_copy",),
    }  # fmt: skip
    return Detail(said=said, **{**given, **more})


def opens(
    conn: Conn, channel: str, kind: Kind = "failed", name: str = PIPE, *, environment: str = "sandbox",
    under: int | None = None, since: datetime | None = None, **more: Any,
) -> Incident:  # fmt: skip
    """Open one, and want its card where it has one of its own."""
    began = since or calendar(conn) - timedelta(minutes=2)
    made = incidents.open_incident(
        conn, environment, Found(kind, f"t_{name}", name, began, detail(**more)), under=under
    )
    assert made is not None
    if under is None:
        messages.want(conn, "incident", incidents.incident_ref(made.id), channel)
    return made


class Story:
    """An incident and its card, in the sandbox's channel for alerts."""

    def __init__(self, drive: Drive, people: People) -> None:
        self.drive = drive
        self.people = people
        settings = drive.product.settings
        self.environment = settings.default_environment
        self.channel = settings.environments[self.environment].channels.alerts

    @property
    def pool(self) -> Pool:
        return self.drive.product.pool

    def talk(self) -> None:
        """What a talk worker does. Spacing and limits are for Slack's sake; what is shown in the end is asked here."""
        self.forget_limits()
        self.drive.talk()

    def forget_limits(self) -> None:
        """As if nothing had been sent for long."""
        redis: Any = Redis.from_url(self.drive.product.settings.redis_url.get_secret_value())
        for key in redis.scan_iter("tbops:slack:*"):
            redis.delete(key)

    def opens(self, kind: Kind = "failed", name: str = PIPE, **more: Any) -> int:
        with self.pool.connection() as conn, conn.transaction():
            made = opens(conn, self.channel, kind, name, environment=self.environment, **more)
        self.talk()
        return made.id

    def again(self, incident: int) -> None:
        """The same trouble is back."""
        with self.pool.connection() as conn, conn.transaction():
            row = incidents.get(conn, incident)
            assert row is not None
            found = Found(row.kind, row.subject, row.name, calendar(conn), row.told)
            assert incidents.reopen(conn, incident, found)
        self.talk()

    def closes(self, incident: int, said: str = "It ran again and wrote 5,000 rows.") -> None:
        with self.pool.connection() as conn, conn.transaction():
            assert incidents.close(conn, incident, ended=calendar(conn), said=said)
        self.talk()

    def get(self, incident: int) -> Incident:
        with self.pool.connection() as conn:
            row = incidents.get(conn, incident)
        assert row is not None
        return row

    def cards(self) -> list[Message]:
        """What people see in the channel itself, not in threads."""
        seen = self.people.ben.sees("alerts")
        return [m for m in seen if not m.shown["ephemeral"] and m.shown["thread_ts"] in (None, m.ts)]

    def card(self) -> Message:
        cards = self.cards()
        assert len(cards) == 1, [c.text for c in cards]
        return cards[0]

    def thread(self) -> list[str]:
        return [reply.text for reply in self.card().replies()]
