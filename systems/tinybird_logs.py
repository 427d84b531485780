"""Reading ``tinybird.jobs_log`` and ``tinybird.datasources_ops_log`` (facts/tinybird.md §8), whose columns nobody
promises.

Each is one query that answers with one row: the platform's time, and the rows as an array, so that an empty log says
what time it is too. Where a column is missing, the table is asked which it has, and those are read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from systems.errors import SystemsError

_ONE_DAY = timedelta(days=1)
_CALL = "GET /v0/sql"


@dataclass(frozen=True)
class LoggedJob:
    """A copy job as it is known. ``updated_at`` is when it ended, once it has."""

    id: str
    pipe_id: str
    status: str  # waiting | working | done | error | cancelling | cancelled
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    error: str


@dataclass(frozen=True)
class LoggedWrite:
    """What was written into a data source within one minute, by a copy job or (without ``job``) by others."""

    minute: datetime
    job: str
    datasource_id: str
    datasource: str
    rows: int
    quarantined: int


@dataclass(frozen=True)
class LoggedJobs:
    """``now`` is of the same answer; ``lacking`` are the columns that the log has no longer, ``odd`` is how many rows
    could not be read."""

    now: datetime
    jobs: tuple[LoggedJob, ...]
    lacking: tuple[str, ...] = ()
    odd: int = 0


@dataclass(frozen=True)
class LoggedWrites:
    """As ``LoggedJobs``."""

    now: datetime
    writes: tuple[LoggedWrite, ...]
    lacking: tuple[str, ...] = ()
    odd: int = 0


_Logged = TypeVar("_Logged")
Ask = Callable[[str], list[dict[str, Any]]]  # a SELECT to its rows
Names = Callable[[str], frozenset[str]]  # a table to the columns that it has


def copy_jobs(ask: Ask, names: Names, since: datetime) -> LoggedJobs:
    """The copy jobs that changed at ``since`` or later. Raises ``SystemsError``, also where the log lacks what a job
    cannot be known without: its id, its pipe's, its state, its time."""
    row, lacking = _tried(ask, names, "tinybird.jobs_log", _JOBS, lambda known: _jobs_sql(known, since))
    jobs, odd = _read(row, _JOBS, _job)
    return LoggedJobs(moment(row["now"]), tuple(job for job in jobs if job.id and job.pipe_id), lacking, odd)


def copy_writes(ask: Ask, names: Names, since: datetime) -> LoggedWrites:
    """What copies wrote, and what was quarantined, from the minute of ``since`` on."""
    start = since.replace(second=0, microsecond=0)
    row, lacking = _tried(ask, names, "tinybird.datasources_ops_log", _WRITES, lambda known: _writes_sql(known, start))
    writes, odd = _read(row, _GIVEN, _write)
    return LoggedWrites(moment(row["now"]), tuple(writes), lacking, odd)


def moment(value: Any) -> datetime:
    """A time as the platform writes it: "2026-11-28 13:26:39.120", ISO 8601, or seconds since 1970. Without a zone it
    is UTC. Raises ``SystemsError`` for anything else."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / (1000 if value > 1e11 else 1), UTC)
        text = str(value).strip()
        if text.replace(".", "", 1).isdigit():
            return moment(float(text))
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as odd:
        raise SystemsError("tinybird", _CALL, said=f"{str(value)[:40]!r} is not a time") from odd
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


_JOBS = ("job_id", "pipe_id", "job_metadata", "status", "created_at", "started_at", "updated_at", "error", "job_type")
_WRITES = ("timestamp", "event_type", "job_id", "datasource_id", "datasource_name", "rows", "written_rows",
           "rows_quarantine")  # fmt: skip
_GIVEN = ("minute", "job", "id", "name", "written", "bad")


def _jobs_sql(known: frozenset[str], since: datetime) -> str:
    if not {"job_id", "status", "created_at"} <= known or not known & {"pipe_id", "job_metadata"}:
        raise SystemsError("tinybird", _CALL, said="tinybird.jobs_log does not say what a job is of, or how it stands")
    changed = "updated_at" if "updated_at" in known else "created_at"
    from_ = since if changed == "updated_at" else since - _ONE_DAY  # a job changes long after it was made
    columns = {name: name for name in _JOBS if name in known and name not in ("job_type", "job_metadata")}
    if "pipe_id" not in known:
        columns["pipe_id"] = "JSONExtractString(job_metadata, 'pipe_id')"
    given = ", ".join(columns.get(name, "''") for name in _JOBS)
    of_copies = "job_type = 'copy' AND " if "job_type" in known else ""
    return (
        f"SELECT now() AS now, groupArray(tuple({given})) AS found FROM tinybird.jobs_log "
        f"WHERE {of_copies}{changed} >= '{from_:%Y-%m-%d %H:%M:%S}'"
    )


def _writes_sql(known: frozenset[str], since: datetime) -> str:
    if not {"timestamp", "event_type", "datasource_id"} <= known or not known & {"rows", "written_rows"}:
        raise SystemsError("tinybird", _CALL, said="tinybird.datasources_ops_log does not say what was written where")
    job = "job_id" if "job_id" in known else "''"
    name = "datasource_name" if "datasource_name" in known else "datasource_id"
    rows = "rows" if "rows" in known else "written_rows"
    bad = "rows_quarantine" if "rows_quarantine" in known else "0"
    return (
        "SELECT now() AS now, groupArray(tuple(minute, job, id, name, written, bad)) AS found FROM ("
        f"SELECT toStartOfMinute(parseDateTimeBestEffort(toString(timestamp))) AS minute, "
        f"if(event_type = 'copy', {job}, '') AS job, "
        f"datasource_id AS id, {name} AS name, sum({rows}) AS written, sum({bad}) AS bad "
        f"FROM tinybird.datasources_ops_log WHERE timestamp >= '{since:%Y-%m-%d %H:%M:%S}' "
        f"AND (event_type = 'copy' OR {bad} > 0) GROUP BY minute, job, id, name)"
    )


def _tried(
    ask: Ask, names: Names, table: str, wanted: Sequence[str], sql: Callable[[frozenset[str]], str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The one row, and which of ``wanted`` the table lacks: what it has is asked for once it refuses."""
    try:
        return _only(ask(sql(frozenset(wanted)))), ()
    except SystemsError as refused:
        if refused.retryable or refused.status in (None, 401, 403):
            raise
        has = names(table)
        lacking = tuple(name for name in wanted if name not in has)
        if not lacking:
            raise
    return _only(ask(sql(has & frozenset(wanted)))), lacking


def _only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    if len(rows) != 1 or "now" not in rows[0]:
        raise SystemsError("tinybird", _CALL, retryable=True, said="the answer does not say what time it is")
    return rows[0]


def _read(
    row: Mapping[str, Any], names: Sequence[str], read: Callable[[dict[str, Any]], _Logged]
) -> tuple[list[_Logged], int]:
    """The rows of the array, whether its tuples came as lists or as objects, and how many cannot be read: one of them
    hides no other. Where none can, the log is another than it was, and that is raised."""
    found: list[_Logged] = []
    odd: Exception | None = None
    rows = cast(list[Any], row.get("found") or [])
    for each in rows:
        values = cast(Mapping[str, Any], each).values() if isinstance(each, Mapping) else cast(Sequence[Any], each)
        try:
            found.append(read(dict(zip(names, values, strict=True))))
        except (SystemsError, TypeError, ValueError) as unreadable:
            odd = unreadable
    if odd is not None and not found:
        raise SystemsError("tinybird", _CALL, said=f"none of {len(rows)} rows can be read: {odd}") from odd
    return found, len(rows) - len(found)


def _job(row: Mapping[str, Any]) -> LoggedJob:
    created = moment(row["created_at"] or row["started_at"] or row["updated_at"])
    return LoggedJob(
        id=str(row["job_id"] or ""),
        pipe_id=str(row["pipe_id"] or ""),
        status=str(row["status"] or ""),
        created_at=created,
        started_at=moment(row["started_at"]) if row["started_at"] else None,
        updated_at=moment(row["updated_at"]) if row["updated_at"] else created,
        error=str(row["error"] or ""),
    )


def _write(row: Mapping[str, Any]) -> LoggedWrite:
    return LoggedWrite(
        minute=moment(row["minute"]),
        job=str(row["job"] or ""),
        datasource_id=str(row["id"] or ""),
        datasource=str(row["name"] or ""),
        rows=int(row["written"] or 0),
        quarantined=int(row["bad"] or 0),
    )
