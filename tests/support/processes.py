"""The product as processes on a running sandbox: a real bot and real pools of workers, to be killed and restarted.

``Crew`` belongs to a pytest worker and outlives resets; what a test killed is started anew for the next one.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import Redis

from tests.support.people import People
from tests.support.sandbox import PATIENCE_S, ROOT, Json, Sandbox

START_S = 120.0
RUN_S = 120.0
SWEEP_S = 0.2  # the platform's clock runs 20 times as fast: what is due is found as soon as at the usual pace
NEVER_S = 1e6

# What one recreation of members changes outside, each of it once.
RECREATED = {
    ("tinybird", "POST", "/v0/datasources/members_sorted/alter"): 1,
    ("sequin", "POST", "/api/postgres_databases/cm-local/refresh_tables"): 1,
    ("tinybird", "POST", "/v0/pipes/members_sorted_copy_pipe/copy/pause"): 1,
    ("sequin", "PATCH", "/api/sinks/members_sink"): 2,  # paused, resumed
    ("connect", "PUT", "/connectors/tinybird-sink/pause"): 1,
    ("tinybird", "PUT", "/v0/datasources/*"): 1,  # renamed, by its id
    ("tinybird", "POST", "/v0/datasources"): 1,
    ("tinybird", "PUT", "/v0/tokens/connect"): 1,
    ("connect", "PUT", "/connectors/tinybird-sink/resume"): 1,
    ("sequin", "POST", "/api/sinks/members_sink/backfills"): 1,
    ("tinybird", "POST", "/v0/pipes/members_sorted_copy_pipe/copy"): 1,
    ("tinybird", "POST", "/v0/pipes/members_sorted_copy_pipe/copy/resume"): 1,
    ("tinybird", "PUT", "/v0/tags/members"): 1,
    ("tinybird", "PUT", "/v0/tags/raw"): 1,
}
ALTERED = {
    ("tinybird", "POST", "/v0/datasources/members_sorted/alter"): 1,
    ("tinybird", "POST", "/v0/datasources/members/alter"): 1,
    ("sequin", "POST", "/api/postgres_databases/cm-local/refresh_tables"): 1,
}


class Pool:
    """`tbops worker`: the parent and its children. A child is known by the pid that its leases carry."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def children(self) -> list[int]:
        """The pids of the workers that are alive now."""
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [int(pid) for pid in text.split()]

    def kill(self) -> None:
        """``kill -9`` of the parent and all its children at once."""
        children = self.children()
        for pid in [self.process.pid, *children]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, patience_s: float = PATIENCE_S) -> int:
        """SIGTERM; the exit code. A pool that does not end in time is killed and fails the test."""
        self.process.terminate()
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Crew:
    """A bot and one pool, alive whenever a test begins; more can be started."""

    def __init__(self, sandbox: Sandbox, folder: Path, *, lease_s: float = 1.0) -> None:
        self._sandbox = sandbox
        self._folder = folder
        paces = {"TBOPS_ENGINE__LEASE_S": str(lease_s), "TBOPS_ENGINE__SWEEP_S": str(SWEEP_S)}
        self._environment = {**sandbox.environment, **paces}
        self._started: list[Pool] = []
        self.bot = self._start("bot")
        self.pool = self.start("worker")
        sandbox.log.wait("slack", "WEBSOCKET /link/", patience_s=START_S)

    def ready(self) -> None:
        """Start again what a test has ended, and end what it started beside."""
        for pool in [pool for pool in self._started if pool not in (self.pool, self.bot)]:
            self._end(pool)
        if not self.bot.runs:
            after = self._sandbox.log.last()
            self.bot = self._start("bot")
            self._sandbox.log.wait("slack", "WEBSOCKET /link/", after=after, patience_s=START_S)
        if not self.pool.runs:
            self.pool = self.start("worker")

    def start(self, *command: str, lease_s: float | None = None) -> Pool:
        """``start("worker", "talk")``: returns when its workers can take jobs."""
        before = self._registered()
        pool = self._start(*command, lease_s=lease_s)
        kinds = 1 if "talk" in command else 2 if "work" in command else 3
        self._sandbox.until(
            lambda: self._at_work(pool, before) >= kinds or not pool.runs,
            patience_s=START_S,
            what=f"{kinds} workers; they say in {self._folder}",
        )
        assert pool.runs, self._words(command[0])
        return pool

    def stop(self) -> None:
        for pool in list(self._started):
            self._end(pool)

    def _end(self, pool: Pool) -> None:
        self._started.remove(pool)
        if pool.runs:
            pool.stop()

    def _start(self, *command: str, lease_s: float | None = None) -> Pool:
        own = {"TBOPS_ENGINE__LEASE_S": str(lease_s)} if lease_s is not None else {}
        with (self._folder / f"{command[0]}.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tbops", *command],
                env={**self._environment, **own},
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        self._started.append(Pool(process))
        return self._started[-1]

    def _registered(self) -> set[Any]:
        with Redis.from_url(self._sandbox.ready["redis"]) as redis:
            return set(redis.smembers("rq:workers"))  # pyright: ignore[reportArgumentType]  # typed for asyncio too

    def _at_work(self, pool: Pool, before: set[Any]) -> int:
        """How many of its children have said to Redis that they wait for jobs."""
        return min(len(pool.children()), len(self._registered() - before))

    def _words(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()[-3_000:]


@contextmanager
def holding_drains(sandbox: Sandbox) -> Iterator[None]:
    """No drain ends meanwhile: the connector commits nothing of what it delivers, and there is something."""
    flush_s = sandbox.knobs()["connect.offset_flush_s"]
    sandbox.knobs(connect__offset_flush_s=NEVER_S)
    sandbox.pg('UPDATE members SET "updatedAt" = now() WHERE id = (SELECT id FROM members LIMIT 1)')
    yield
    sandbox.knobs(connect__offset_flush_s=flush_s)


BEHIND = "SELECT id FROM ledger.message WHERE sent_rev < wanted_rev OR trouble IS NOT NULL"
"""The messages whose newest state Slack does not have."""


class Job:
    """One run, asked for by ana and approved whole by ben (and chen, where two are needed)."""

    def __init__(self, sandbox: Sandbox, people: People, strategy: str) -> None:
        self._ask(sandbox, people, strategy)
        self.approve()

    @classmethod
    def unapproved(cls, sandbox: Sandbox, people: People, strategy: str) -> "Job":
        """One whose card stands there with its plan."""
        job = object.__new__(cls)
        job._ask(sandbox, people, strategy)
        return job

    def _ask(self, sandbox: Sandbox, people: People, strategy: str) -> None:
        self._sandbox, self._people, self._strategy = sandbox, people, strategy
        self.approved_after = 0
        line = f"/tb migrate members add field nickname text --strategy {strategy}"
        self.card = people.ana.types(line).card()
        sandbox.until(lambda: self.row()["state"] == "proposed", what="the plan")
        # What a test breaks at Slack next must not meet the edit that brings the plan.
        self.card = self.card.until(lambda m: "Approve step 1" in m.buttons)
        sandbox.until(lambda: not sandbox.ledger(BEHIND), what="every message up to date")

    def approve(self) -> None:
        self.approved_after = self._sandbox.log.last()
        label = next(label for label in self.card.buttons if label.startswith("Approve up to"))
        people = self._people
        for person in (people.ben, people.chen) if self._strategy == "recreate" else (people.ben,):
            person.clicks(label, on=self.card)

    def row(self) -> Json:
        """The run as the ledger has it; ``pid`` of the process that has its lease, None without one."""
        row = self._sandbox.ledger(
            "SELECT state, reason, fence, CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner,"
            " (SELECT split_part(op, '/', 1) FROM ledger.step s WHERE s.run = run.id AND phase = 'plan'"
            " AND s.state NOT IN ('done', 'skipped') ORDER BY number LIMIT 1) AS op"
            " FROM ledger.run ORDER BY id DESC LIMIT 1"
        )[0]
        return {**row, "pid": int(row["owner"].rpartition(":")[2]) if row["owner"] else None}

    def reaches(self, op: str, *, patience_s: float = RUN_S) -> None:
        """Wait until its next step is this one. A test that does something there holds the run there
        (``holding_drains``, a slow backfill): it goes on whether the test looks or not."""

        def there() -> bool:
            row = self.row()
            assert row["op"] == op or not self._is_behind(op), f"the run is past {op}: {row}"
            return row["op"] == op

        self._sandbox.until(there, patience_s=patience_s, what=f"step {op}")

    def _is_behind(self, op: str) -> bool:
        done = self._sandbox.ledger(
            "SELECT bool_and(state = 'done') AS all FROM ledger.step"
            " WHERE phase = 'plan' AND split_part(op, '/', 1) = %s",
            [op],
        )
        return bool(done[0]["all"])

    def ends(self, *, patience_s: float = RUN_S) -> str:
        """Wait until it is over; the state it ended in, with its reason."""

        def over() -> str:
            row = self.row()
            going = row["state"] in ("planning", "proposed", "running", "restoring")
            return "" if going else f"{row['state']} {row['reason']}".strip()

        return self._sandbox.until(over, patience_s=patience_s, what=f"the end of the run: {self.row()}")


def effects(sandbox: Sandbox) -> Counter[tuple[str, str, str]]:
    """What was changed in the systems, by the request log: what was refused or cut before it was done is left out."""
    found: Counter[tuple[str, str, str]] = Counter()
    for entry in sandbox.log.entries():
        path = entry["path"]
        if entry["system"] not in ("tinybird", "sequin", "connect") or entry["method"] == "GET":
            continue
        if path in ("/v0/events", "/v0/sql") or "dry=true" in f"{entry['query']} {entry['body']}":
            continue
        fault = (entry["fault"] or "").split(":")[0]
        if fault in ("status", "html", "drop_before"):
            continue
        if entry["method"] == "PUT" and path.startswith("/v0/datasources/"):
            path = "/v0/datasources/*"
        found[entry["system"], entry["method"], path] += 1
    return found


def everything_arrived(sandbox: Sandbox) -> None:
    """Each person in Postgres is in Tinybird once, with the values of now; nothing is left paused."""
    there = sandbox.pg("SELECT id::text, \"displayName\" AS name, coalesce(nickname, '') AS nickname FROM members")
    wanted = {row["id"]: (row["name"], row["nickname"]) for row in there}

    def arrived() -> bool:
        rows = sandbox.tb("SELECT id, displayName AS name, nickname FROM members FINAL")
        assert len(rows) == len({row["id"] for row in rows})
        return {row["id"]: (row["name"], row["nickname"]) for row in rows} == wanted

    sandbox.until(arrived, what="every row of Postgres in Tinybird")
    assert sandbox.sink("members_sink")["status"] == "active"
    assert sandbox.connector()["connector"]["state"] == "RUNNING"
    assert sandbox.tinybird.get("/v0/pipes/members_sorted_copy_pipe").json()["schedule"]["status"] == "running"
    assert sandbox.ledger("SELECT count(*) AS n FROM ledger.step WHERE phase = 'restore' AND state = 'listed'") == [
        {"n": 0}
    ]
