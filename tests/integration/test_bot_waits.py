"""What people see when a part is away or late: the ledger, the workers, a system that has to be asked."""

import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from bot.slack import Slack
from bot.sweep import Sweep
from ledger import questions
from ledger.bell import Bell
from tests.support.bot_stage import Stage, stage
from tests.support.ledger_server import LedgerServer, RedisServer, ledger_server
from tests.support.sandbox import ANSWER_S, PATIENCE_S
from tests.support.slack_server import Workspace, slack_workspace

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("bot")]

ASK = "/tb migrate members add field nickname text"
NOT_STORED = "I could not store this; nothing was changed. Try again in a minute."


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with slack_workspace() as workspace:
        yield workspace


@pytest.fixture(scope="module")
def server() -> Iterator[LedgerServer]:
    with ledger_server() as running:
        yield running


@pytest.fixture(scope="module")
def talk(slack: Workspace, server: LedgerServer) -> Iterator[Stage]:
    redis = RedisServer()
    redis.start()
    with stage(slack, server, redis) as made:
        yield made
    redis.stop()


def test_a_question_is_answered_when_the_worker_has_found_out(talk: Stage) -> None:
    talk.empty()
    talk.slack.types("ana", "/tb doctor")
    with talk.pool.connection() as conn:
        assert conn.execute("SELECT count(*) AS n FROM ledger.inbox").fetchone() == {"n": 1}
    with pytest.raises(AssertionError, match="stay behind"):
        talk.settle()  # handled, and waiting for the answer
    checks = [
        {"name": "Sequin", "ok": False, "said": "members_sink is paused"},
        {"name": "Kafka", "ok": True, "said": "answers"},
    ]
    with talk.pool.connection() as conn:
        questions.answer(conn, 1, {"environment": "sandbox", "checks": checks})
    talk.settle()
    assert talk.whispers("ana")[-1] == "Doctor in sandbox: 1 of 4 checks failed."
    assert [m for m in talk.slack.messages() if not m["ephemeral"]] == []


def test_lineage_names_the_readers(talk: Stage) -> None:
    talk.empty()
    with pytest.raises(AssertionError, match="stay behind"):
        talk.types("ana", "/tb lineage members")
    reader = {"name": "members_sorted_copy_pipe", "kind": "copy", "target": "members_sorted", "schedule": "0 * * * *"}
    found = {
        "itself": {"name": "members", "kind": "data source"},
        "readers": [reader | {"mode": "replace"}],
        "not_understood": ["odd"],
    }
    with talk.pool.connection() as conn:
        questions.answer(conn, 1, {"environment": "sandbox", "around": found})
    talk.settle()
    said = [m for m in talk.slack.messages(user="ana") if m["ephemeral"]][-1]
    assert said["text"] == "members in sandbox is read by 1 pipe, and no data source is made of it."
    assert "`members_sorted_copy_pipe` → `members_sorted` (replace, `0 * * * *` UTC)" in str(said["blocks"])
    assert "odd" in str(said["blocks"])


def test_who_waits_for_a_worker_is_told_once(talk: Stage) -> None:
    talk.empty()
    talk.slack.types("ana", ASK)
    with talk.pool.connection() as conn:
        conn.execute("UPDATE ledger.inbox SET received_at = received_at - interval '11 s'")
    sweep = Sweep(talk.pool, Bell("redis://127.0.0.1:1/0"), Slack(talk.slack.client()), talk.settings)
    sweep.once()
    deadline = time.monotonic() + PATIENCE_S
    while not waiting(talk):  # the bot's own sweep may have been first, and be about to say it
        assert time.monotonic() < deadline
    sweep.once()
    assert waiting(talk) == 1


def waiting(talk: Stage) -> int:
    return sum("no worker has taken it yet" in said for said in talk.whispers("ana"))


def test_redis_away_loses_no_command(slack: Workspace, server: LedgerServer) -> None:
    away = RedisServer()  # never started
    with stage(slack, server, away, "http") as made:  # two bots on sockets would share the deliveries
        assert made.slack.types("ana", ASK)["ack"]["text"] == "Planning … (request 1)"


def test_the_ledger_away_is_said_within_three_seconds_and_health_says_so(
    slack: Workspace, talk: Stage, server: LedgerServer
) -> None:
    talk.empty()
    database = talk.settings.ledger_dsn.get_secret_value().rpartition("/")[2]
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        try:
            admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false".encode())
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
            acks = [talk.slack.types("ana", ASK)["ack"] for _ in range(2)]
            health = httpx.get(f"http://127.0.0.1:{talk.bot.port}/health", trust_env=False, timeout=ANSWER_S)
        finally:
            admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true".encode())
    assert {ack["text"] for ack in acks} == {NOT_STORED}
    assert min(ack["latency_ms"] for ack in acks) < 3000, "each of them, were the machine never busy"
    assert health.status_code == 503
    again = (talk.slack.types("ana", ASK)["ack"]["text"] for _ in range(10))  # the pool may be waiting a moment yet
    assert next(text for text in again if text != NOT_STORED).startswith("Planning")
