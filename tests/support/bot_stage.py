"""A bot on its stage: the Slack stand-in, a real Postgres and Redis, the bot's process parts, and people.

Jobs run when ``settle`` is called: it handles what came in and publishes what is behind, as a talk worker would.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from bot import context, jobs
from bot.serve import Bot
from config.settings import Settings
from ledger import inbox, messages, runs
from ledger.bell import Bell
from ledger.connection import Pool, open_pool
from ledger.values import NewStep
from runbooks.plan import Choice, Estimate, Hazard, Plan, PlannedStep, Reason
from tests.support.ledger_server import LedgerServer, RedisServer
from tests.support.sandbox import ANSWER_S
from tests.support.slack_server import Workspace

BEN, CHEN = "U0BEN0001", "U0CHEN001"


def settings_for(slack: Workspace, dsn: str, redis_url: str, mode: str = "socket", **rules: Any) -> Settings:
    url = "http://127.0.0.1:1"
    place = {
        "production": False,
        "tinybird": {"url": url, "token": "x"},
        "sequin": {"url": url, "token": "x", "database": "cm"},
        "connect": {"url": url},
        "kafka": {"bootstrap": "127.0.0.1:1"},
        "postgres": {"dsn": "postgresql://x"},
        "channels": {"migrations": "C0MIGRATE", "alerts": "C0ALERTS1"},
        "rules": {"request": ["S0PLATFRM"], "approve": ["S0APPROVE"], **rules},
    }
    given: dict[str, Any] = {
        "ledger_dsn": dsn,
        "redis_url": redis_url,
        "slack": {
            "bot_token": slack.slack.bot_token,
            "app_token": slack.slack.app_token,
            "signing_secret": slack.slack.signing_secret,
            "mode": mode,
            "api_url": slack.url,
            "port": 0,
        },
        "environments": {"sandbox": place},
        "default_environment": "sandbox",
    }
    return Settings(**given)


@dataclass
class Stage:
    slack: Workspace
    pool: Pool
    settings: Settings
    bot: Bot
    redis: Any

    def settle(self) -> None:
        """Handle and publish until nothing is behind that may be sent now."""
        with self.pool.connection() as conn:
            for number in inbox.unhandled(conn, 0):
                jobs.inbox(number)
            behind: list[int] = []
            for _ in range(20):
                # spacing and limits are for Slack's sake; these tests ask what is shown in the end
                conn.execute("UPDATE ledger.message SET not_before = NULL")
                self.redis.flushdb()
                behind = messages.behind(conn, 50)
                if not behind:
                    return
                for number in behind:
                    jobs.publish(number)
        raise AssertionError(f"messages stay behind: {behind}")

    def empty(self) -> None:
        """As on the first day: an empty workspace, an empty ledger, and jobs that work here."""
        context.configure(context.create(self.settings, self.pool, Bell(self.settings.redis_url.get_secret_value())))
        self.slack.post("reset")
        self.slack.post("knobs", **{"slack.rate_limits": False, "slack.ack_limit_s": ANSWER_S})
        tables = "inbox, run, step, intent, decision, lock, message, question, freeze, capability, audit"
        tables += ", incident, incident_event, silence, watch"
        with self.pool.connection() as conn:
            emptied = ", ".join(f"ledger.{name}" for name in tables.split(", "))
            conn.execute(f"TRUNCATE {emptied} RESTART IDENTITY CASCADE".encode())

    def types(self, user: str, line: str, channel: str = "migrations", **more: Any) -> dict[str, Any]:
        said = self.slack.types(user, line, channel, **more)
        self.settle()
        return said

    def clicks(self, user: str, label: str, **more: Any) -> None:
        """Press the button with this label on the newest card."""
        card = self.card()
        rows = [b for b in card["blocks"] if b["type"] == "actions"]
        found = [e for row in rows for e in row["elements"] if e["text"]["text"] == label]
        assert found, f"no button {label!r}; there are {self.labels()}"
        self.slack.clicks(user, card["ts"], found[0]["action_id"], **more)
        self.settle()

    def card(self) -> dict[str, Any]:
        roots = [m for m in self.slack.messages() if m["blocks"] and not m["ephemeral"] and not m["thread_ts"]]
        assert roots, f"no card: {self.slack.messages()}"
        return roots[-1]

    def labels(self) -> list[str]:
        rows = [b for b in self.card()["blocks"] if b["type"] == "actions"]
        return [e["text"]["text"] for row in rows for e in row["elements"]]

    def whispers(self, user: str, channel: str = "migrations") -> list[str]:
        return [m["text"] for m in self.slack.messages(channel, user) if m["ephemeral"]]

    def replies(self) -> list[str]:
        return [m["text"] for m in self.slack.messages() if m["thread_ts"] and not m["ephemeral"]]

    def propose(self, run: int, made: Plan) -> None:
        """What a work worker would do: a plan for a run that is being planned."""
        steps = [
            NewStep(s.op, s.params, s.title, s.gate, s.block, s.long, s.hold, s.reads, s.writes, s.touches)
            for s in made.steps
        ]
        with self.pool.connection() as conn, conn.transaction():
            runs.propose(
                conn, run, plan=made.to_json(), steps=steps, hash=made.hash, change_hash=made.change_hash, world={},
                strategy=made.strategy.name, expires_at=None,
            )  # fmt: skip
        self.settle()


def plan(*hazards: Hazard, steps: tuple[PlannedStep, ...] | None = None) -> Plan:
    """Three blocks: an alter, a hold of three steps, a destructive drop."""
    return Plan(
        command="migrate members add field nickname text",
        environment="sandbox",
        target="members",
        request={"kind": "migrate"},
        strategy=Choice(
            name="recreate", reasons=("asked for",), rejected=(Reason(name="swap", reason="nothing to derive"),)
        ),
        hazards=hazards,
        steps=steps
        or (
            step("postgres.alter/1", "Add column nickname to members", 1),
            step("sequin.sink.pause/1", "Pause the Sequin sink members_sink", 2, hold=1),
            step("tinybird.recreate/1", "Recreate members", 2, gate="none", hold=1),
            step("sequin.sink.resume/1", "Resume the Sequin sink members_sink", 2, gate="none", hold=1),
            step("tinybird.drop/1", "Drop members__before_run_1", 3, gate="strong"),
        ),
        hold=Estimate(seconds=40, formula="slot restart 15 s + drain 25 s"),
        sql=('ALTER TABLE public."members" ADD COLUMN nickname text',),
    )


def step(
    op: str, title: str, block: int, *, gate: Any = "approve", hold: int | None = None, **more: Any
) -> PlannedStep:
    common: dict[str, Any] = {"long": False, "params": {}, "reads": (), "writes": (), **more}
    return PlannedStep(op=op, title=title, gate=gate, block=block, hold=hold, **common)


@contextmanager
def stage(
    slack: Workspace, server: LedgerServer, redis: RedisServer, mode: str = "socket", **rules: Any
) -> Iterator[Stage]:
    settings = settings_for(slack, server.database(), redis.url, mode, **rules)
    bot = Bot(settings)
    bot.start()
    pool = open_pool(settings.ledger_dsn.get_secret_value(), name="tbops talk", max_size=4)
    try:
        if mode == "http":
            slack.post("slack/request_url", url=f"http://127.0.0.1:{bot.port}/slack/events")
        made = Stage(slack, pool, settings, bot, Redis.from_url(redis.url))
        made.empty()
        yield made
    finally:
        if mode == "http":
            slack.post("slack/request_url", url=None)
        bot.stop()
        pool.close()
