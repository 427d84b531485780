"""Jobs never raise; the pulse keeps leases and finds what was lost; a pool outlives its children and Redis."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from ledger import bell, questions, runs
from runbooks.errors import Refused
from runbooks.steps.toy_steps import Await, Change  # pyright: ignore[reportMissingImports]
from systems.errors import SystemsError
from tests.support.engine_story import ANA, Toys, plain
from tests.support.ledger_server import RedisServer
from tests.support.outside import Killed
from workers import jobs
from workers.context import configure
from workers.lease import Lease
from workers.pulse import Pulse

pytestmark = pytest.mark.integration


@dataclass
class Rung:
    """A bell that remembers: Redis has its own tests."""

    rings: list[tuple[str, int]]

    @property
    def ticks(self) -> list[tuple[str, int]]:
        """The rings for runs: the sweep rings for the watch as well."""
        return [ring for ring in self.rings if ring[0] == "tick"]

    def ring(self, what: str, number: int) -> None:
        self.rings.append((what, number))


@pytest.fixture
def rung(toy: Toys) -> Rung:
    made = Rung([])
    toy.context = replace(toy.context, bell=cast(Any, made))
    configure(toy.context)
    return made


def test_every_job_that_the_bell_names_is_there() -> None:
    for _queue, path in bell.JOBS.values():
        if path.startswith("workers."):
            assert callable(getattr(jobs, path.rpartition(".")[2]))


def test_one_job_goes_on_while_the_run_is_due(toy: Toys, rung: Rung) -> None:
    run = toy.running(*plain(*(Change(name=f"n{n}", value="1") for n in range(4))))
    jobs.tick(run)
    assert toy.state(run) == "succeeded"
    assert ("tick", run) not in rung.rings
    assert any(what == "publish" for what, _ in rung.rings)


def test_a_job_for_a_run_that_is_not_there_says_nothing(toy: Toys, rung: Rung) -> None:
    jobs.tick(4711)
    jobs.plan(4711)
    jobs.question(4711)
    jobs.watch(4711)


def _forget_rings(toy: Toys) -> None:
    """As if the patience with the last ring were over."""
    with toy.pool.connection() as conn:
        conn.execute("UPDATE ledger.run SET rung_at = NULL")


def test_the_sweep_finds_a_run_whose_worker_died(toy: Toys, rung: Rung) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    _forget_rings(toy)  # the approval rang too
    pulse = Pulse(toy.context)
    pulse.sweep()
    pulse.sweep()
    assert rung.ticks == [("tick", run)], "rung once; a second ring only when nobody answered for a while"
    toy.faults.inject("put a", "kill_before")
    with pytest.raises(Killed):
        jobs.tick(run)
    rung.rings.clear()
    pulse.sweep()
    assert rung.ticks == [], "its lease is alive"
    toy.end_lease(run)
    pulse.sweep()
    assert rung.ticks == [("tick", run)]


def test_the_sweep_leaves_alone_what_waits(toy: Toys, rung: Rung) -> None:
    run = toy.running(*plain(Await(name="a", value="1")))
    jobs.tick(run)
    rung.rings.clear()
    pulse = Pulse(toy.context)
    pulse.sweep()
    assert rung.ticks == []
    toy.pass_time(10)
    pulse.sweep()
    assert rung.ticks == [("tick", run)]


def test_the_pulse_renews_under_its_fence_and_no_other(toy: Toys, rung: Rung) -> None:
    run = toy.running(*plain(Change(name="a", value="1")))
    toy.faults.inject("put a", "kill_before")
    with pytest.raises(Killed):
        toy.tick(run)
    now = [0.0]
    ours, stale = (Lease(run, 1.0, lambda: now[0]) for _ in range(2))
    fence = toy.view(run).run.fence
    ours.given(fence)
    stale.given(fence + 1)
    now[0] = 0.8
    pulse = Pulse(toy.context)
    with toy.context.desk.working(stale):
        pulse.keep()
    assert not stale.alive
    with toy.context.desk.working(ours):
        pulse.keep()
    now[0] = 1.5
    assert ours.alive


def test_a_tick_that_hangs_ends_its_process(toy: Toys, rung: Rung) -> None:
    now = [0.0]
    lease = Lease(7, 1.0, lambda: now[0])
    lease.given(1)
    ended: list[int] = []
    pulse = Pulse(toy.context, hung=ended.append)
    with toy.context.desk.working(lease):
        pulse.keep()
        assert ended == []
        now[0] = toy.context.settings.engine.hang_s
        pulse.keep()
    assert ended == [7]


def _planning(toy: Toys) -> int:
    request = {"text": "toys", "job": {"kind": "unreplicate", "table": "table"}}
    with toy.pool.connection() as conn, conn.transaction():
        return runs.create(conn, environment="staging", command="toys", request=request, requester=ANA.id, channel="C1")


def test_a_run_is_planned_and_proposed(toy: Toys, rung: Rung) -> None:
    toy.plan = [*plain(Change(name="a", value="1"))]
    run = _planning(toy)
    jobs.plan(run)
    view = toy.view(run)
    assert (view.run.state, view.run.hash) == ("proposed", toy.made().hash)
    assert [step.title for step in view.steps] == ["Put 1 into a"]
    assert ("publish", view.messages[0].id) in rung.rings
    jobs.plan(run)
    assert toy.state(run) == "proposed"


def test_what_cannot_be_planned_is_refused_with_its_sentence(toy: Toys, rung: Rung) -> None:
    def refuse(_request: object, _site: object) -> Any:
        raise Refused("There is no datasource `membrs`; did you mean `members`?")

    configure(replace(toy.context, make_plan=refuse))
    run = _planning(toy)
    jobs.plan(run)
    assert toy.view(run).run.reason == "There is no datasource `membrs`; did you mean `members`?"
    assert toy.state(run) == "refused"


def test_a_system_that_does_not_answer_is_asked_again_for_a_while(toy: Toys, rung: Rung) -> None:
    def silent(_request: object, _site: object) -> Any:
        raise SystemsError("tinybird", "GET /v0/pipes", retryable=True)

    configure(replace(toy.context, make_plan=silent))
    run = _planning(toy)
    jobs.plan(run)
    assert toy.state(run) == "planning"
    toy.pass_time(600)
    jobs.plan(run)
    assert toy.state(run) == "refused"
    assert "tinybird did not answer" in toy.view(run).run.reason


def test_a_question_nobody_knows_is_answered_so_once(toy: Toys, rung: Rung) -> None:
    with toy.pool.connection() as conn:
        number = questions.ask(conn, kind="weather", asked={"environment": "staging"}, asker=ANA.id)
        jobs.question(number)
        asked = questions.get(conn, number)
        assert asked is not None
        assert asked.answer == {"environment": "staging", "error": "Nobody knows how to answer “weather”."}
        assert questions.take(conn, number, owner="x", lease_s=1) is None


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


_POOL = """
import sys
from workers.pool import Crew, run_pool
def started():
    print("started", flush=True)
sys.exit(run_pool([Crew("work", 1, started)], sys.argv[1], ["tests.support.pool_jobs"]))
"""


def _await_start(out: IO[str]) -> None:
    """Log lines are passed over; the pool's end would end this too."""
    lines: list[str] = []
    while "started\n" not in lines:
        lines.append(out.readline())
        assert lines[-1], f"the pool has ended: {lines}"


@pytest.mark.process
def test_a_pool_runs_jobs_replaces_children_and_ends_when_asked(redis: RedisServer) -> None:
    pool = subprocess.Popen(
        [sys.executable, "-c", _POOL, redis.url], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True
    )
    out = pool.stdout
    assert out is not None
    connection = Redis.from_url(redis.url)
    queue = Queue("work", connection=connection, serializer=JSONSerializer)
    try:
        for _ in range(2):
            _await_start(out)
            queue.enqueue_call("tests.support.pool_jobs.tell_pid", args=(7,), result_ttl=0, timeout=-1)
            told = connection.blpop(["told"], timeout=20)
            assert told is not None
            os.kill(int(cast(Any, told)[1]), signal.SIGKILL)
        _await_start(out)
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(20) == 0
    finally:
        pool.kill()
        pool.wait()
        out.close()
