"""The limiter: shared through a real Redis, alone when Redis is away; urgent messages come first."""

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


def taken(limiter: Limiter, method: str, channel: str = "", *, urgent: bool = True) -> int:
    """How many calls are let through at once."""
    for number in range(200):
        if limiter.take(method, channel, urgent=urgent) > 0:
            return number
    raise AssertionError("no limit")


def test_a_burst_is_let_through_and_then_a_wait_is_named(limiter: Limiter) -> None:
    assert taken(limiter, "chat.update") in (12, 13)
    assert 0 < limiter.take("chat.update") <= 60 / RATES["chat.update"].per_minute


def test_posting_is_counted_for_each_channel(limiter: Limiter) -> None:
    assert taken(limiter, "chat.postMessage", "C1") == 4
    assert limiter.take("chat.postMessage", "C2") == 0


def test_progress_leaves_room_for_changes_of_state(limiter: Limiter) -> None:
    assert taken(limiter, "chat.update", urgent=False) in (8, 9)
    assert taken(limiter, "chat.update") >= 3


def test_retry_after_shuts_the_bucket_for_so_long(limiter: Limiter) -> None:
    limiter.shut("chat.update", "C1", 30)
    assert 29 < limiter.take("chat.update", "C1") <= 30
    assert limiter.take("chat.postMessage", "C1") == 0


def test_two_processes_share_one_bucket(redis: RedisServer) -> None:
    Redis.from_url(redis.url).flushdb()
    one, other = Limiter(redis.url), Limiter(redis.url)
    assert taken(one, "chat.postMessage", "C1") == 4
    assert other.take("chat.postMessage", "C1") > 0


def test_a_method_without_a_limit_is_never_held_back(limiter: Limiter) -> None:
    assert limiter.take("auth.test") == 0
