"""The lease as the process that works under it sees it, by this machine's own clock.

A worker that was stopped for longer than its lease must find out before it changes anything, without asking
anybody: hence a deadline on the monotonic clock, counted from *before* the ledger was asked, so that it is
never later than the ledger's own.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from systems.errors import NotPermitted


class Lease:
    """One run under one fence. ``renewed`` is called by the pulse, everything else by the tick."""

    def __init__(self, run: int, lease_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = run
        self.fence = 0  # known once the ledger has given the lease
        self._clock = clock
        self._lease_s = lease_s
        self._deadline = clock() + lease_s
        self._begun = clock()
        self._intent: str | None = None

    def given(self, fence: int) -> None:
        """The ledger has given the lease."""
        self.fence = fence

    @property
    def alive(self) -> bool:
        return self._clock() < self._deadline

    @property
    def age_s(self) -> float:
        """How long this tick has lasted."""
        return self._clock() - self._begun

    @property
    def wants_renewal(self) -> bool:
        """Half of it is over."""
        return self._clock() > self._deadline - self._lease_s / 2

    def asked(self) -> float:
        """The moment to give to ``renewed``; taken before the ledger is asked."""
        return self._clock()

    def renewed(self, asked: float) -> None:
        self._deadline = asked + self._lease_s

    def lost(self) -> None:
        """Somebody else has the run: nothing may be changed any more."""
        self._deadline = float("-inf")

    @contextmanager
    def effect(self, key: str) -> Generator[None]:
        """While this is entered, the permit lets the one effect of the intent ``key`` through."""
        self._intent = key
        try:
            yield
        finally:
            self._intent = None

    def permit(self, system: str, call: str) -> None:
        """``systems.permit.Permit``: raises ``NotPermitted`` without a fresh intent under a live lease."""
        if self._intent is None:
            raise NotPermitted(system, call, said="there is no intent for it; nothing was sent")
        if not self.alive:
            raise NotPermitted(system, call, said=f"the lease on run {self.run} has ended; nothing was sent")


class Desk:
    """What this process works on now: one lease at most, looked at by the pulse's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lease: Lease | None = None

    @contextmanager
    def working(self, lease: Lease) -> Generator[None]:
        with self._lock:
            self._lease = lease
        try:
            yield
        finally:
            with self._lock:
                self._lease = None

    def now(self) -> Lease | None:
        with self._lock:
            return self._lease
