"""The durable ack of a command: what a person waits for after typing, and what survives a kill right behind it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb
from slack_sdk.signature import SignatureVerifier

from tests.benchmarks import report
from tests.support.ledger_server import free_port
from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
RATE = 50.0
ROUND_S = 4.0  # shorter than the bot's patience with workers: no reminder falls into a round
ROUNDS = 5
KILLS = 5
LINE = "migrate members add field nickname text"


class Command:
    """Signed deliveries of one slash command, each with a trigger of its own."""

    def __init__(self, secret: str, first: int = 1) -> None:
        self._verifier = SignatureVerifier(secret)
        self._made = first - 1

    def next(self) -> tuple[str, dict[str, str]]:
        self._made += 1
        body = urlencode(
            {
                "command": "/tb",
                "text": LINE,
                "user_id": "U0ANA0001",
                "team_id": "T0SANDBOX",
                "channel_id": "C0MIGRATE",
                "response_url": "http://127.0.0.1:1/none",
                "trigger_id": f"bench.{self._made}",
            }
        )
        stamp = str(int(time.time()))
        signature = self._verifier.generate_signature(timestamp=stamp, body=body) or ""
        return body, {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": signature,
        }

    @property
    def last(self) -> str:
        return f"command:bench.{self._made}"


@pytest.fixture(scope="module")
def quiet() -> Iterator[Sandbox]:
    """A sandbox that nobody works on."""
    started = Sandbox(speed=1.0)
    try:
        with psycopg.connect(started.ready["ledger"], user="postgres", autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET fsync = 'on'")  # the sandbox does without; an ack that is measured does not
            admin.execute("SELECT pg_reload_conf()")
        yield started
    finally:
        started.stop()


def test_durable_ack(quiet: Sandbox) -> None:
    command = Command(quiet.ready["slack"]["signing_secret"])
    api = quiet.ready["slack"]["api"]
    took: dict[str, list[float]] = {"post": [], "insert": [], "bolt": [], "tbops": []}
    rounds: dict[str, list[float]] = {name: [] for name in took}
    posting, echoing = ["tests.benchmarks.bare", "post"], ["tests.benchmarks.bare", "bolt"]
    with (
        _bot(quiet) as bot,
        _served(quiet, *posting, api=api) as post,
        _served(quiet, *echoing, api=api) as bolt,
        httpx.Client(trust_env=False) as client,
        psycopg.connect(quiet.ready["ledger"], autocommit=True) as conn,
    ):
        conn.execute("CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY, dedup text UNIQUE, payload jsonb)")
        urls = {"post": post, "bolt": bolt, "tbops": bot.url}
        for number in range(ROUNDS + 1):
            for name in took:
                conn.execute("TRUNCATE ledger.inbox CASCADE")
                if name == "insert":
                    done = _at_rate(lambda: _insert(conn, command))
                else:
                    done = _at_rate(lambda url=urls[name]: _send(client, url, command))
                if number:  # the first round warms up
                    took[name] += done
                    rounds[name].append(report.p50(done))
    bare50, bare99 = (f(took["post"]) + f(took["insert"]) for f in (report.p50, lambda v: report.high(v, 99)))
    own, echo = took["tbops"], took["bolt"]
    report.show(
        "durable ack at 50/s, p50", goal=f"≤ {bare50 + 2:.1f} ms (bare + 2)", floor=bare50, result=report.p50(own)
    )
    report.show(
        "durable ack at 50/s, p99", goal=f"≤ {bare99 + 8:.1f} ms (bare + 8)", floor=bare99, result=report.high(own, 99)
    )
    report.show("durable ack beside a bare Bolt echo, p50", goal="–", floor=report.p50(echo), result=report.p50(own))
    bare = {name: f"{report.p50(v):.2f}/{report.high(v, 99):.2f}" for name, v in took.items()}
    report.note(f"p50/p99 in ms: {bare}; rounds' p50: {[round(v, 2) for v in rounds['tbops']]}")


def test_nothing_acknowledged_is_lost_by_a_kill(quiet: Sandbox) -> None:
    """The bot is killed right behind an ack, with other requests in flight."""
    command = Command(quiet.ready["slack"]["signing_secret"])
    acknowledged: list[str] = []
    for kill in range(KILLS):
        with _bot(quiet) as bot, httpx.Client(trust_env=False) as client:
            beside = threading.Thread(target=_until_it_dies, args=(bot.url, kill, acknowledged, quiet))
            beside.start()
            for _ in range(20 + 7 * kill):
                _send(client, bot.url, command)
            bot.process.send_signal(signal.SIGKILL)
            beside.join(30)
            acknowledged.append(command.last)
    kept = {row["dedup"] for row in quiet.ledger("SELECT dedup FROM ledger.inbox")}
    lost = sum(key not in kept for key in acknowledged)
    report.show(
        "acknowledged commands lost by kill -9 behind the ack", goal="0", floor=None, result=float(lost), unit="lost"
    )
    report.note(f"{len(acknowledged)} acknowledged around {KILLS} kills")
    assert not lost


def _until_it_dies(url: str, kill: int, acknowledged: list[str], sandbox: Sandbox) -> None:
    """Send from a second connection until there is no answer."""
    command = Command(sandbox.ready["slack"]["signing_secret"], 1_000_000 * (kill + 1))
    with httpx.Client(trust_env=False) as client:
        while True:
            try:
                _send(client, url, command)
            except httpx.HTTPError:
                return
            acknowledged.append(command.last)


class _Running:
    def __init__(self, process: "subprocess.Popen[bytes]", url: str) -> None:
        self.process = process
        self.url = url


@contextmanager
def _bot(sandbox: Sandbox) -> Iterator[_Running]:
    port = free_port()
    http = {"TBOPS_SLACK__MODE": "http", "TBOPS_SLACK__PORT": str(port)}
    with _process(["tbops", "bot"], {**sandbox.environment, **http}, port) as process:
        yield _Running(process, f"http://127.0.0.1:{port}/slack/events")


@contextmanager
def _served(sandbox: Sandbox, module: str, what: str, *, api: str) -> Iterator[str]:
    port = free_port()
    with _process([module, what, str(port), api], sandbox.environment, port):
        yield f"http://127.0.0.1:{port}/slack/events"


@contextmanager
def _process(module: list[str], environment: dict[str, str], port: int) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", *module], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, preexec_fn=os.setpgrp
    )
    try:
        _until_it_answers(port, process)
        yield process
    finally:
        process.kill()
        process.wait(10)


def _until_it_answers(port: int, process: "subprocess.Popen[bytes]") -> None:
    transport = httpx.HTTPTransport(retries=12)  # 0, 0.5, 1, 2 … s between connects
    with httpx.Client(transport=transport, trust_env=False) as client:
        client.get(f"http://127.0.0.1:{port}/")
    assert process.poll() is None


def _at_rate(do: Callable[[], object]) -> list[float]:
    """So many a second; each is timed from the moment it was meant to start, so that no queue is left out."""
    took: list[float] = []
    begun = time.perf_counter()
    for number in range(int(RATE * ROUND_S)):
        meant = begun + number / RATE
        time.sleep(max(0.0, meant - time.perf_counter()))
        do()
        took.append((time.perf_counter() - meant) * 1000)
    return took


def _send(client: httpx.Client, url: str, command: Command) -> None:
    body, headers = command.next()
    answer = client.post(url, content=body, headers=headers)
    assert answer.status_code == 200, answer.text


def _insert(conn: psycopg.Connection, command: Command) -> None:
    command.next()
    payload = {"text": LINE, "user": "U0ANA0001", "team": "T0SANDBOX", "channel": "C0MIGRATE", "response_url": "x" * 22}
    conn.execute(
        "INSERT INTO bare (dedup, payload) VALUES (%s, %s) ON CONFLICT (dedup) DO NOTHING RETURNING id",
        [command.last, Jsonb(payload)],
    )
