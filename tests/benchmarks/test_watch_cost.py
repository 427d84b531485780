"""What a look of the watch costs, from 10 pipes to 1,000: calls of the platform, and time with a real ledger."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from config.watch import WatchSettings
from ledger import watches
from ledger.connection import Conn, connect
from systems.http import Wire
from systems.permit import read_only
from systems.tinybird import Tinybird
from tests.benchmarks import report
from tests.support.ledger_server import ledger_server
from workers.watch import memory
from workers.watch.asking import asked
from workers.watch.judging import judged, limits_of
from workers.watch.kept import Kept

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

NOW = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
CALLS = 3
LOOKS = 20


class Far:
    """A workspace of so many hourly copies that have run for 60 hours."""

    def __init__(self, pipes: int) -> None:
        self.asked: list[str] = []
        self._pipes = json.dumps({"pipes": [_pipe(n) for n in range(pipes)]}).encode()
        self._count = pipes
        self.now = NOW

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path == "/v0/pipes":
            return httpx.Response(200, content=self._pipes)
        query = request.url.params["q"]
        since = query.rpartition(">= '")[2][:19]
        rows = self._jobs(since) if "jobs_log" in query else []
        return httpx.Response(200, json={"data": [{"now": str(self.now)[:19], "found": rows}]})

    def _jobs(self, since: str) -> list[list[Any]]:
        hours = (f"{NOW.replace(minute=0) - timedelta(hours=n):%Y-%m-%d %H:%M:%S}" for n in range(60))
        return [
            [f"j{n}/{hour}", f"t_{n}", "", "done", hour, hour, hour, None, "copy"]
            for hour in hours
            if hour >= since
            for n in range(self._count)
        ]


def _pipe(n: int) -> dict[str, Any]:
    return {
        "id": f"t_{n}", "name": f"copy_{n}", "type": "copy", "copy_node": f"n_{n}", "copy_target_datasource": f"d_{n}",
        "copy_mode": "replace", "schedule": {"cron": "0 * * * *", "status": "running"},
        "nodes": [{"id": f"n_{n}", "name": f"copy_{n}_1", "sql": f"SELECT * FROM d_{n + 1}", "node_type": "copy"}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def conn() -> Iterator[Conn]:
    with ledger_server(fsync="on") as server, connect(server.database(), name="bench") as opened:
        yield opened


@pytest.mark.parametrize("pipes", [10, 100, 1000])
def test_cost_of_a_look(conn: Conn, pipes: int) -> None:
    far, environment = Far(pipes), f"of {pipes}"
    tinybird = Tinybird("http://far", "p.token", read_only, wire=Wire(transport=httpx.MockTransport(far)))
    settings, kept = WatchSettings(), Kept()

    def look(until: datetime | None) -> None:
        answer = asked(tinybird, environment, until, settings.overlap_s)
        known = kept.memory(conn, environment)
        after = known.folded(answer.look)
        faults = judged(answer.look, after, settings, limits_of(answer.look, settings, 3600))
        assert faults == []
        with conn.transaction():
            watches.begin(conn, environment)
            watches.remember(conn, environment, *memory.changes(known, after))
            watches.looked(conn, environment, answer.look.now, trouble="")

    look(None)
    far.asked.clear()
    took = report.milliseconds(lambda: look(NOW), LOOKS)
    floor = report.milliseconds(lambda: json.loads(far(_request("/v0/pipes")).content), LOOKS)
    calls = (len(far.asked) - LOOKS) / LOOKS
    assert calls == CALLS
    report.show(f"a look at {pipes:,} copies, p50", goal="calls flat", floor=report.p50(floor), result=report.p50(took))
    report.note(f"{calls:.0f} calls of Tinybird; floor: the pipes' JSON parsed; p95 {report.high(took, 95):.0f} ms")


def _request(path: str) -> httpx.Request:
    return httpx.Request("GET", f"http://far{path}")
