"""Where a worker can be killed: after every answer of a system, before every effect, around every commit.

A worker's borders are its pool of ledger connections and its clients. Both are wrapped from outside, so that what
is between two borders is the product as it is. A kill is a ``BaseException``: nothing in the product catches it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ledger.connection import Conn, Pool
from runbooks.site import Site
from systems.permit import Permit
from tests.support.outside import Killed
from workers.context import Context

SYSTEMS = ("tinybird", "sequin", "connect", "kafka", "postgres", "kubernetes", "github")
_PARTS = ("repository",)  # calls that ask nothing and give another client


@dataclass(frozen=True)
class Boundary:
    """``place`` is the step being advanced with its effects so far, ``nth`` the crossing within the tick. ``effect``
    is the effect that was sent in this tick and whose outcome is not yet committed."""

    place: str
    nth: int
    name: str
    effect: str = ""

    @property
    def matters(self) -> bool:
        """Whether something was changed since the last boundary, or is about to be."""
        return bool(self.effect) or not self.name.endswith("has answered")


@dataclass
class Seams:
    """``strikes`` decides at each boundary whether the worker dies there."""

    place: Callable[[], str]  # where the run stands, asked at the beginning of a tick
    strikes: Callable[[Boundary], bool]
    crossed: list[Boundary] = field(default_factory=list)
    _place: str = ""
    _nth: int = 0
    _effect: str = ""

    def around(self, context: Context) -> Context:
        """The same worker, watched, at the beginning of a tick."""
        self._place, self._nth, self._effect = self.place(), 0, ""
        make = context.site

        def site(environment: str, run: int, permit: Permit) -> Site:
            return self._watched(make(environment, run, self._permit(permit)))

        return replace(context, pool=cast(Pool, _Pool(context.pool, self)), site=site)

    def cross(self, name: str) -> None:
        self._nth += 1
        boundary = Boundary(self._place, self._nth, name, self._effect)
        self.crossed.append(boundary)
        if self.strikes(boundary):
            raise Killed(f"{boundary}")

    def committed(self) -> None:
        """What was sent is in the ledger, with what came of it."""
        self._effect = ""

    def _permit(self, permit: Permit) -> Permit:
        def permitted(system: str, call: str) -> None:
            permit(system, call)
            self.cross(f"{system}: {call} is about to be sent")
            self._effect = f"{system}: {call}"

        return permitted

    def _watched(self, site: Site) -> Site:
        clients: dict[str, Any] = {name: _Client(name, getattr(site, name), self) for name in SYSTEMS}
        return replace(site, **clients)


class _Client:
    """A client whose every answer is a boundary."""

    def __init__(self, name: str, client: Any, seams: Seams) -> None:
        self._name, self._client, self._seams = name, client, seams

    def __getattr__(self, call: str) -> Any:
        method = getattr(self._client, call)
        if not callable(method):
            return method

        def asked(*given: Any, **named: Any) -> Any:
            answer = method(*given, **named)
            if call in _PARTS:
                return _Client(self._name, answer, self._seams)
            self._seams.cross(f"{self._name}.{call} has answered")
            return answer

        return asked


class _Pool:
    """A pool that dies before a transaction of the ledger begins, or once it is committed."""

    def __init__(self, pool: Pool, seams: Seams) -> None:
        self._pool, self._seams = pool, seams

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Conn]:
        self._seams.cross("the ledger is about to be asked")
        with self._pool.connection(timeout) as conn:
            yield conn
        self._seams.committed()
        self._seams.cross("the ledger has committed")

    def close(self) -> None:
        self._pool.close()
