"""The Tinybird stand-in's logs hold weeks of jobs, and may be late, poorer or off by their clock (its knobs)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.tinybird_server import Tinybird

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("tinybird")]

PIPE = "members_sorted_copy_pipe"
COPY = f"/v0/pipes/{PIPE}/copy"
STATES = "SELECT status, count() AS n FROM tinybird.jobs_log GROUP BY status ORDER BY status"


def run_copy(tb: Tinybird) -> dict[str, Any]:
    return tb.finished(tb.client.post(COPY).json()["job"]["id"])


def remember(tb: Tinybird, *runs: dict[str, Any], pipe: str = PIPE) -> httpx.Response:
    return tb.client.post("/sandbox/tinybird/history", json={"pipe": pipe, "runs": list(runs)})


def ago(tb: Tinybird, **past: float) -> str:
    return (tb.world.clock.now() - timedelta(**past)).isoformat()


def query(tb: Tinybird, sql: str) -> httpx.Response:
    return tb.client.get("/v0/sql", params={"q": sql})


# -- a line a job


def test_a_job_has_one_line_that_changes_with_it(tb: Tinybird) -> None:
    tb.knob("copy_rows_per_s", 0.001)
    tb.knob("copy_quota", 2)
    first, second = (tb.client.post(COPY).json()["job"]["id"] for _ in range(2))
    tb.run(tb.stand_in.platform.jobs.catch_up())
    assert tb.rows(STATES) == [{"status": "waiting", "n": 1}, {"status": "working", "n": 1}]
    tb.client.post(f"/v0/jobs/{second}/cancel")
    tb.client.post(f"/v0/jobs/{first}/cancel")
    tb.run(tb.stand_in.platform.jobs.catch_up())
    assert tb.rows(STATES) == [{"status": "cancelled", "n": 2}]


def test_events_that_come_in_close_order_make_one_line_that_grows(tb: Tinybird) -> None:
    lines = "SELECT rows FROM tinybird.datasources_ops_log WHERE event_type = 'append-hfi'"
    for n in range(1, 4):
        tb.events("segments", '{"record": {"id": "1"}}', wait="true")
        assert sum(row["rows"] or 0 for row in tb.rows(lines)) <= n
    assert len(tb.rows(lines)) == 1
    tb.world.clock.advance(60)
    tb.events("segments", '{"record": {"id": "1"}}', wait="true")
    assert len(tb.rows(lines)) == 2


def test_a_reset_empties_the_logs(tb: Tinybird) -> None:
    run_copy(tb)
    assert tb.value("SELECT count() FROM tinybird.jobs_log") == 1
    tb.reset()
    assert tb.value("SELECT count() FROM tinybird.jobs_log") == 0
    assert tb.value("SELECT count() FROM tinybird.datasources_ops_log") == 0


# -- what may be wrong with them


def test_the_log_of_jobs_comes_late_by_the_knob(tb: Tinybird) -> None:
    tb.knob("jobs_log_lag_s", 90)
    assert run_copy(tb)["status"] == "done"
    assert not any(row["status"] == "done" for row in tb.rows(STATES))
    tb.world.clock.advance(90)
    assert tb.rows(STATES) == [{"status": "done", "n": 1}]


def test_columns_that_are_missing_are_refused_in_clickhouses_words(tb: Tinybird) -> None:
    run_copy(tb)
    tb.knob("jobs_log_drop", "updated_at, request_id")
    refused = query(tb, "SELECT job_id, updated_at FROM tinybird.jobs_log")
    assert refused.status_code == 400
    assert "Unknown expression identifier `updated_at`" in refused.json()["error"]
    assert refused.headers["X-DB-Exception-Code"] == "47"
    left = tb.rows("SELECT * FROM tinybird.jobs_log")[0]
    assert "job_id" in left
    assert not {"updated_at", "request_id"} & left.keys()
    tb.knob("jobs_log_drop", "")
    assert tb.value("SELECT count(updated_at) FROM tinybird.jobs_log") == 1


def test_the_rows_of_a_run_may_be_seen_after_its_end(tb: Tinybird) -> None:
    rows = "SELECT rows FROM tinybird.datasources_ops_log WHERE event_type = 'copy'"
    tb.knob("ops_log_lag_s", 3600)
    assert run_copy(tb)["status"] == "done"
    assert tb.rows(STATES) == [{"status": "done", "n": 1}]
    assert tb.rows(rows) == []
    tb.world.clock.advance(3600)
    assert {"rows": 200} in tb.rows(rows)


def test_the_log_of_operations_may_be_poorer_too(tb: Tinybird) -> None:
    run_copy(tb)
    tb.knob("ops_log_drop", "rows")
    tb.knob("ops_log_types", "strings")
    refused = query(tb, "SELECT rows FROM tinybird.datasources_ops_log")
    assert "Unknown expression identifier `rows`" in refused.json()["error"]
    assert tb.value("SELECT toTypeName(timestamp) FROM tinybird.datasources_ops_log LIMIT 1") == "String"
    assert tb.value("SELECT count() FROM tinybird.jobs_log WHERE created_at > now() - 86400") == 1


def test_times_may_be_text(tb: Tinybird) -> None:
    run_copy(tb)
    kinds = "SELECT toTypeName(created_at) AS c, toTypeName(started_at) AS s FROM tinybird.jobs_log"
    assert tb.rows(kinds) == [{"c": "DateTime64(3)", "s": "Nullable(DateTime64(3))"}]
    tb.knob("jobs_log_types", "strings")
    assert tb.rows(kinds) == [{"c": "String", "s": "Nullable(String)"}]


@pytest.mark.parametrize("skew", [-120, 120])
def test_the_clock_of_the_logs_may_be_off(tb: Tinybird, skew: int) -> None:
    remember(tb, {"created_at": ago(tb, hours=1), "seconds": 5, "rows": 200})
    moments = "SELECT toString(updated_at) AS t FROM tinybird.jobs_log"
    stamps = "SELECT toString(timestamp) AS t FROM tinybird.datasources_ops_log"
    for sql in (moments, stamps):
        tb.knob("log_skew_s", 0)
        right = datetime.fromisoformat(tb.value(sql))
        tb.knob("log_skew_s", skew)
        assert datetime.fromisoformat(tb.value(sql)) - right == timedelta(seconds=skew)


# -- what is said to have been


def test_runs_of_weeks_are_entered_and_the_api_shows_those_of_two_days(tb: Tinybird) -> None:
    runs = [{"created_at": ago(tb, hours=n), "seconds": 30 + n % 5, "rows": 200} for n in range(1, 21 * 24)]
    assert remember(tb, *runs).json() == {"ok": True, "runs": len(runs)}
    remember(tb, {"created_at": ago(tb, hours=9), "queued_s": 60, "seconds": 3, "error": "memory"})
    learnt = tb.rows(
        "SELECT count() AS n, countIf(status = 'error') AS bad, max(updated_at - started_at) AS longest, "
        "max(started_at - created_at) AS queued FROM tinybird.jobs_log"
    )
    assert learnt == [{"n": len(runs) + 1, "bad": 1, "longest": 34, "queued": 60}]
    copied = tb.rows(
        "SELECT result, count() AS n, sum(rows) AS rows FROM tinybird.datasources_ops_log WHERE event_type = 'copy' "
        "AND datasource_name = 'members_sorted' GROUP BY result ORDER BY result"
    )
    assert copied == [
        {"result": "error", "n": 1, "rows": 0},
        {"result": "ok", "n": len(runs), "rows": 200 * len(runs)},
    ]
    shown = tb.client.get("/v0/jobs", params={"pipe_name": PIPE}).json()["jobs"]
    assert len(shown) == 48
    assert sum("MEMORY_LIMIT_EXCEEDED" in job.get("error", "") for job in shown) == 1
    assert tb.value("SELECT count() FROM members_sorted") == 200, "nothing was copied"


@pytest.mark.parametrize(
    ("pipe", "run", "status", "word"),
    [
        ("nobody", {"created_at": "2026-01-01"}, 404, "nobody"),
        ("members_count", {"created_at": "2026-01-01"}, 404, "copies into no data source"),
        (PIPE, {}, 400, "created_at"),
        (PIPE, {"created_at": "soon"}, 400, "soon"),
        (PIPE, {"created_at": "2999-01-01"}, 400, "not ended"),
        (PIPE, {"created_at": "2026-01-01", "status": "odd"}, 400, "odd"),
        (PIPE, {"created_at": "2026-01-01", "rows": -1}, 400, "rows"),
        (PIPE, {"created_at": "2026-01-01", "seconds": "long"}, 400, "seconds"),
    ],
)
def test_runs_that_cannot_have_been_are_refused_whole(
    tb: Tinybird, pipe: str, run: dict[str, Any], status: int, word: str
) -> None:
    refused = remember(tb, {"created_at": datetime(2026, 1, 1, tzinfo=UTC).isoformat()}, run, pipe=pipe)
    assert refused.status_code == status
    assert word in refused.json()["error"]
    assert tb.value("SELECT count() FROM tinybird.jobs_log") == 0


def test_five_thousand_jobs_are_stored_once_and_not_at_each_query(tb: Tinybird) -> None:
    remember(tb, *({"created_at": ago(tb, seconds=30 * n + 60)} for n in range(5_000)))
    assert tb.value("SELECT count() FROM tinybird.jobs_log") == 5_000
    parts = "SELECT count() AS n, sum(rows) AS r FROM system.parts WHERE table = 'jobs_log_lines' AND active"
    before = tb.run(tb.stand_in.workspace.clickhouse.rows(parts))
    for _ in range(3):
        assert tb.value("SELECT count() FROM tinybird.jobs_log") == 5_000
    assert tb.run(tb.stand_in.workspace.clickhouse.rows(parts)) == before
    run_copy(tb)
    assert tb.value("SELECT count() FROM tinybird.jobs_log") == 5_001
    after = tb.run(tb.stand_in.workspace.clickhouse.rows("SELECT count() AS n FROM tinybird.jobs_log_lines"))
    assert after[0]["n"] <= 5_000 + 3, "waiting, working and done of the one that is new"
