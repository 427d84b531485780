"""Jobs of the run's own copy pipe, and deletes of rows: asked for under an intent, found again by their time, awaited,
cut short when they never end."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from runbooks.site import Site
from runbooks.step import Astray, Progress, Seen, Todo, Wait
from runbooks.steps.beside import Jobs
from runbooks.steps.copy_jobs import no_slot
from systems.errors import SystemsError
from systems.tinybird_model import Job

SOONEST_S, LATEST_S = 0.2, 5.0  # until a job is looked at again: half of it is what a pause between two chunks costs
SHARE = 0.02  # of the time that it has worked already
SLOT_AGAIN_S = 3.0
GRACE_S = 300  # a job that worked so much longer than Tinybird lets it is stuck
_QUOTA = (403, 429)  # which of them says that every copy slot is taken is not certain (facts/tinybird.md §4)
_TIMEOUTS = ("timeout", "timed out")

Memo = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """A ``copy`` (``given`` its ``params``) or a ``delete`` (its ``condition``). ``begun`` enters the memo with it."""

    what: str
    why: str
    given: Memo
    begun: Memo = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Ended:
    """A job that is over. ``slow``: it took longer than it may, so less is to be asked of the next."""

    status: str
    error: str
    slow: bool

    @property
    def well(self) -> bool:
        return self.status == "done"


def asked(at: Site, jobs: Jobs, memo: Memo, wish: Wish) -> Seen:
    """Ask for it, once a slot is free."""
    if wish.what == "copy" and (taken := no_slot(at)):
        return Wait(SLOT_AGAIN_S, taken, progress_of(memo), memo)
    newest = max((job.created_at for job in _listed(at, jobs, wish.what)), default="")
    job = {"what": wish.what, "why": wish.why, "newest": newest, "asked": at.now.isoformat(), **wish.given}
    return Todo(wish.why, {**memo, **wish.begun, "job": job})


def awaited(at: Site, jobs: Jobs, memo: Memo) -> Seen | Ended:
    """What became of the job that ``memo`` tells of."""
    job: Memo = memo["job"]
    found = at.tinybird.job(job["id"]) if "id" in job else _newer(at, jobs, job)
    if found is None:
        return Ended("lost", "the job is gone from the list", slow=False) if "id" in job else Todo(job["why"], memo)
    known = memo | {"job": job | {"id": found.id}}
    if not found.live:
        late = any(word in found.error.lower() for word in _TIMEOUTS) or "cancel" in job
        return Ended(found.status, found.error, slow=late)
    if _stuck(at, job) and found.status != "cancelling":
        why = f"the job {found.id} has not ended in {at.limits.copy_timeout_s + GRACE_S} s"
        if found.cancellable is False:
            return Astray(f"{why} and cannot be cancelled; nothing more was begun", known)
        return Todo(f"{why} and is cancelled", memo | {"job": job | {"id": found.id, "cancel": True}})
    worked = (at.now - datetime.fromisoformat(job["asked"])).total_seconds()
    after = min(max(worked * SHARE, SOONEST_S), LATEST_S)
    return Wait(after, f"{job['why']}: {found.status}", progress_of(memo), known)


def have(at: Site, jobs: Jobs) -> None:
    """The effect that the memo asks for."""
    job: Memo = at.memo["job"]
    if "cancel" in job:
        _cancel(at, job["id"])
    elif job["what"] == "delete":
        at.tinybird.delete_rows(jobs.table, job["condition"])
    else:
        run(at, jobs.pipe, job["params"])


def progress_of(memo: Memo) -> Progress | None:
    return Progress(memo["done"], max(memo["total"], memo["done"])) if "total" in memo else None


def run(at: Site, pipe: str, params: dict[str, str]) -> None:
    """Run a copy pipe. Raises ``SystemsError``, retryable where every slot is taken."""
    try:
        at.tinybird.copy_run(pipe, params=params)
    except SystemsError as error:
        if error.status in _QUOTA and "maximum" in error.said.lower():  # a 403 would look like a missing scope
            raise SystemsError(error.system, error.call, status=429, retryable=True, said=error.said) from error
        raise


def _cancel(at: Site, job: str) -> None:
    try:
        at.tinybird.cancel_job(job)
    except SystemsError as error:
        if error.status is None or error.status >= 500:
            raise  # else it has just ended: the next look finds out as what


def _stuck(at: Site, job: Memo) -> bool:
    patience = timedelta(seconds=at.limits.copy_timeout_s + GRACE_S)
    return at.now - datetime.fromisoformat(job["asked"]) > patience


def _newer(at: Site, jobs: Jobs, job: Memo) -> Job | None:
    found = [each for each in _listed(at, jobs, job["what"]) if each.created_at > job["newest"]]
    return max(found, key=lambda each: each.created_at, default=None)


def _listed(at: Site, jobs: Jobs, what: str) -> list[Job]:
    if what == "copy":
        return at.tinybird.jobs(kind="copy", pipe_name=jobs.pipe)
    return [job for job in at.tinybird.jobs(kind="delete_data") if job.datasource == jobs.table]
