"""Slack's rate limits as token buckets (facts/slack.md §3.1), by the machine's clock.

A tier's number is a minimum a minute, per method and app, "bursts tolerated": the bucket holds one
minute's worth. Posting is limited per channel instead: one a second, short bursts allowed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """``burst`` calls at once, refilled by ``per_minute``; per channel when ``by_channel``."""

    per_minute: float
    burst: int
    by_channel: bool = False


TIER_2 = Rate(20, 20)
TIER_3 = Rate(50, 50)
TIER_4 = Rate(100, 100)
SPECIAL = Rate(600, 600)  # "hundreds a minute" in Slack's words
POSTING = Rate(60, 5, by_channel=True)  # how short a "short burst" is, Slack does not say


class Buckets:
    """What is left of each bucket; a bucket is made full on its first use."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str, rate: Rate) -> int | None:
        """Take one token; None when there was one, else the whole seconds until there is."""
        now = self._clock()
        left, since = self._left.get(key, (float(rate.burst), now))
        left = min(float(rate.burst), left + (now - since) * rate.per_minute / 60)
        if left >= 1:
            self._left[key] = (left - 1, now)
            return None
        self._left[key] = (left, now)
        return max(1, math.ceil((1 - left) * 60 / rate.per_minute))
