"""A copy pipe that people have run: it is begun once, waits for its turn however long that takes, and is followed by
its job's id to its end."""

from datetime import datetime
from typing import Any, ClassVar

from runbooks.copies.causes import in_words
from runbooks.site import Site
from runbooks.step import Astray, Done, Failed, Seen, Step, Todo, Wait
from runbooks.steps import copying
from runbooks.steps.copy_jobs import live_jobs, logged_since, progress, rows_of, slots_taken
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
            mine = self._logged(at, memo)  # the list has the last 100 jobs alone
        if mine:
            return self._followed(at, memo | {"id": min(mine, key=lambda job: job.created_at).id})
        if at.answered:
            return self._unseen(at, memo)
        return self._its_turn(at, memo)

    def act(self, at: Site) -> None:
        copying.run(at, self.pipe, {})

    def _logged(self, at: Site, memo: Memo) -> list[Job]:
        logged = logged_since(at, self.pipe, datetime.fromisoformat(memo["since"]))
        jobs = [at.tinybird.job(each) for each in logged if each not in memo["known"]]
        return [job for job in jobs if job is not None]

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
            return Wait(after, self._under_way(at, job), progress(job), memo)
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


def copied_key(pipe: str) -> str:
    """Where a run's record has what became of a copy: job, target, mode, rows, and rows before."""
    return f"copied/{pipe}"


def _since(at: Site, moment: str) -> float:
    return (at.now - datetime.fromisoformat(moment)).total_seconds()


def _clock(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%H:%M:%S} UTC"
