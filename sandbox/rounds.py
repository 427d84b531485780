"""A mover's rounds, counted, so that others can wait for a whole one that found nothing left to do.

Time that is moved on at once leaves movers behind: a page that is due is sent in the mover's next round, whenever
the machine comes to it. Who moves the clock on can wait here instead of guessing how long that takes.
"""

import threading
from collections.abc import Callable


class Rounds:
    """``begin`` and ``end`` belong to the mover's thread, ``settled`` to everybody else's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._begun = 0
        self._idle = 0  # the last round that ended with nothing left to do
        self._waiting = 0

    @property
    def wanted(self) -> bool:
        """Somebody waits: rest no longer than needed."""
        return self._waiting > 0

    def begin(self) -> None:
        with self._changed:
            self._begun += 1

    def end(self, *, idle: bool) -> None:
        """``idle``: nothing is left to do at the platform's present time, or nothing can be done."""
        with self._changed:
            if idle:
                self._idle = self._begun
            self._changed.notify_all()

    def settled(self, wake: Callable[[], object], wait_s: float) -> bool:
        """Wait for a round that begins after this call and ends idle; False if it takes longer than ``wait_s`` by
        the machine's clock. ``wake`` ends a rest of the mover."""
        with self._changed:
            after = self._begun
            self._waiting += 1
        try:
            wake()
            with self._changed:
                return self._changed.wait_for(lambda: self._idle > after, wait_s)
        finally:
            with self._changed:
                self._waiting -= 1
