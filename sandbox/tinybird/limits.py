"""How many data sources may be made in a minute (facts/tinybird.md §13)."""

import time
from collections import deque

from sandbox.tinybird.errors import ApiError


class CreateLimit:
    """So many data sources may be made in a minute, by the machine's clock (facts/tinybird.md §13)."""

    def __init__(self) -> None:
        self._made: deque[float] = deque()

    def take(self, per_minute: int) -> None:
        now = time.monotonic()
        while self._made and now - self._made[0] >= 60:
            self._made.popleft()
        if len(self._made) >= per_minute:
            wait = str(max(1, round(60 - (now - self._made[0]))))
            headers = {
                "Retry-After": wait,
                "X-RateLimit-Limit": str(per_minute),
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": wait,
            }
            raise ApiError(
                429, f"Too many requests: {per_minute} Data Sources can be created in a minute", headers=headers
            )
        self._made.append(now)
