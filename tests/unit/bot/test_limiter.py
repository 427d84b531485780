"""The limiter: shared through a real Redis, alone when Redis is away; urgent messages come first."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from bot.limiter import RATES, Limiter
from tests.support.ledger_server import RedisServer

pytestmark = pytest.mark.xdist_group("bot-redis")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    running = RedisServer()
    running.start()
    yield running
    running.stop()


@pytest.fixture(params=["shared", "alone"])
def limiter(request: pytest.FixtureRequest, redis: RedisServer) -> Limiter:
    if request.param == "alone":
        return Limiter("redis://127.0.0.1:1/0")
    Redis.from_url(redis.url).flushdb()
    return Limiter(redis.url)


def taken(limiter: Limiter, method: str, channel: str = "", *, urgent: bool = True) -> tuple[int, float]:
    """How many calls are let through at once, and how long the next one has to wait."""
    for number in range(200):
        if (wait := limiter.take(method, channel, urgent=urgent)) > 0:
            return number, wait
    raise AssertionError("no limit")


class Refilled:
    """What comes back into a bucket meanwhile: where the machine is slow, it is let through as well."""

    def __init__(self, method: str) -> None:
        self._per_s = RATES[method].per_minute / 60
        self._began = time.monotonic()

    @property
    def most(self) -> float:
        return self._per_s * (time.monotonic() - self._began) + 0.01  # Redis counts in milliseconds


def test_a_burst_is_let_through_and_then_a_wait_is_named(limiter: Limiter) -> None:
    refilled = Refilled("chat.update")
    number, wait = taken(limiter, "chat.update")
    assert 12 <= number <= 12 + refilled.most
    assert 0 < wait <= 60 / RATES["chat.update"].per_minute


def test_posting_is_counted_for_each_channel(limiter: Limiter) -> None:
    refilled = Refilled("chat.postMessage")
    number, _ = taken(limiter, "chat.postMessage", "C1")
    assert 4 <= number <= 4 + refilled.most
    assert limiter.take("chat.postMessage", "C2") == 0


def test_progress_leaves_room_for_changes_of_state(limiter: Limiter) -> None:
    refilled = Refilled("chat.update")
    number, _ = taken(limiter, "chat.update", urgent=False)
    assert 8 <= number <= 8 + refilled.most
    assert taken(limiter, "chat.update")[0] >= 3


def test_retry_after_shuts_the_bucket_for_so_long(limiter: Limiter) -> None:
    began = time.monotonic()
    limiter.shut("chat.update", "C1", 300)
    wait = limiter.take("chat.update", "C1")
    assert 300 - (time.monotonic() - began) - 0.01 <= wait <= 300
    assert limiter.take("chat.postMessage", "C1") == 0


def test_two_processes_share_one_bucket(redis: RedisServer) -> None:
    Redis.from_url(redis.url).flushdb()
    one, other = Limiter(redis.url), Limiter(redis.url)
    refilled = Refilled("chat.postMessage")
    both = sum(taken(each, "chat.postMessage", "C1")[0] for each in (one, other))
    assert 4 <= both <= 4 + refilled.most


def test_a_method_without_a_limit_is_never_held_back(limiter: Limiter) -> None:
    assert limiter.take("auth.test") == 0
