"""The platform's logs, whatever shape they come in: the time they were read at, and their rows."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from systems.errors import SystemsError
from systems.http import Wire
from systems.permit import read_only
from systems.tinybird import Tinybird
from systems.tinybird_logs import moment

SINCE = datetime(2026, 11, 3, 10, 0, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
LINE = ["j1", "t_1", "", "error", "2026-11-03 11:00:01.250", None, "2026-11-03 11:00:09", "it broke", "copy"]


class Log:
    """Answers ``rows`` at 12:00; with ``columns``, a query that names another one is refused."""

    def __init__(self, rows: list[Any], *, now: Any = "2026-11-03 12:00:00", columns: str = "") -> None:
        self.queries: list[str] = []
        self._answer = {"data": [{"now": now, "found": rows}]}
        self._columns = columns.split()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params["q"]
        self.queries.append(query)
        if "LIMIT 0" in query:
            return httpx.Response(200, json={"meta": [{"name": name} for name in self._columns], "data": []})
        if self._columns and any(name in query for name in ("job_metadata", "started_at", "written_rows")):
            return httpx.Response(400, json={"error": "[Error] Code: 47. DB::Exception: Unknown identifier"})
        return httpx.Response(200, json=self._answer)

    @property
    def tinybird(self) -> Tinybird:
        return Tinybird("http://far", "p.token", read_only, wire=Wire(transport=httpx.MockTransport(self)))


def test_an_empty_log_says_what_time_it_is() -> None:
    log = Log([])
    assert (log.tinybird.copy_jobs(SINCE).now, log.tinybird.copy_writes(SINCE).now) == (NOW, NOW)
    assert "updated_at >= '2026-11-03 10:00:30'" in log.queries[0]
    assert "timestamp >= '2026-11-03 10:00:00'" in log.queries[1]  # a minute is read whole, or counted short


@pytest.mark.parametrize("line", [LINE, dict(zip("abcdefghi", LINE, strict=True))])
def test_a_job_is_read_from_a_list_or_an_object(line: Any) -> None:
    (job,) = Log([line]).tinybird.copy_jobs(SINCE).jobs
    assert (job.id, job.pipe_id, job.status, job.error, job.started_at) == ("j1", "t_1", "error", "it broke", None)
    assert job.created_at == datetime(2026, 11, 3, 11, 0, 1, 250_000, tzinfo=UTC)


def test_numbers_of_64_bits_may_come_as_text() -> None:
    (write,) = (
        Log([["2026-11-03 11:00:00", "j1", "d_1", "a_ds", "12345678901", "0"]]).tinybird.copy_writes(SINCE).writes
    )
    assert (write.rows, write.quarantined) == (12345678901, 0)


def test_without_a_column_the_others_are_asked_for() -> None:
    log = Log([LINE], columns="job_id pipe_id status created_at updated_at error")
    found = log.tinybird.copy_jobs(SINCE)
    assert found.lacking == ("job_metadata", "started_at", "job_type")
    assert len(log.queries) == 3


def test_a_log_without_what_a_job_is_known_by_is_refused() -> None:
    with pytest.raises(SystemsError, match="how it stands"):
        Log([], columns="job_id created_at").tinybird.copy_jobs(SINCE)


@pytest.mark.parametrize(
    "text",
    ["2026-11-03 12:00:00", "2026-11-03T12:00:00Z", "2026-11-03 12:00:00.000", "1793707200", 1793707200, 1793707200000],
)
def test_a_time_may_be_written_in_many_ways(text: Any) -> None:
    assert moment(text) == NOW


@pytest.mark.parametrize("text", ["yesterday", "", None])
def test_what_is_no_time_is_said(text: Any) -> None:
    with pytest.raises(SystemsError, match="is not a time"):
        moment(text)


def test_an_answer_without_the_time_may_succeed_later() -> None:
    far = Log([])
    far._answer = {"data": []}  # type: ignore[assignment]
    with pytest.raises(SystemsError) as raised:
        far.tinybird.copy_jobs(SINCE)
    assert raised.value.retryable


def test_a_row_that_cannot_be_read_hides_no_other() -> None:
    odd = [[*LINE[:4], None, None, None, None, "copy"], [*LINE[:4], "soon", *LINE[5:]], LINE[:3], 7]
    logged = Log([*odd, LINE]).tinybird.copy_jobs(SINCE)
    assert ([job.id for job in logged.jobs], logged.odd) == (["j1"], 4)
    writes = Log([[None, "j1", "d_1", "a_ds", 1, 0], ["2026-11-03 11:00:00", None, None, None, None, None]])
    assert (len(writes.tinybird.copy_writes(SINCE).writes), writes.tinybird.copy_writes(SINCE).odd) == (1, 1)
    with pytest.raises(SystemsError, match="none of 4 rows can be read"):
        Log(odd).tinybird.copy_jobs(SINCE)


def test_a_job_without_the_time_it_was_made_is_of_when_it_began() -> None:
    (job,) = Log([[*LINE[:4], None, "2026-11-03 11:00:05", *LINE[6:]]]).tinybird.copy_jobs(SINCE).jobs
    assert job.created_at == datetime(2026, 11, 3, 11, 0, 5, tzinfo=UTC)
