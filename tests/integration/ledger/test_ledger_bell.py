"""The bell: a real Redis hears the ring, and nobody waits for one that is away."""

import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from ledger.bell import BEHIND_S, JOBS, Bell
from tests.support.ledger_server import RedisServer

pytestmark = pytest.mark.integration


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def queued(server: RedisServer, queue: str) -> list[Job]:
    """The jobs as a worker will find them."""
    with Redis(port=server.port) as seen:
        return Queue(queue, connection=seen, serializer=JSONSerializer).jobs


def test_a_ring_is_a_job_with_one_integer_that_outlives_nothing(redis: RedisServer) -> None:
    bell = Bell(redis.url)
    for number, what in enumerate(JOBS):
        bell.ring(what, number)
    jobs = {queue: queued(redis, queue) for queue in ("talk", "work")}
    found = [(queue, job.func_name, list(job.args)) for queue, each in jobs.items() for job in each]
    assert sorted(found) == sorted((*JOBS[what], [number]) for number, what in enumerate(JOBS))
    for job in (*jobs["talk"], *jobs["work"]):
        assert (job.kwargs, job.timeout, job.result_ttl, job.failure_ttl) == ({}, -1, 0, 3600)


def rings_within(seconds: float, bell: Callable[[], Bell]) -> bool:
    """Whether a ring takes no longer, be it one of many: where the machine is busy any of them may."""

    def took(ringing: Bell) -> float:
        began = time.perf_counter()
        ringing.ring("tick", 1)
        return time.perf_counter() - began

    return any(took(bell()) < seconds for _ in range(20))


def test_nobody_waits_for_a_redis_that_is_away_and_it_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    server = RedisServer()  # never started
    bell = Bell(server.url, silent_s=0)
    assert rings_within(0.1, lambda: bell)
    for _ in range(5):
        bell.ring("tick", 1)
    said = capfd.readouterr()
    assert (said.out + said.err).count("redis is away") == 1


def test_nobody_waits_for_a_redis_that_hangs_and_it_is_heard_again_when_it_is_back(redis: RedisServer) -> None:
    bell = Bell(redis.url, silent_s=0)
    bell.ring("tick", 1)
    redis.signal(signal.SIGSTOP)
    try:
        assert rings_within(0.1, lambda: bell)
        assert rings_within(0.1, lambda: Bell(redis.url))
    finally:
        redis.signal(signal.SIGCONT)
    bell.ring("plan", 7)
    assert [(job.func_name, list(job.args)) for job in queued(redis, "work")][-1] == ("workers.jobs.plan", [7])


def test_who_rings_behind_an_answer_waits_a_second_at_most(redis: RedisServer) -> None:
    """What the bot's ringing thread and the workers give a busy Redis."""
    bell = Bell(redis.url, silent_s=0, patience_s=BEHIND_S)
    redis.signal(signal.SIGSTOP)
    try:
        assert rings_within(2 * BEHIND_S + 0.1, lambda: bell)
    finally:
        redis.signal(signal.SIGCONT)


def test_after_a_failure_nobody_asks_again_for_a_while() -> None:
    """A Redis that hangs: it takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        hangs.setblocking(False)
        bell = Bell(f"redis://127.0.0.1:{hangs.getsockname()[1]}/0", silent_s=3600)
        bell.ring("tick", 1)
        hangs.accept()[0].close()
        bell.ring("tick", 2)
        with pytest.raises(BlockingIOError):
            hangs.accept()
