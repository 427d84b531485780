"""Copies' jobs as steps see them: the Jobs API lists the last 100, ``jobs_log`` has no such limit, and rows are in
``datasources_ops_log`` alone (facts/tinybird.md §5, §8)."""

from datetime import datetime

from runbooks.site import Site
from runbooks.step import Progress
from runbooks.words import counted
from systems.tinybird_model import Job

HEADROOM = 2  # copy slots left to others (facts/procedures.md §4)


def scheduled(at: Site, name: str) -> bool:
    """Whether the pipe has a schedule that is not shut down."""
    pipe = at.tinybird.pipe(name)
    return bool(pipe and pipe.cron and pipe.schedule_status != "shutdown")


def no_slot(at: Site) -> str | None:
    """Why no copy of a migration may begin now, which leaves slots to others; None if one may."""
    under_way = len(_under_way(at))
    if under_way < at.limits.copy_quota - HEADROOM:
        return None
    return f"{under_way} copies are under way, {HEADROOM} slots are left to others"


def slots_taken(at: Site) -> str | None:
    """Why no copy that people ask for may begin now, which may have the last slot; None if one may."""
    under_way = _under_way(at)
    if len(under_way) < at.limits.copy_quota:
        return None
    waiting = sum(job.status == "waiting" for job in under_way)
    queue = f", and {counted(waiting, 'run')} {'waits' if waiting == 1 else 'wait'} already" if waiting else ""
    return f"all {at.limits.copy_quota} copy slots are taken{queue}"


def live_jobs(at: Site, pipe: str) -> list[Job]:
    """The pipe's copies that wait or work, the oldest first."""
    listed = at.tinybird.jobs(kind="copy", pipe_name=pipe)
    found = {job.id: job for job in listed if job.live}
    known = {job.id for job in listed}
    for logged in _logged_live(at, pipe):
        job = None if logged in known else at.tinybird.job(logged)
        if job and job.live:
            found[job.id] = job
    return sorted(found.values(), key=lambda job: job.created_at)


def logged_since(at: Site, pipe: str, moment: datetime) -> list[str]:
    """The ids of the pipe's copies that were asked for since that second."""
    known = _quotable_id(at, pipe)
    if known is None:
        return []
    rows = at.tinybird.sql(
        f"SELECT DISTINCT job_id AS job FROM tinybird.jobs_log WHERE job_type = 'copy' AND pipe_id = '{known}' "
        f"AND created_at >= toDateTime({int(moment.timestamp())}) LIMIT 20"
    )
    return [str(row["job"]) for row in rows]


def rows_of(at: Site, pipe: str, job: str) -> tuple[int | None, int | None]:
    """The rows that the job wrote, and those of the pipe's last good run before it; None where no log says so."""
    known = _quotable_id(at, pipe)
    if known is None:
        return None, None
    rows = at.tinybird.sql(
        "SELECT job_id AS job, toString(sum(rows)) AS n FROM tinybird.datasources_ops_log WHERE event_type = 'copy' "
        f"AND result = 'ok' AND pipe_id = '{known}' GROUP BY job ORDER BY max(timestamp) DESC LIMIT 20"
    )
    by_job = {str(row["job"]): int(row["n"]) for row in rows}
    before = next((n for other, n in by_job.items() if other != job), None)
    return by_job.get(job), before


def progress(job: Job) -> Progress | None:
    """None where Tinybird says nothing of it."""
    return None if job.progress is None else Progress(round(job.progress), 100, "per cent")


def _under_way(at: Site) -> list[Job]:
    return [job for job in at.tinybird.jobs(kind="copy") if job.live]


def _logged_live(at: Site, pipe: str) -> list[str]:
    known = _quotable_id(at, pipe)
    if known is None:
        return []
    rows = at.tinybird.sql(
        "SELECT job_id FROM (SELECT job_id, argMax(status, updated_at) AS last FROM tinybird.jobs_log "
        f"WHERE job_type = 'copy' AND pipe_id = '{known}' AND created_at > now() - INTERVAL 2 DAY GROUP BY job_id) "
        "WHERE last IN ('waiting', 'working')"
    )
    return [str(row["job_id"]) for row in rows]


def _quotable_id(at: Site, pipe: str) -> str | None:
    """The pipe's id, as the logs are asked by it; None where there is no pipe, or none that may stand in a query."""
    found = at.tinybird.pipe(pipe)
    return found.id if found and found.id.replace("_", "").isalnum() else None
