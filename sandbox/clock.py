"""The platform clock: one time for everything that the pretended platform does.

Copy schedules, job and backfill durations, Sequin's start delay and every timestamp a stand-in
writes are read from here. Slack, HTTP and lock timeouts and Kafka are never scaled: they use the
machine's own clock.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class PlatformClock:
    """``origin + (wall - started) * speed + advanced``, in UTC. Safe to use from any thread.

    Whoever keeps a copy of these four figures (the ledger's SQL clock) adds itself to ``listeners``
    and is called after every change, in the thread that made it.
    """

    def __init__(self, *, speed: float = 1.0, wall: Callable[[], float] = time.time) -> None:
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        self._wall = wall
        self._lock = threading.Lock()
        self.listeners: list[Callable[[], None]] = []
        self.speed = speed
        self.started = wall()
        self.origin = self.started
        self.advanced_s = 0.0

    def time(self) -> float:
        """Platform time in seconds since 1970."""
        return self.origin + (self._wall() - self.started) * self.speed + self.advanced_s

    def now(self) -> datetime:
        """Platform time, aware, in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    def advance(self, seconds: float) -> datetime:
        """Move the platform on at once; never backwards."""
        if seconds < 0:
            raise ValueError("the platform clock only goes forward")
        with self._lock:
            self.advanced_s += seconds
        self._tell()
        return self.now()

    def set_speed(self, speed: float) -> None:
        """Let platform time run at another pace from here on."""
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        with self._lock:
            self.origin, self.started = self.time() - self.advanced_s, self._wall()
            self.speed = speed
        self._tell()

    def restart(self, *, speed: float, ahead_s: float = 0.0) -> None:
        """Begin anew at the machine's time, or so far ahead of it: a reset of the sandbox."""
        with self._lock:
            self.started = self.origin = self._wall()
            self.advanced_s = ahead_s
            self.speed = speed
        self._tell()

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()

    def wall_seconds_until(self, when: datetime) -> float:
        """How long by the machine's clock until the platform's reads ``when`` (0 if it is past)."""
        return max(0.0, (when - self.now()) / timedelta(seconds=1) / self.speed)
