"""What the engine adds to a step, and how long a ring takes to become a tick."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from ledger.bell import Bell
from ledger.connection import open_pool
from runbooks.step import Step
from tests.benchmarks import engine, report
from tests.support.engine_story import CLOCK, Toys, plain
from tests.support.ledger_server import LedgerServer, RedisServer, ledger_server

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

STEPS, RUNS, RINGS = 10, 12, 150
TRIPS = {"a step that is done already": 10, "a step with one effect": 17}  # a new one is to be noticed
WITH_CLOCK = CLOCK.replace(" ", "%20").replace("=", "%3D")


@pytest.fixture(scope="module")
def server() -> Iterator[LedgerServer]:
    with ledger_server(fsync="on") as running:
        yield running


def test_overhead_of_a_step(server: LedgerServer) -> None:
    from runbooks.steps.free_steps import Effect, Nothing  # pyright: ignore[reportMissingImports]

    dsn = f"{server.database()}?options={WITH_CLOCK}"
    with open_pool(dsn, name="bench") as pool, engine.bare_commits(dsn) as bare:
        toys = engine.free(dsn, pool)
        floor: list[float] = []
        idle: list[float] = []
        acting: list[float] = []
        for _ in range(RUNS):
            floor += report.milliseconds(lambda: engine.commit(bare, 3), STEPS)
            idle.append(_steps(toys, [Nothing(number=n) for n in range(STEPS)]))
            acting.append(_steps(toys, [Effect(number=n) for n in range(STEPS)]))
    base = report.p50(floor)
    report.show("step overhead, a step that is done already, p50", goal="≤ 2 ms", floor=base, result=report.p50(idle))
    report.show("step overhead, a step with one effect, p50", goal="≤ 2 ms", floor=base, result=report.p50(acting))
    ends = f"{report.high(idle, 95):.1f} and {report.high(acting, 95):.1f}; of the floor {report.high(floor, 95):.1f}"
    report.note(f"floor: three bare commits, fsync on; p95 {ends} ms")


def _steps(toys: Toys, steps: list[Step]) -> float:
    """A step's share of a run that is carried out, in ms."""
    run = toys.running(*plain(*steps))
    begun = time.perf_counter()
    while toys.tick(run).due_soon(0.0):
        pass
    took = (time.perf_counter() - begun) * 1000
    assert toys.state(run) == "succeeded"
    return took / len(steps)


def test_round_trips_of_a_tick(server: LedgerServer) -> None:
    from runbooks.steps.free_steps import Effect, Nothing  # pyright: ignore[reportMissingImports]

    dsn = f"{server.database()}?options={WITH_CLOCK}"
    kinds = dict(zip(TRIPS, (Nothing, Effect), strict=True))
    with open_pool(dsn, name="bench", max_size=1) as pool:
        toys = engine.free(dsn, pool)
        for name, kind in kinds.items():
            _steps(toys, [kind(number=100 + n) for n in range(STEPS)])  # from now on every statement is prepared
            run = toys.running(*plain(*[kind(number=200 + n) for n in range(STEPS)]))  # no effect that was had before
            toys.tick(run)
            trips = engine.round_trips(pool, lambda run=run: toys.tick(run))
            while toys.tick(run).due_soon(0.0):
                pass
            report.show(f"round trips of a tick, {name}", goal="–", floor=None, result=trips, unit="trips")
            assert trips == TRIPS[name]


def test_ring_to_tick(server: LedgerServer) -> None:
    """A real Redis and a forked SimpleWorker; the run is due and nobody has it."""
    from runbooks.steps.free_steps import Stamp  # pyright: ignore[reportMissingImports]

    dsn = f"{server.database()}?options={WITH_CLOCK}"
    redis = RedisServer()
    redis.start()
    try:
        client = cast(Any, Redis.from_url(redis.url, socket_timeout=60))
        with open_pool(dsn, name="bench") as pool, _worker(dsn, redis.url):
            toys = engine.free(dsn, pool)
            toys.plan = list(plain(Stamp()))
            run = toys.running(*plain(Stamp()))
            bell = Bell(redis.url)
            took = [_ring(toys, client, bell, run) for _ in range(RINGS)][10:]
            floor = report.milliseconds(lambda: (client.rpush("bare", "1"), client.blpop(["bare"], 5)), RINGS)
    finally:
        redis.stop()
    report.show("ring to tick, p50", goal="≤ 5 ms", floor=report.p50(floor), result=report.p50(took))
    report.note(f"floor: a push and a pop of the same Redis; p95 {report.high(took, 95):.1f} ms")


def _ring(toys: Toys, client: Any, bell: Bell, run: int) -> float:
    with toys.pool.connection() as conn:
        conn.execute("UPDATE ledger.run SET due_at = ledger.now() - interval '1 s' WHERE id = %s", [run])
    begun = time.time()
    bell.ring("tick", run)
    answer = client.blpop(["looked"], 30)
    assert answer, "no tick came"
    took = (float(answer[1]) - begun) * 1000
    _until_given_back(toys, run)
    return took


def _until_given_back(toys: Toys, run: int) -> None:
    for _ in range(5_000):
        with toys.pool.connection() as conn:
            row = conn.execute(
                "SELECT lease_until, due_at > ledger.now() AS later FROM ledger.run WHERE id = %s", [run]
            )
            found = row.fetchone()
            conn.execute("SELECT pg_sleep(0.002)")
        if found and found["lease_until"] is None and found["later"]:
            return
    raise AssertionError("the lease was not given back")


@contextmanager
def _worker(dsn: str, redis_url: str) -> Iterator[None]:
    root = Path(__file__).parents[2]
    worker = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.engine", dsn, redis_url], cwd=root)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(40)
