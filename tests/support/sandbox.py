"""A running sandbox as tests see it: its ready line, its log, its faults and clock, SQL on both sides.

Everything goes over the wire. The only waiting is the request log's long poll.
"""

import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import psycopg
from confluent_kafka import Consumer, TopicPartition
from psycopg.rows import dict_row

BETWEEN_TICKS_S = 21 * 60  # past the hour: the seed's copies run at minutes 0, 8, 15, 20, 30, 45 and 50
PATIENCE_S = 60.0  # of the machine, which may be a slow one: whoever waits in vain fails all the same
SETTLE_S = 30.0  # the same for movers, of which most have settled in a fraction of a second
ANSWER_S = 90.0
SAID = 8_000  # characters
LOOK_AGAIN_S = 0.25  # what the log does not tell of (a backfill's state) is looked at again this soon
ROOT = Path(__file__).parents[2]

T = TypeVar("T")
Json = dict[str, Any]


class GaveUp(AssertionError):
    """What a test waited for did not come; the message holds the last requests."""


class Sandbox:
    """A sandbox process of the test's own. ``stop`` leaves nothing behind."""

    def __init__(self, *, speed: float = 20.0, bot: bool = False, seed: str = "small") -> None:
        options = ["--port", "0", "--speed", str(speed), "--seed", seed, *([] if bot else ["--no-bot"])]
        # a file, because pytest would keep what is said after the first test from everybody
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tbops", "sandbox", *options],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the sandbox did not start: {self._said()}"
        self.ready: Json = json.loads(line)
        self.control = _client(self.ready["slack"]["url"])
        self.tinybird = _client(self.ready["tinybird"]["url"], self.ready["tinybird"]["token"])
        self.sequin = _client(self.ready["sequin"]["url"], self.ready["sequin"]["token"])
        self.connect = _client(self.ready["connect"]["url"])
        self.kubernetes = _client(self.ready["kubernetes"]["url"], self.ready["kubernetes"]["token"])
        self.github = _client(self.ready["github"]["url"], self.ready["github"]["token"])
        self.log = Log(self.control)
        self.faults = Faults(self.control)
        self.clock = Clock(self.control)

    def stop(self) -> None:
        for client in (self.control, self.tinybird, self.sequin, self.connect, self.kubernetes, self.github):
            client.close()
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE_S)
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        if said := self._said():
            print(f"The sandbox said: {said}", file=sys.stderr)
        self._errors.close()

    def _said(self) -> str:
        """The end of what it wrote to stderr: the stacks of its threads, if it crashed."""
        self._errors.seek(0)
        return self._errors.read()[-SAID:]

    def reset(self) -> None:
        """Back to the seed. Whatever the hour, the platform's clock begins where no copy of the seed runs by its
        schedule for a while: one that does by chance fails, or mends, in the place of the one that a test means."""
        ended = self.process.poll()
        assert ended is None, f"the sandbox has ended by itself ({ended}) and said: {self._said()}"
        _ok(self.control.post("/sandbox/reset", json={"ahead_s": (BETWEEN_TICKS_S - time.time()) % 3600}))
        self.log.restart()

    def knobs(self, **values: Any) -> Json:
        """Set knobs until the next reset: ``knobs(sequin__slot_restart_s=0.0)``. All of them as they are then."""
        wanted = {name.replace("__", "."): value for name, value in values.items()}
        return _ok(self.control.post("/sandbox/knobs", json=wanted))["knobs"]

    def take_away(self, system: str) -> None:
        """End ``redis`` (empty when it is back) or ``postgres`` (source and ledger) as a crash does."""
        _ok(self.control.post("/sandbox/server", json={"system": system, "do": "stop"}))

    def bring_back(self, system: str) -> None:
        _ok(self.control.post("/sandbox/server", json={"system": system, "do": "start"}))

    @property
    def environment(self) -> dict[str, str]:
        """The environment that a bot, a worker or a ``tbops`` command needs to work on this sandbox."""
        return {**os.environ, **self.ready["product"]["env"]}

    def pg(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Json]:
        """Run SQL on the source database as its tables' owner; committed at once."""
        return _rows(self.ready["postgres"], query, parameters)

    def ledger(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Json]:
        return _rows(self.ready["ledger"], query, parameters)

    def tb(self, query: str) -> list[Json]:
        """Rows of a SELECT in Tinybird, as the admin."""
        answer = self.tinybird.get("/v0/sql", params={"q": f"{query} FORMAT JSON"})
        assert answer.status_code == 200, f"{query}\n{answer.text}"
        return answer.json()["data"]

    def messages(self, topic: str) -> list[Json]:
        """Everything in a Kafka topic, partition by partition; equal keys are in their order."""
        return [json.loads(value) for value in read_topic(self.ready["kafka"], topic)]

    def sink(self, name: str) -> Json:
        return _ok(self.sequin.get(f"/api/sinks/{name}"))

    def set_sink(self, name: str, status: str) -> Json:
        return _ok(self.sequin.patch(f"/api/sinks/{name}", json={"status": status}))

    def backfill(self, sink: str, backfill_id: str | None = None) -> Json:
        """A new backfill, or how an old one stands."""
        if backfill_id is None:
            return _ok(self.sequin.post(f"/api/sinks/{sink}/backfills", json={}))
        return _ok(self.sequin.get(f"/api/sinks/{sink}/backfills/{backfill_id}"))

    def connector(self) -> Json:
        return _ok(self.connect.get("/connectors/tinybird-sink/status"))

    def connector_is(self, state: Literal["PAUSED", "RUNNING"]) -> None:
        """Pause or resume the connector by hand, and wait for its tasks, which follow later than the answer."""
        verb = {"PAUSED": "pause", "RUNNING": "resume"}[state]
        assert self.connect.put(f"/connectors/tinybird-sink/{verb}").is_success
        self.until(lambda: {t["state"] for t in self.connector()["tasks"]} == {state}, what=f"the tasks {state}")

    def restart(self, deployment: str, stamp: str) -> None:
        """Have its pods made anew, as ``kubectl rollout restart`` does it."""
        annotated = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": stamp}}}
        media = {"Content-Type": "application/strategic-merge-patch+json"}
        patch = json.dumps({"spec": {"template": annotated}})
        _ok(self.kubernetes.patch(f"{self._deployments}/{deployment}", content=patch, headers=media))

    def replicas(self, deployment: str) -> int:
        """How many pods of a deployment are wanted."""
        return _ok(self.kubernetes.get(f"{self._deployments}/{deployment}"))["spec"]["replicas"]

    def scale(self, deployment: str, replicas: int) -> None:
        """As somebody at the cluster does it."""
        media = {"Content-Type": "application/merge-patch+json"}
        patch = json.dumps({"spec": {"replicas": replicas}})
        _ok(self.kubernetes.patch(f"{self._deployments}/{deployment}/scale", content=patch, headers=media))

    def pods(self, deployment: str) -> list[str]:
        """Names of its pods, those that are ending included."""
        found = self.kubernetes.get(
            f"/api/v1/namespaces/{self.namespace}/pods", params={"labelSelector": f"app={deployment}"}
        )
        return [pod["metadata"]["name"] for pod in _ok(found)["items"]]

    @property
    def namespace(self) -> str:
        """Where the writers run."""
        return str(self.ready["kubernetes"]["namespace"])

    @property
    def _deployments(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    def until(self, look: Callable[[], T], *, patience_s: float = PATIENCE_S, what: str = "") -> T:
        """Look, again after each new request, until it is true; what was seen then."""
        deadline = time.monotonic() + patience_s
        while not (seen := look()):
            if time.monotonic() > deadline:
                raise GaveUp(f"still not after {patience_s} s: {what or look}\nThe last requests:\n{self.log.tail()}")
            self.log.entries(after=self.log.last(), wait_s=LOOK_AGAIN_S)
        return seen


class Log:
    """The request log. ``match`` is ``METHOD /path-glob``."""

    def __init__(self, control: httpx.Client) -> None:
        self._control = control
        self._last = 0

    def restart(self) -> None:
        """The sandbox was reset: entries count from 1 again."""
        self._last = 0

    def entries(self, *, after: int = 0, wait_s: float = 0.0) -> list[Json]:
        answer = self._control.get("/sandbox/log", params={"after": after, "wait": wait_s})
        return _ok(answer)["entries"]

    def last(self) -> int:
        """The number of the newest entry. Asks for new ones only: bodies are long, and each look asks for this."""
        entries = self.entries(after=self._last)
        self._last = entries[-1]["n"] if entries else self._last
        return self._last

    def find(self, system: str, match: str, *, after: int = 0) -> list[Json]:
        method, glob = match.split(" ", 1)
        return [
            entry
            for entry in self.entries(after=after)
            if entry["system"] == system and entry["method"] == method and fnmatch.fnmatchcase(entry["path"], glob)
        ]

    def count(self, system: str, match: str, *, after: int = 0) -> int:
        return len(self.find(system, match, after=after))

    def wait(
        self, system: str, match: str, *, times: int = 1, after: int = 0, patience_s: float = PATIENCE_S
    ) -> list[Json]:
        """Wait until ``times`` such requests have been answered."""
        deadline = time.monotonic() + patience_s
        while True:
            last = self.last()
            done = [entry for entry in self.find(system, match, after=after) if entry["ms"] is not None]
            if len(done) >= times:
                return done
            if time.monotonic() > deadline:
                raise GaveUp(f"{len(done)} of {times} {system} {match} after {patience_s} s:\n{self.tail()}")
            self.entries(after=last, wait_s=LOOK_AGAIN_S)

    def tail(self, lines: int = 25) -> str:
        shown = [
            f"{e['n']:5} {e['system']:9} {e['status'] or '…'} {e['method']} {e['path']} {e['fault'] or ''}"
            for e in self.entries()
        ]
        return "\n".join(shown[-lines:])


class Faults:
    def __init__(self, control: httpx.Client) -> None:
        self._control = control

    def add(self, system: str, match: str, fault: str, *, times: int = 1) -> int:
        """Its number. See ``sandbox/faults.py`` for the kinds."""
        body = {"system": system, "match": match, "fault": fault, "times": times}
        return int(_ok(self._control.post("/sandbox/faults", json=body))["id"])

    def take_back(self, number: int) -> Json:
        """It is served no more; what it was."""
        return _ok(self._control.delete(f"/sandbox/faults/{number}"))


class Clock:
    def __init__(self, control: httpx.Client) -> None:
        self._control = control

    def advance(self, seconds: float, *, settle_s: float = 0.0) -> None:
        """Move it on; wait up to ``settle_s`` (of the machine) until the movers have done what is due by then."""
        _ok(self._control.post("/sandbox/clock", json={"advance_s": seconds, "settle_s": settle_s}))

    def run_at(self, speed: float) -> None:
        """How many of its seconds pass in one of the machine's, until the next reset."""
        _ok(self._control.post("/sandbox/clock", json={"speed": speed}))

    def time(self) -> float:
        """Platform time, seconds since 1970."""
        return float(_ok(self._control.get("/sandbox/state"))["time"])


def read_topic(broker: str, topic: str) -> list[bytes]:
    """The values of all messages up to the topic's ends."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "tests", "enable.auto.commit": False, "log_level": 0})
    try:
        known = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
        partitions = [TopicPartition(topic, n, 0) for n in known]
        wanted = sum(consumer.get_watermark_offsets(place, timeout=PATIENCE_S)[1] for place in partitions)
        consumer.assign(partitions)
        found: list[tuple[int, bytes]] = []
        while len(found) < wanted:
            for message in consumer.consume(1_000, 1.0):
                assert not message.error(), message.error()
                found.append((message.partition() or 0, bytes(message.value() or b"")))
        return [value for _, value in sorted(found, key=lambda pair: pair[0])]
    finally:
        consumer.close()


def _client(url: str, token: str | None = None) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=ANSWER_S, trust_env=False)


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()


def _rows(dsn: str, query: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[Json]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        cursor.execute(query.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []
