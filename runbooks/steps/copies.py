"""Copy pipes: paused with nothing under way, run, resumed."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.copy_jobs import live_jobs, no_slot, progress, scheduled
from runbooks.steps.standing import Standing

LOOK_AGAIN_S = 3.0


class PauseCopy(Step):
    """Pause a copy pipe's schedule, then look until it has no job: a waiting one is cancelled, a working one is
    awaited, hand-started ones count (facts/procedures.md §2.4)."""

    op: ClassVar[str] = "tinybird.copy.pause/1"
    long: ClassVar[bool] = True  # a working copy may last an hour
    settle_s: ClassVar[float] = 5.0

    pipe: str
    table: Standing

    def title(self) -> str:
        return f"Pause the copy pipe {self.pipe}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/definition", f"tinybird/pipe/{self.pipe}/schedule")

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/schedule",)

    def remember(self, at: Site) -> Step | None:
        return RestoreCopy(pipe=self.pipe, table=self.table) if scheduled(at, self.pipe) else None

    def look(self, at: Site) -> Seen:
        if at.tinybird.pipe(self.pipe) is None:
            return Astray(f"there is no pipe {self.pipe}")
        if scheduled(at, self.pipe):
            return Todo("its schedule runs")
        jobs = live_jobs(at, self.pipe)
        waiting = next((job for job in jobs if job.status == "waiting"), None)
        if waiting:
            return Todo(f"the run {waiting.id} waits for a copy slot and is cancelled")
        if jobs:
            return Wait(LOOK_AGAIN_S, f"a run of {self.pipe} is under way and is awaited", progress(jobs[0]))
        return Done(f"{self.pipe} is paused and no run of it is under way.")

    def act(self, at: Site) -> None:
        if scheduled(at, self.pipe):
            at.tinybird.copy_pause(self.pipe)
            return
        waiting = next((job for job in live_jobs(at, self.pipe) if job.status == "waiting"), None)
        if waiting:
            at.tinybird.cancel_job(waiting.id)


class ResumeCopy(Step):
    """Start a copy pipe's schedule again, as the plan says, once its table is proven."""

    op: ClassVar[str] = "tinybird.copy.resume/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    pipe: str

    def title(self) -> str:
        return f"Resume the copy pipe {self.pipe}"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/schedule",)

    def look(self, at: Site) -> Seen:
        return Done(f"{self.pipe} runs on its schedule again.") if scheduled(at, self.pipe) else Todo()

    def act(self, at: Site) -> None:
        at.tinybird.copy_resume(self.pipe)


class RestoreCopy(Step):
    """Start a paused copy pipe again, but only on a table that is proven or was never touched: it would empty
    its target otherwise (facts/procedures.md §2.3)."""

    op: ClassVar[str] = "tinybird.copy.restore/1"
    settle_s: ClassVar[float] = 5.0

    pipe: str
    table: Standing

    def title(self) -> str:
        return f"Resume the copy pipe {self.pipe}, if {self.table.name} may be read"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/schedule",)

    def look(self, at: Site) -> Seen:
        if scheduled(at, self.pipe):
            return Done(f"{self.pipe} runs on its schedule.")
        if at.tinybird.pipe(self.pipe) is None:
            return Done(f"{self.pipe} was removed: there is nothing to resume.")
        unfit = self.table.unfit_to_read(at)
        return Astray(f"{self.pipe} stays paused: {unfit}") if unfit else Todo()

    def act(self, at: Site) -> None:
        at.tinybird.copy_resume(self.pipe)


class RunCopy(Step):
    """Run a copy pipe once and await it. A run begun since the first look is adopted, never repeated."""

    op: ClassVar[str] = "tinybird.copy.run/1"
    long: ClassVar[bool] = True
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 10.0  # until a job that was made is seen in the list

    pipe: str
    target: str

    def title(self) -> str:
        return f"Run the copy pipe {self.pipe} into {self.target}"

    def look(self, at: Site) -> Seen:
        jobs = at.tinybird.jobs(kind="copy", pipe_name=self.pipe)
        if "known" not in at.memo:
            return self._slot(at, {"known": [job.id for job in jobs]})
        mine = [job for job in jobs if job.id not in at.memo["known"]]
        if not mine:
            return self._slot(at, dict(at.memo))
        job = max(mine, key=lambda job: job.created_at)
        if job.live:
            return Wait(LOOK_AGAIN_S, f"{self.pipe} is {job.status}", progress(job))
        if job.status == "done":
            return Done(f"{self.pipe} has copied into {self.target}.")
        return Astray(f"the run of {self.pipe} ended as {job.status}: {job.error or 'without a reason'}")

    def act(self, at: Site) -> None:
        at.tinybird.copy_run(self.pipe)

    def _slot(self, at: Site, memo: dict[str, list[str]]) -> Seen:
        taken = no_slot(at)
        return Wait(LOOK_AGAIN_S, taken, memo=memo) if taken else Todo(memo=memo)


class AwaitBegun(Step):
    """Wait until the copies that are under way now have ended: each goes by the SQL that it was begun with, and what it
    reads must not go from under it. Those that begin later read what the pipes read now."""

    op: ClassVar[str] = "tinybird.copy.await-begun/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True  # a copy may last an hour

    table: str  # what they may read still
    pipes: tuple[str, ...]

    def title(self) -> str:
        return f"Wait until no copy reads {self.table} that was begun before"

    def look(self, at: Site) -> Seen:
        begun = at.memo.get("begun")
        if begun is None:
            begun = [job.id for pipe in self.pipes for job in live_jobs(at, pipe)]
        found = [at.tinybird.job(each) for each in begun]
        left = [job for job in found if job is not None and job.live]
        if not left:
            return Done(f"No copy that was begun before reads {self.table}.")
        why = f"the run {left[0].id} of a copy is {left[0].status}, which may read {self.table} still"
        return Wait(LOOK_AGAIN_S, why, progress(left[0]), {"begun": [job.id for job in left]})
