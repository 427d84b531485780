"""A copy pipe that people have run, or whose schedule they stop: a run is begun once, waits for its turn however long
that takes, and is followed by its job's id to its end."""

from datetime import datetime
from typing import Any, ClassVar

from runbooks.copies.causes import in_words
from runbooks.site import Site
from runbooks.step import Astray, Done, Failed, Progress, Seen, Step, Todo, Wait
from runbooks.steps import copying
from runbooks.steps.copies import live_jobs, scheduled
from runbooks.words import counted
from systems.tinybird_model import Job

SOONEST_S, LATEST_S = 0.2, 5.0  # until a run is looked at again
SHARE = 0.02  # of the time that it has lasted already
SLOT_AGAIN_S = 3.0
REFUSED_AGAIN_S = 15.0  # after Tinybird took no run though a slot seemed free; longer than ``settle_s``
UNSEEN_S = 120.0  # an answered start of which nothing is to be seen so long is for people
LOGGED_S = 30.0  # the log of rows may come behind the end of the job

Memo = dict[str, Any]


class RunOnce(Step):
    """Run a copy pipe once, by itself, and follow it. One that somebody or its schedule begins meanwhile is followed
    instead: it copies the same."""

    op: ClassVar[str] = "tinybird.copy.run-once/1"
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 10.0  # until a job that was made is seen in the list

    pipe: str
    target: str
    mode: str  # append | replace

    def title(self) -> str:
        return f"Run the copy pipe {self.pipe} into {self.target}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/definition", f"tinybird/datasource/{self.target}/schema")

    def look(self, at: Site) -> Seen:
        memo: Memo = dict(at.memo)
        if "id" in memo:
            return self._followed(at, memo)
        listed = at.tinybird.jobs(kind="copy", pipe_name=self.pipe)
        if "known" not in memo:
            memo |= {"known": [job.id for job in listed], "since": at.now.isoformat()}
        mine = [job for job in listed if job.id not in memo["known"]]
        if not mine and "asked" in memo:
            mine = _logged_since(at, self.pipe, memo)  # the list has the last 100 jobs alone
        if mine:
            return self._followed(at, memo | {"id": min(mine, key=lambda job: job.created_at).id})
        if at.answered:
            return self._unseen(at, memo)
        return self._its_turn(at, memo)

    def act(self, at: Site) -> None:
        copying.run(at, self.pipe, {})

    # -- before it is begun

    def _its_turn(self, at: Site, memo: Memo) -> Seen:
        if before := live_jobs(at, self.pipe):
            job = before[0]
            return Wait(SLOT_AGAIN_S, f"a run of {self.pipe} is {job.status} already; it is awaited", memo=memo)
        if taken := slots_taken(at):
            return Wait(SLOT_AGAIN_S, f"{taken}; it takes its turn, waiting since {_clock(memo['since'])}", memo=memo)
        rest = REFUSED_AGAIN_S - _since(at, memo["asked"]) if "asked" in memo else 0.0
        if rest > 0:
            why = f"Tinybird has not taken it yet; it is asked again, waiting since {_clock(memo['since'])}"
            return Wait(rest, why, memo=memo)
        return Todo("a slot is free", memo | {"asked": at.now.isoformat()})

    def _unseen(self, at: Site, memo: Memo) -> Seen:
        """It was taken. To ask again would be a second run."""
        if _since(at, memo["asked"]) < UNSEEN_S:
            return Wait(1.0, "it was taken, and is not in the list yet", memo=memo)
        return Astray(f"Tinybird took the run of {self.pipe}, but nothing of it is to be seen; look there", memo)

    # -- from there to its end

    def _followed(self, at: Site, memo: Memo) -> Seen:
        job = at.tinybird.job(memo["id"])
        if job is None:
            return Astray(f"the job {memo['id']} of {self.pipe} is gone from Tinybird's list; look at {self.target}")
        if job.live:
            after = min(max(_since(at, memo.get("asked", memo["since"])) * SHARE, SOONEST_S), LATEST_S)
            return Wait(after, self._under_way(at, job), _progress(job), memo)
        if job.status == "done":
            return self._copied(at, memo)
        if job.status == "cancelled":
            return Failed(f"the run of {self.pipe} was cancelled in Tinybird; {self.target} has the rows of before")
        return Failed(f"the run of {self.pipe} ended in an error: {in_words(job.error)}")

    def _under_way(self, at: Site, job: Job) -> str:
        if job.status != "waiting":
            return f"{self.pipe} is copying" if job.status == "working" else f"the run of {self.pipe} is {job.status}"
        queue = sorted(j.created_at for j in at.tinybird.jobs(kind="copy") if j.status == "waiting")
        place = queue.index(job.created_at) + 1 if job.created_at in queue else len(queue) + 1
        return f"{self.pipe} waits for a copy slot, number {place} in Tinybird's queue"

    def _copied(self, at: Site, memo: Memo) -> Seen:
        now, before = rows_of(at, self.pipe, memo["id"])
        if now is None and _since(at, memo.get("ended", at.now.isoformat())) < LOGGED_S:
            why = "it has ended, and its rows are not in the log yet"
            return Wait(1.0, why, memo={"ended": at.now.isoformat(), **memo})
        found = {"job": memo["id"], "target": self.target, "mode": self.mode, "rows": now, "before": before}
        return Done(self._said(now, before), {copied_key(self.pipe): found})

    def _said(self, now: int | None, before: int | None) -> str:
        if now is None:
            return f"{self.pipe} has copied into {self.target}; how many rows, no log says."
        if now == 0 and before and self.mode == "replace":
            return (
                f"{self.pipe} copied no row, so {self.target} is empty now; the run before copied "
                f"{counted(before, 'row')}. Look at what it reads."
            )
        than = "" if before is None else f"; the run before copied {counted(before, 'row')}"
        return f"{self.pipe} copied {counted(now, 'row')} into {self.target}{than}."


class StopSchedule(Step):
    """Stop a copy pipe's schedule for as long as people want. A run that is under way goes on."""

    op: ClassVar[str] = "tinybird.copy.stop-schedule/1"
    settle_s: ClassVar[float] = 5.0

    pipe: str

    def title(self) -> str:
        return f"Stop the schedule of the copy pipe {self.pipe}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/schedule",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def look(self, at: Site) -> Seen:
        if at.tinybird.pipe(self.pipe) is None:
            return Failed(f"there is no pipe {self.pipe} any more")
        return Todo() if scheduled(at, self.pipe) else Done(f"{self.pipe} does not run by its schedule any more.")

    def act(self, at: Site) -> None:
        at.tinybird.copy_pause(self.pipe)


class StartSchedule(Step):
    """Start it again."""

    op: ClassVar[str] = "tinybird.copy.start-schedule/1"
    settle_s: ClassVar[float] = 5.0

    pipe: str

    def title(self) -> str:
        return f"Start the schedule of the copy pipe {self.pipe} again"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/schedule",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def look(self, at: Site) -> Seen:
        if at.tinybird.pipe(self.pipe) is None:
            return Failed(f"there is no pipe {self.pipe} any more")
        return Done(f"{self.pipe} runs by its schedule again.") if scheduled(at, self.pipe) else Todo()

    def act(self, at: Site) -> None:
        at.tinybird.copy_resume(self.pipe)


def copied_key(pipe: str) -> str:
    """Where a run's record has what became of a copy: job, target, mode, rows, and rows before."""
    return f"copied/{pipe}"


def slots_taken(at: Site) -> str | None:
    """Why no run may begin now; None if one may."""
    live = [job.status for job in at.tinybird.jobs(kind="copy") if job.live]
    if len(live) < at.limits.copy_quota:
        return None
    waiting = live.count("waiting")
    queue = f", and {counted(waiting, 'run')} {'waits' if waiting == 1 else 'wait'} already" if waiting else ""
    return f"all {at.limits.copy_quota} copy slots are taken{queue}"


def rows_of(at: Site, pipe: str, job: str) -> tuple[int | None, int | None]:
    """The rows that the job wrote, and those of the pipe's last good run before it; None where no log says so."""
    found = at.tinybird.pipe(pipe)
    if found is None or not _word(found.id):
        return None, None
    rows = at.tinybird.sql(
        "SELECT job_id AS job, toString(sum(rows)) AS n FROM tinybird.datasources_ops_log WHERE event_type = 'copy' "
        f"AND result = 'ok' AND pipe_id = '{found.id}' GROUP BY job ORDER BY max(timestamp) DESC LIMIT 20"
    )
    by_job = {str(row["job"]): int(row["n"]) for row in rows}
    before = next((n for other, n in by_job.items() if other != job), None)
    return by_job.get(job), before


def _logged_since(at: Site, pipe: str, memo: Memo) -> list[Job]:
    found = at.tinybird.pipe(pipe)
    if found is None or not _word(found.id):
        return []
    since = int(datetime.fromisoformat(memo["since"]).timestamp())
    rows = at.tinybird.sql(
        f"SELECT DISTINCT job_id AS job FROM tinybird.jobs_log WHERE job_type = 'copy' AND pipe_id = '{found.id}' "
        f"AND created_at >= toDateTime({since}) LIMIT 20"
    )
    jobs = [at.tinybird.job(str(row["job"])) for row in rows if str(row["job"]) not in memo["known"]]
    return [job for job in jobs if job is not None]


def _word(text: str) -> bool:
    return text.replace("_", "").isalnum()


def _since(at: Site, moment: str) -> float:
    return (at.now - datetime.fromisoformat(moment)).total_seconds()


def _clock(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%H:%M:%S} UTC"


def _progress(job: Job) -> Progress | None:
    return None if job.progress is None else Progress(round(job.progress), 100, "per cent")
