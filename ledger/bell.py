"""The bell: tells a worker to look now. Redis carries nothing else, and losing it loses nothing.

This is the one file that names jobs by path (DESIGN §2). A ring that is lost is made good by the sweeps.
"""

import threading
import time
from typing import Literal

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from config.log import logger

What = Literal["inbox", "plan", "tick", "publish", "question", "watch", "remind"]

JOBS: dict[What, tuple[str, str]] = {  # what: (queue, path of the job)
    "inbox": ("talk", "bot.jobs.inbox"),
    "publish": ("talk", "bot.jobs.publish"),
    "plan": ("work", "workers.jobs.plan"),
    "tick": ("work", "workers.jobs.tick"),
    "question": ("work", "workers.jobs.question"),
    "watch": ("work", "workers.jobs.watch"),
    "remind": ("work", "workers.jobs.remind"),
}

# Who must not be kept waiting gives Redis this long to connect, and as long to answer: under 100 ms together. Rung
# behind an answer it may be more: a ring that is given up costs its row the wait for a sweep, seconds.
AT_ONCE_S = 0.045
BEHIND_S = 0.5

_log = logger("ledger")


class Bell:
    """Rings for one process; safe to use from any thread, and after a fork."""

    def __init__(self, redis_url: str, *, silent_s: float = 1.0, patience_s: float = AT_ONCE_S) -> None:
        """``silent_s``: after a failure nobody waits for Redis again for so long."""
        redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]  # redis-py types its kwargs as unknown
            redis_url, socket_connect_timeout=patience_s, socket_timeout=patience_s, retry=Retry(NoBackoff(), 0)
        )
        self._queues = {name: Queue(name, connection=redis, serializer=JSONSerializer) for name in ("talk", "work")}
        self._lock = threading.Lock()
        self._away = False
        self._again_at = 0.0
        self._silent_s = silent_s

    def ring(self, what: What, number: int) -> None:
        """Have ``what`` look at row ``number``. Never raises: with Redis away it says so once in the log."""
        if time.monotonic() < self._again_at:
            return
        queue, path = JOBS[what]
        try:
            self._queues[queue].enqueue_call(  # pyright: ignore[reportUnknownMemberType]  # rq's types are partial
                path, args=(number,), timeout=-1, result_ttl=0, failure_ttl=3600
            )
        except (RedisError, OSError) as unheard:
            self._unheard(what, unheard)
        else:
            self._heard()

    def _unheard(self, what: What, error: Exception) -> None:
        with self._lock:
            self._again_at = time.monotonic() + self._silent_s
            first, self._away = not self._away, True
        if first:
            _log.warning("redis is away: nothing is lost, the sweeps go on", what=what, error=str(error))

    def _heard(self) -> None:
        if not self._away:
            return
        with self._lock:
            back, self._away = self._away, False
        if back:
            _log.info("redis is back")
