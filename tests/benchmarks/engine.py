"""An engine with free steps, for figures; ``python -m tests.benchmarks.engine DSN REDIS`` is a worker of it."""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psycopg
from redis import Redis

from ledger.bell import Bell
from ledger.connection import Pool, open_pool
from runbooks import steps
from runbooks.plan import digest
from runbooks.site import Site
from systems.permit import Permit
from tests.support.engine_story import Toys, settings, toys
from workers.context import Context, configure
from workers.pool import Crew, run_pool

TOYS = str(Path(__file__).parent / "toys")
if TOYS not in steps.__path__:
    steps.__path__.append(TOYS)


def free(dsn: str, pool: Pool) -> Toys:
    """Toys whose systems cost nothing: what is measured is the engine."""
    made = toys(dsn, pool)
    now = made.context.site("staging", 0, _all).now

    def site(environment: str, run: int, permit: Permit) -> Site:
        nobody = cast(Any, None)
        return Site(environment, run, now, nobody, nobody, nobody, nobody, nobody)

    made.context = replace(made.context, site=site, digest_of=lambda _site, _key: digest(""))
    return made


def bare_commits(dsn: str) -> psycopg.Connection:
    """A connection for the floor: one small durable write a commit."""
    conn = psycopg.connect(dsn, autocommit=True)
    conn.execute("CREATE TABLE IF NOT EXISTS bare (id int PRIMARY KEY, n bigint NOT NULL)")
    conn.execute("INSERT INTO bare VALUES (1, 0) ON CONFLICT DO NOTHING")
    return conn


def commit(conn: psycopg.Connection, times: int) -> None:
    for _ in range(times):
        conn.execute("UPDATE bare SET n = n + 1 WHERE id = 1")


def round_trips(pool: Pool, do: Callable[[], object]) -> int:
    """How often ``do`` waits for the ledger: whenever the server says that it is ready. ``pool`` has one connection."""
    with pool.connection() as conn:
        protocol = conn.pgconn
    with tempfile.TemporaryFile("w+") as trace:
        protocol.trace(trace.fileno())
        do()
        protocol.untrace()
        trace.seek(0)
        return sum("ReadyForQuery" in line for line in trace)


def _all(system: str, call: str) -> None:
    """Everything is allowed here."""


def _worker(dsn: str, redis_url: str) -> None:
    redis = cast(Any, Redis.from_url(redis_url))

    def start() -> None:
        pool = open_pool(dsn, name="bench")
        given = settings(dsn)
        configure(
            Context(
                pool=pool,
                settings=given,
                site=lambda environment, run, _permit: Site(
                    environment, run, cast(Any, None), redis, *[cast(Any, None)] * 4
                ),
                bell=Bell(redis_url),
                owner="bench",
            )
        )

    run_pool([Crew("work", 1, start)], redis_url, ["workers.jobs"])


if __name__ == "__main__":
    _worker(sys.argv[1], sys.argv[2])
