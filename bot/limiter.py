"""Slack's rate limits, shared by all processes through Redis (facts/slack.md §3.1). Redis away: a bucket a process.

A bucket holds a burst and is refilled at the tier's rate. Urgent messages (a state changed, people wait) may
empty it; progress edits leave a third of it for them. ``Retry-After`` shuts a bucket for that long.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from config.log import logger

_log = logger("bot")

_SILENT_S = 5.0  # after Redis failed nobody waits for it again for so long
_KEY = "tbops:slack:"


@dataclass(frozen=True)
class Rate:
    """``burst`` calls at once, then ``per_minute``; a bucket for each channel when ``by_channel``."""

    per_minute: float
    burst: float
    by_channel: bool = False


# A little under Slack's own figures: another app's clock, retries and what we forgot count too.
RATES: dict[str, Rate] = {
    "chat.postMessage": Rate(57, 4, by_channel=True),
    "chat.update": Rate(48, 12),
    "chat.postEphemeral": Rate(95, 20),
    "files.completeUploadExternal": Rate(95, 10),
    "users.info": Rate(95, 20),
    "usergroups.users.list": Rate(19, 6),
    "views.open": Rate(95, 20),
    "views.update": Rate(95, 20),
    "views.publish": Rate(95, 20),
}

# KEYS[1] the bucket · ARGV: per second, burst, what must be left after taking. Answers milliseconds to wait, 0: taken.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local b = redis.call('HMGET', KEYS[1], 'left', 'at', 'shut')
local rate, burst, keep = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local shut = tonumber(b[3] or '0')
if shut > now then return math.ceil(shut - now) end
local left = math.min(burst, tonumber(b[1] or burst) + (now - tonumber(b[2] or now)) * rate / 1000)
local took = left - 1 >= keep
if took then left = left - 1 end
redis.call('HSET', KEYS[1], 'left', tostring(left), 'at', now)
redis.call('PEXPIRE', KEYS[1], 120000)
if took then return 0 end
return math.max(1, math.ceil((1 + keep - left) / rate * 1000))
"""
_SHUT = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], 'shut', now + tonumber(ARGV[1]), 'left', '0', 'at', now + tonumber(ARGV[1]))
redis.call('PEXPIRE', KEYS[1], 120000 + tonumber(ARGV[1]))
return 0
"""


class Limiter:
    """Safe to use from any thread and after a fork."""

    def __init__(self, redis_url: str) -> None:
        self._redis: Any = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]  # redis-py types its kwargs as unknown
            redis_url, socket_connect_timeout=0.2, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)
        )
        self._take = self._redis.register_script(_TAKE)
        self._shut = self._redis.register_script(_SHUT)
        self._own = _Own()
        self._away_until = 0.0

    def take(self, method: str, channel: str = "", *, urgent: bool = True) -> float:
        """0.0: call now. Otherwise nothing was taken, and the seconds until it is worth asking again."""
        rate = RATES.get(method)
        if rate is None:
            return 0.0
        keep = 0.0 if urgent else rate.burst / 3
        key = _key(method, rate, channel)
        args = [rate.per_minute / 60, rate.burst, keep]
        waited = self._ask(self._take, key, args)
        return self._own.take(key, rate, keep) if waited is None else waited / 1000

    def shut(self, method: str, channel: str, seconds: float) -> None:
        """Slack said ``Retry-After``: nobody calls for so long."""
        rate = RATES.get(method, Rate(60, 1))
        key = _key(method, rate, channel)
        self._own.shut(key, seconds)
        self._ask(self._shut, key, [int(seconds * 1000)])

    def _ask(self, script: Any, key: str, args: list[float]) -> float | None:
        """The script's answer, or None when Redis is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            return float(cast(int, script(keys=[key], args=args)))
        except (RedisError, OSError) as exc:
            self._away_until = time.monotonic() + _SILENT_S
            _log.warning("redis is away: this process keeps Slack's limits alone", error=str(exc))
            return None


def _key(method: str, rate: Rate, channel: str) -> str:
    return f"{_KEY}{method}:{channel}" if rate.by_channel else f"{_KEY}{method}"


class _Own:
    """The same buckets in this process, by its own clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}  # key: (left, as of); a time to come means shut until then

    def take(self, key: str, rate: Rate, keep: float) -> float:
        per_second, now = rate.per_minute / 60, time.monotonic()
        with self._lock:
            left, at = self._left.get(key, (rate.burst, now))
            if at > now:
                return at - now
            left = min(rate.burst, left + (now - at) * per_second)
            if left - 1 >= keep:
                self._left[key] = (left - 1, now)
                return 0.0
            self._left[key] = (left, now)
            return (1 + keep - left) / per_second

    def shut(self, key: str, seconds: float) -> None:
        with self._lock:
            self._left[key] = (0.0, time.monotonic() + seconds)
