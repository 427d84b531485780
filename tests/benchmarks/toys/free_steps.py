"""Steps that cost nothing themselves, so that what is left is the engine's. Found by ``op`` like any other."""

import time
from typing import ClassVar, cast

from redis import Redis

from runbooks.site import Site
from runbooks.step import Done, Seen, Step, Todo, Wait

DONE: set[str] = set()


class Nothing(Step):
    """Done at the first look."""

    op: ClassVar[str] = "bench.nothing/1"
    number: int

    def title(self) -> str:
        return f"Nothing {self.number}"

    def look(self, at: Site) -> Seen:
        return Done()

    def act(self, at: Site) -> None:
        raise AssertionError


class Effect(Step):
    """One effect in this process's memory."""

    op: ClassVar[str] = "bench.effect/1"
    number: int

    def title(self) -> str:
        return f"Effect {self.number}"

    def look(self, at: Site) -> Seen:
        return Done() if self._key(at) in DONE else Todo()

    def act(self, at: Site) -> None:
        DONE.add(self._key(at))

    def _key(self, at: Site) -> str:
        return f"{at.run}/{self.number}"


class Stamp(Step):
    """Says when it was looked at, in the Redis that stands where Tinybird's client would; never done."""

    op: ClassVar[str] = "bench.stamp/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True

    def title(self) -> str:
        return "Say when"

    def look(self, at: Site) -> Seen:
        # redis-py types its answers as perhaps awaitable
        cast("Redis", at.tinybird).rpush("looked", repr(time.time()))
        return Wait(3600.0, "again when it is rung for")

    def act(self, at: Site) -> None:
        raise AssertionError
