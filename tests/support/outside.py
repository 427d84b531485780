"""The outside of the engine's tests: a Postgres table behind a client that asks the permit, with faults to inject.

Its log is the judge of what was done, and how often.
"""

from collections.abc import Callable

import psycopg

from systems.errors import SystemsError
from systems.permit import Permit

SCHEMA = b"""
CREATE SCHEMA outside;
CREATE TABLE outside.thing (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE outside.log (id bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL, value text NOT NULL);
"""


class Killed(BaseException):
    """The process dies here: nothing that comes after is done."""


class Faults:
    """What happens to the coming calls. ``at`` names a call ("put a", "get a"); each fault happens ``times``."""

    def __init__(self) -> None:
        self._coming: dict[str, list[str]] = {}

    def inject(self, at: str, fault: str, times: int = 1) -> None:
        self._coming.setdefault(at, []).extend([fault] * times)

    def clear(self) -> None:
        self._coming.clear()

    def next(self, at: str) -> str | None:
        coming = self._coming.get(at)
        return coming.pop(0) if coming else None


class Outside:
    def __init__(self, dsn: str, permit: Permit, faults: Faults) -> None:
        self._dsn = dsn
        self._permit = permit
        self._faults = faults

    def get(self, name: str) -> str:
        self._before(f"get {name}")
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            row = conn.execute("SELECT value FROM outside.thing WHERE name = %s", [name]).fetchone()
        return row[0] if row else "absent"

    def put(self, name: str, value: str) -> None:
        self._change(f"put {name}", lambda conn: self._put(conn, name, value))

    def ring(self) -> None:
        self._change("ring", lambda conn: self._log(conn, "bell", "rung"))

    def _change(self, call: str, change: Callable[[psycopg.Connection], None]) -> None:
        self._permit("outside", call)
        after = self._before(call)
        if after == "vanish":
            return
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            change(conn)
        if after == "drop_after":
            raise SystemsError("outside", call, retryable=True)
        if after == "kill_after":
            raise Killed

    def _put(self, conn: psycopg.Connection, name: str, value: str) -> None:
        conn.execute(
            "INSERT INTO outside.thing VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [name, value],
        )
        self._log(conn, name, value)

    def _log(self, conn: psycopg.Connection, name: str, value: str) -> None:
        conn.execute("INSERT INTO outside.log (name, value) VALUES (%s, %s)", [name, value])

    def _before(self, call: str) -> str | None:
        fault = self._faults.next(call)
        match fault:
            case None | "none" | "drop_after" | "kill_after" | "vanish":
                return fault
            case "drop_before":
                raise SystemsError("outside", call, retryable=True)
            case "kill_before":
                raise Killed
            case status:
                code = int(status)
                raise SystemsError("outside", call, status=code, retryable=code in (429, 503), said="no")
