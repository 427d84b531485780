"""Jobs and copy schedules on the platform clock: a queue with a quota, ticks in order (facts/tinybird.md §4, §5)."""

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cronsim import CronSim, CronSimError

from sandbox.clickhouse import ClickHouseError
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.failures import Failures, too_long
from sandbox.tinybird.model import Pipe
from sandbox.tinybird.workspace import Workspace

KEPT = timedelta(hours=48)
LISTED = 100
LIVE = ("waiting", "working", "cancelling")
_JUMP_S = 5.0  # by the machine's clock
_POLL_S = 0.02  # by the machine's clock
# How many ticks of a replace copy a jump of the clock runs, the newest: each overtakes the one before, and the jobs
# of 48 hours are all that the API shows. Ticks of an append copy are all run: each adds what no later one adds.
_CATCH_UP = 50


@dataclass
class Job:
    """One job. ``seconds`` is how long it works, by the platform clock; it is known once it has begun."""

    kind: str
    created_at: datetime
    work: "Work"
    pipe_id: str = ""
    pipe_name: str = ""
    source_id: str = ""
    source_name: str = ""
    mode: str = ""
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    condition: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    request_id: str = field(default_factory=lambda: secrets.token_hex(16))
    status: str = "waiting"
    started_at: datetime | None = None
    updated_at: datetime = field(init=False)
    seconds: float = 0.0
    scheduled: bool = False
    fails: str | None = None  # how it will end, once its seconds are over
    rows: int = 0
    error: str | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.updated_at = self.created_at

    @property
    def ends_at(self) -> datetime:
        return (self.started_at or self.created_at) + timedelta(seconds=self.seconds)


class Work:
    """What a job does. ``prepare`` computes and says how many rows, ``commit`` makes them seen, ``discard`` forgets."""

    async def prepare(self, job: Job) -> int:
        raise NotImplementedError

    async def commit(self, job: Job) -> None:
        raise NotImplementedError

    async def discard(self, job: Job) -> None:
        """Nothing to forget, unless a kind of work says otherwise."""

    async def fail(self, job: Job, error: str) -> None:
        """The job ends with ``error`` though it could be done: forget it, and log it where the work is logged."""
        await self.discard(job)


class Jobs:
    """The queue. One task advances it; every change of a job happens in that task or between two of its awaits."""

    def __init__(
        self,
        workspace: Workspace,
        scheduled: Callable[[Pipe, datetime], Job],
        failures: Failures,
        changed: Callable[[Job], None],
    ) -> None:
        self._workspace = workspace
        self._scheduled = scheduled
        self._failures = failures
        self._changed = changed
        self.all: list[Job] = []
        self._live: list[Job] = []
        self.on_tick: list[Callable[[], Awaitable[None]]] = []
        self._turn = asyncio.Lock()
        self._round = asyncio.Lock()
        self._nudge = asyncio.Event()
        self._freed_at: datetime | None = None
        self._made_up = 0.0  # what the clock had been advanced by when all was done that was due

    # -- from outside

    def submit(self, job: Job) -> Job:
        self.all.append(job)
        self._live.append(job)
        self._changed(job)
        self._nudge.set()
        return job

    def remember(self, job: Job) -> None:
        """Take in a job that has ended already."""
        job.done.set()
        self.all.append(job)
        self._changed(job)

    def find(self, job_id: str) -> Job:
        for job in self.all:
            if job.id == job_id and job.created_at > self._workspace.now() - KEPT:
                return job
        raise ApiError(404, f"Job {job_id} not found")

    def recent(self) -> list[Job]:
        since = self._workspace.now() - KEPT
        found = [job for job in self.all if job.created_at > since]
        return sorted(found, key=lambda job: job.created_at, reverse=True)[:LISTED]

    def live_of(self, pipe_id: str) -> list[Job]:
        return [job for job in self._live if job.pipe_id == pipe_id]

    def check_quota(self) -> None:
        """Refuse a run by hand when all copy slots are taken; what a scheduled one does is a knob."""
        if sum(job.kind == "copy" for job in self._live) >= self._quota:
            raise ApiError(429, self._over_quota, headers={"Retry-After": "30"})

    @property
    def _quota(self) -> int:
        return int(self._workspace.number("copy_quota"))

    @property
    def _over_quota(self) -> str:
        return f"You have reached the maximum number of copy jobs ({self._quota})"

    def cancel(self, job: Job) -> None:
        """A waiting job ends at once, a working one at its next turn, if it can be cancelled at all."""
        if not self.cancellable(job):
            raise ApiError(400, f"Job {job.id} is {job.status} and cannot be cancelled")
        if job.status == "waiting":
            self._end(job, "cancelled", self._workspace.now())
        else:
            self._move(job, "cancelling", self._workspace.now())
        self._nudge.set()

    def cancellable(self, job: Job) -> bool:
        return job.status == "waiting" or (
            job.status == "working" and bool(self._workspace.knob("copy_cancel_working"))
        )

    async def clear(self) -> None:
        async with self._turn:
            for job in self._live:
                job.status = "cancelled"
                job.done.set()
            self._live.clear()
            self.all.clear()
            self._freed_at = None  # the clock may be set back: a job would begin when the last one of before ended

    # -- schedules

    def plan(self, pipe: Pipe) -> None:
        """Set when the copy or sink pipe's schedule fires next, counted from now."""
        fires = pipe.cron if pipe.type in ("copy", "sink") and not pipe.paused else None
        pipe.next_tick = next_tick(fires, self._workspace.now()) if fires else None

    def _fire(self) -> None:
        now = self._workspace.now()
        due: list[tuple[datetime, Pipe]] = []
        for pipe in self._workspace.state.pipes.values():
            ticks: list[datetime] = []
            while pipe.cron and pipe.next_tick and not pipe.paused and pipe.next_tick <= now:
                ticks.append(pipe.next_tick)
                pipe.next_tick = next_tick(pipe.cron, pipe.next_tick)
            due += [(tick, pipe) for tick in (ticks if pipe.copy_mode == "append" else ticks[-_CATCH_UP:])]
        for tick, pipe in sorted(due, key=lambda item: item[0]):
            job = self._scheduled(pipe, tick)
            job.scheduled = True
            self.submit(job)

    # -- the task

    async def run(self) -> None:
        """Advance the queue for ever; cancelled by the stand-in."""
        while True:
            await self.catch_up()
            self._nudge.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), _POLL_S)

    async def catch_up(self) -> None:
        """Do all that is due at the platform's present time: schedules, jobs, what becomes visible."""
        async with self._round:
            jumped = self._workspace.world.clock.advanced_s
            self._fire()
            while await self._turned():
                pass
            for task in self.on_tick:
                await task()
            self._made_up = jumped

    async def made_up(self) -> None:
        """Wait until what a jump of the clock made due has been done, as it would have been: not for ever."""
        if self._made_up == self._workspace.world.clock.advanced_s:
            return
        caught_up = asyncio.create_task(self.catch_up())
        await asyncio.wait([caught_up], timeout=_JUMP_S)  # cancelled it would leave a job half begun

    async def _turned(self) -> bool:
        """One step under the lock, so that a reset waits for no more than one."""
        async with self._turn:
            return await self._step()

    async def _step(self) -> bool:
        """End or begin the one job whose time comes first; False when there is nothing to do now."""
        now = self._workspace.now()
        stopping = next((job for job in self._live if job.status == "cancelling"), None)
        if stopping is not None:
            await stopping.work.discard(stopping)
            self._end(stopping, "cancelled", now)
            return True
        working = [job for job in self._live if job.status == "working"]
        ending = min((job for job in working if job.ends_at <= now), key=lambda job: job.ends_at, default=None)
        refused = self._refusable(working)
        arriving = refused or self._startable(working)
        if ending and not (arriving and arriving.created_at < ending.ends_at):
            await self._finish(ending)
        elif refused:
            self._end(refused, "error", refused.created_at, self._over_quota)
        elif arriving:
            await self._begin(arriving)
        else:
            return False
        return True

    def _startable(self, working: list[Job]) -> Job | None:
        if sum(job.kind == "copy" for job in working) >= self._quota:
            return None
        busy = {job.pipe_id for job in working if job.pipe_id} | {job.source_id for job in working}
        free = (
            job
            for job in self._live
            if job.status == "waiting" and job.pipe_id not in busy and job.source_id not in busy
        )
        return min(free, key=lambda job: job.created_at, default=None)

    def _refusable(self, working: list[Job]) -> Job | None:
        """The first scheduled run that met a full quota at its tick, where such runs do not wait."""
        if self._workspace.knob("quota_scheduled") != "error":
            return None
        begun = sorted(job.started_at or job.created_at for job in working if job.kind == "copy")
        if len(begun) < self._quota:
            return None
        full_since = begun[self._quota - 1] if self._quota else datetime.min.replace(tzinfo=UTC)
        met = (job for job in self._live if job.status == "waiting" and job.scheduled and job.created_at >= full_since)
        return min((job for job in met if job.kind == "copy"), key=lambda job: job.created_at, default=None)

    async def _begin(self, job: Job) -> None:
        # after a jump of the clock a job begins when it would have: at its tick, or when a slot came free
        job.started_at = max(job.created_at, self._freed_at or job.created_at)
        self._move(job, "working", job.started_at)
        planned = self._failures.take(job.pipe_id)
        if planned is not None:
            job.seconds, job.fails = planned.after_s, planned.error
            return
        try:
            job.rows = await job.work.prepare(job)
        except (ApiError, ClickHouseError) as exc:
            self._end(job, "error", job.started_at, str(exc))
            return
        seconds = job.rows / self._workspace.number("copy_rows_per_s")
        limit = self._workspace.number("copy_timeout_s")
        job.seconds = min(seconds, limit)
        job.fails = too_long(limit) if seconds > limit else None

    async def _finish(self, job: Job) -> None:
        if job.fails is not None:
            await job.work.fail(job, job.fails)
            self._end(job, "error", job.ends_at, job.fails)
            return
        try:
            await job.work.commit(job)
        except (ApiError, ClickHouseError) as exc:
            await job.work.discard(job)
            self._end(job, "error", job.ends_at, str(exc))
            return
        self._end(job, "done", job.ends_at)

    def _end(self, job: Job, status: str, at: datetime, error: str | None = None) -> None:
        self._live.remove(job)
        job.error = error
        self._move(job, status, max(at, job.created_at))
        if job.started_at:
            self._freed_at = job.updated_at
        job.done.set()

    def _move(self, job: Job, status: str, at: datetime) -> None:
        job.status, job.updated_at = status, at
        self._changed(job)


def next_tick(cron: str, after: datetime) -> datetime:
    """The first tick of ``cron`` (UTC) after ``after``."""
    return next(CronSim(cron, after.astimezone(UTC)))


def check_cron(cron: str) -> str:
    try:
        CronSim(cron, datetime.now(UTC))
    except CronSimError as exc:
        raise ApiError(400, f"Invalid cron expression '{cron}': {exc}") from exc
    return cron
