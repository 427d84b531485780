"""Copies break as they break in the real one: each class of fault with ClickHouse's words, in the job and both logs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.tinybird_server import Tinybird, tinybird_served

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("tinybird")]

PIPE = "members_sorted_copy_pipe"
FAILED = "SELECT error, result, rows FROM tinybird.datasources_ops_log WHERE event_type = 'copy'"


def run_copy(tb: Tinybird, pipe: str = PIPE) -> dict[str, Any]:
    answer = tb.client.post(f"/v0/pipes/{pipe}/copy")
    assert answer.status_code == 200, answer.text
    return tb.finished(answer.json()["job"]["job_id"])


def copies(
    tb: Tinybird, sql: str, name: str = "odd_copy", target: str = "members_sorted", mode: str = "replace"
) -> str:
    node = {"name": "n0", "type": "copy", "target_datasource": target, "mode": "replace", "sql": sql}
    made = tb.client.post(
        "/v0/pipes?force=true&ignore_sql_errors=true",
        json={"name": name, "nodes": [node]},
    )
    assert made.status_code == 200, made.text
    return name


def fail(tb: Tinybird, error: str, pipe: str = PIPE, **more: Any) -> httpx.Response:
    return tb.client.post("/sandbox/tinybird/fail", json={"pipe": pipe, "error": error, **more})


def schedule(tb: Tinybird, pipe: str, cron: str) -> None:
    found = tb.client.get(f"/v0/pipes/{pipe}").json()
    path = f"/v0/pipes/{found['id']}/nodes/{found['copy_node']}/copy"
    assert tb.client.put(path, data={"schedule_cron": cron}).status_code == 200


def moves_on(tb: Tinybird, **time: float) -> None:
    tb.world.clock.advance(timedelta(**time).total_seconds())
    tb.run(tb.stand_in.platform.jobs.catch_up())


def logged(tb: Tinybird, what: str, pipe: str = PIPE) -> list[dict[str, Any]]:
    metadata = f"JSONExtractString(job_metadata, 'pipe_name') = '{pipe}'"
    return tb.rows(f"SELECT {what} FROM tinybird.jobs_log WHERE {metadata} ORDER BY created_at")


# -- a pipe that is really broken


@pytest.mark.parametrize(
    ("sql", "code", "word"),
    [
        ("SELECT id, nope FROM members", 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT id FROM not_there", 60, "UNKNOWN_TABLE"),
        ("SELECT no_such(id) AS id FROM members", 46, "UNKNOWN_FUNCTION"),
        ("SELECT id, 'high' AS score FROM members", 6, "CANNOT_PARSE_TEXT"),
        ("SELECT throwIf(1, 'on purpose') AS id", 395, "on purpose"),
    ],
)
def test_a_broken_copy_ends_in_clickhouses_words(tb: Tinybird, sql: str, code: int, word: str) -> None:
    job = run_copy(tb, copies(tb, sql))
    assert job["status"] == "error"
    assert job["error"].startswith(f"Code: {code}. DB::Exception: ")
    assert word in job["error"]
    assert logged(tb, "status, error", "odd_copy") == [{"status": "error", "error": job["error"]}]
    assert tb.rows(FAILED) == [{"error": job["error"], "result": "error", "rows": 0}]
    assert tb.value("SELECT count() FROM members_sorted") == 200, "a failed replace leaves the old rows"


def test_a_copy_that_needs_more_memory_than_it_may_have_says_so(tb: Tinybird) -> None:
    tb.knob("copy_memory_bytes", 20_000_000)
    name = copies(tb, "SELECT arrayJoin(groupArray(toString(number))) AS id FROM numbers(3000000)")
    assert "MEMORY_LIMIT_EXCEEDED" in run_copy(tb, name)["error"]
    tb.knob("copy_memory_bytes", 0)
    assert run_copy(tb)["status"] == "done"


def test_a_copy_that_is_too_slow_ends_at_its_limit(tb: Tinybird) -> None:
    tb.knob("copy_rows_per_s", 1.0)
    tb.knob("copy_timeout_s", 90.0)
    job = run_copy(tb)
    assert job["error"].startswith("Code: 159. DB::Exception: Timeout exceeded: elapsed 90000.")
    took = logged(tb, "dateDiff('second', started_at, updated_at) AS s")
    assert took == [{"s": 90}]
    assert tb.rows(FAILED)[0]["result"] == "error"


def test_a_copy_whose_target_is_gone_says_so(tb: Tinybird) -> None:
    assert tb.client.delete("/v0/datasources/members_sorted?force=true").status_code == 204
    job = run_copy(tb)
    assert (job["status"], "does not exist" in job["error"]) == ("error", True)


def test_a_copy_may_write_nothing_and_is_done(tb: Tinybird) -> None:
    job = run_copy(tb, copies(tb, "SELECT id FROM members WHERE 0"))
    assert (job["status"], job["statistics"]["row_count"]) == ("done", 0)
    assert tb.rows(FAILED) == [{"error": None, "result": "ok", "rows": 0}]
    assert tb.value("SELECT count() FROM members_sorted") == 0


# -- a run that is to end badly


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("schema", "UNKNOWN_IDENTIFIER"),
        ("missing table", "UNKNOWN_TABLE"),
        ("memory", "MEMORY_LIMIT_EXCEEDED"),
        ("timeout", "TIMEOUT_EXCEEDED"),
        ("permission", "ACCESS_DENIED"),
        ("quota", "maximum number of copy jobs"),
        ("something else", "something else"),
    ],
)
def test_the_next_runs_end_as_asked_and_later_ones_as_ever(tb: Tinybird, kind: str, word: str) -> None:
    asked = fail(tb, kind, times=2).json()
    assert (asked["ok"], asked["pipes"], asked["times"]) == (True, 1, 2)
    ended = [run_copy(tb) for _ in range(3)]
    assert [job["status"] for job in ended] == ["error", "error", "done"]
    assert all(word in job["error"] and job["error"] == asked["error"] for job in ended[:2])
    assert sorted(row["result"] for row in tb.rows(FAILED)) == ["error", "error", "ok"]


def test_a_run_may_work_for_a_while_before_it_fails(tb: Tinybird) -> None:
    fail(tb, "memory", after_s=600)
    job = run_copy(tb)
    took = datetime.fromisoformat(job["updated_at"]) - datetime.fromisoformat(job["started_at"])
    assert (job["status"], took) == ("error", timedelta(minutes=10))


def test_a_renamed_pipe_keeps_its_failures_and_they_can_be_taken_back(tb: Tinybird) -> None:
    fail(tb, "memory", times=5)
    assert tb.client.put(f"/v0/pipes/{PIPE}?name=renamed_copy").status_code == 200
    assert run_copy(tb, "renamed_copy")["status"] == "error"
    fail(tb, "memory", "renamed_copy", times=0)
    assert run_copy(tb, "renamed_copy")["status"] == "done"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"pipe": PIPE}, 400),
        ({"pipe": PIPE, "error": ""}, 400),
        ({"pipe": PIPE, "error": 5}, 400),
        ({"pipe": PIPE, "error": "memory", "times": -1}, 400),
        ({"pipe": PIPE, "error": "memory", "times": 1.5}, 400),
        ({"pipe": PIPE, "error": "memory", "after_s": True}, 400),
        ({"pipe": "nobody", "error": "memory"}, 404),
    ],
)
def test_a_failure_that_cannot_be_read_changes_nothing(tb: Tinybird, body: dict[str, Any], status: int) -> None:
    assert tb.client.post("/sandbox/tinybird/fail", json=body).status_code == status
    assert run_copy(tb)["status"] == "done"


def test_a_copy_may_only_say_that_it_copied(tb: Tinybird) -> None:
    tb.client.post("/v0/datasources/members_sorted/truncate")
    tb.knob("copy_pretended_rows", 5_000)
    tb.knob("copy_rows_per_s", 100)
    job = run_copy(tb)
    took = datetime.fromisoformat(job["updated_at"]) - datetime.fromisoformat(job["started_at"])
    assert (job["status"], job["statistics"]["row_count"], took) == ("done", 5_000, timedelta(seconds=50))
    assert tb.rows(FAILED) == [{"error": None, "result": "ok", "rows": 5_000}]
    fail(tb, "memory")
    assert run_copy(tb)["status"] == "error"
    assert sorted(row["result"] for row in tb.rows(FAILED)) == ["error", "ok"]
    assert tb.value("SELECT count() FROM members_sorted") == 0


# -- runs that do not come


def test_a_schedule_that_is_removed_starts_no_run(tb: Tinybird) -> None:
    moves_on(tb, hours=1)
    assert len(logged(tb, "job_id")) == 1
    schedule(tb, PIPE, "None")
    assert tb.client.get(f"/v0/pipes/{PIPE}").json()["schedule"] == {}
    moves_on(tb, hours=3)
    assert len(logged(tb, "job_id")) == 1


def test_a_renamed_pipe_runs_on_under_its_id_and_a_deleted_one_no_more(tb: Tinybird) -> None:
    pipe_id = tb.client.get(f"/v0/pipes/{PIPE}").json()["id"]
    moves_on(tb, hours=1)
    assert tb.client.put(f"/v0/pipes/{PIPE}?name=renamed_copy").json()["id"] == pipe_id
    assert tb.client.get(f"/v0/pipes/{PIPE}").status_code == 404
    moves_on(tb, hours=1)
    names = "SELECT JSONExtractString(job_metadata, 'pipe_name') AS n FROM tinybird.jobs_log WHERE pipe_id = '{}'"
    by_id = f"{names.format(pipe_id)} ORDER BY created_at"
    assert tb.rows(by_id) == [{"n": PIPE}, {"n": "renamed_copy"}]
    assert tb.client.delete("/v0/pipes/renamed_copy").status_code == 204
    moves_on(tb, hours=3)
    assert len(tb.rows(by_id)) == 2
    assert "renamed_copy" not in {pipe["name"] for pipe in tb.client.get("/v0/pipes").json()["pipes"]}


# -- the quota


@pytest.mark.long
def test_a_storm_of_116_copies_in_one_minute_is_kept_up_with() -> None:
    with tinybird_served(seed="estate") as tb:
        tb.reset()
        pipes = [pipe["name"] for pipe in tb.client.get("/v0/pipes").json()["pipes"] if pipe["type"] == "copy"]
        assert len(pipes) == 116
        for pipe in pipes:
            schedule(tb, pipe, "59 * * * *")
        assert fail(tb, "memory", "*", after_s=20).json()["pipes"] == len(pipes)
        moves_on(tb, hours=1)
        storm = tb.rows(
            "SELECT uniqExact(pipe_id) AS pipes, uniqExact(created_at) AS ticks, count() AS runs "
            "FROM tinybird.jobs_log WHERE status = 'error' AND error LIKE '%MEMORY_LIMIT_EXCEEDED%'"
        )
        assert storm == [{"pipes": 116, "ticks": 1, "runs": 116}]
        assert len(tb.client.get("/v0/jobs").json()["jobs"]) == 100, "the Jobs API has lost some: only the log has all"


def at_once(tb: Tinybird, count: int) -> list[str]:
    """So many copies of the same minute, each into a table of its own, and all slow."""
    tb.knob("copy_rows_per_s", 1.0)
    names: list[str] = []
    for n in range(count):
        data = {"name": f"target_{n}", "schema": "`id` String", "engine": "MergeTree", "engine_sorting_key": "id"}
        assert tb.client.post("/v0/datasources", data=data).status_code == 200
        sql = "SELECT toString(number) AS id FROM numbers(600)"
        names.append(copies(tb, sql, f"slow_{n}", f"target_{n}"))
        schedule(tb, names[-1], "30 * * * *")
    return names


@pytest.mark.parametrize(("does", "states"), [("wait", ["waiting"]), ("error", ["error"])])
def test_a_scheduled_run_over_the_quota_waits_or_ends_by_the_knob(tb: Tinybird, does: str, states: list[str]) -> None:
    tb.knob("copy_quota", 2)
    tb.knob("quota_scheduled", does)
    at_once(tb, 3)
    moves_on(tb, minutes=10)
    found = tb.rows(
        "SELECT status, error, toMinute(created_at) AS m, created_at = updated_at AS at_once FROM tinybird.jobs_log "
        "WHERE JSONExtractString(job_metadata, 'pipe_name') LIKE 'slow_%' ORDER BY status = 'working' DESC, status"
    )
    assert [row["status"] for row in found] == ["working", "working", *states]
    assert {row["m"] for row in found} == {30}
    over = found[2]
    sentence = "You have reached the maximum number of copy jobs (2)"
    assert (over["error"], over["at_once"]) == (sentence if does == "error" else None, 1)
    moves_on(tb, minutes=25)
    ended = tb.rows("SELECT status FROM tinybird.jobs_log WHERE pipe_id != '' AND job_type = 'copy'")
    assert sum(row["status"] == "done" for row in ended) >= (2 if does == "error" else 3)


def test_a_run_that_met_a_free_slot_waits_for_its_table_though_the_quota_is_full_by_then(tb: Tinybird) -> None:
    tb.knob("copy_quota", 2)
    tb.knob("quota_scheduled", "error")
    first, other = at_once(tb, 2)
    schedule(tb, other, "35 * * * *")
    second = copies(tb, "SELECT 'x' AS id", "second_into_the_same", "target_0")
    schedule(tb, second, "32 * * * *")
    moves_on(tb, minutes=18)
    assert [logged(tb, "status", pipe)[0]["status"] for pipe in (first, other, second)] == [
        "working",
        "working",
        "waiting",
    ]
    moves_on(tb, minutes=5)
    assert logged(tb, "status", second)[0]["status"] == "done"


def test_a_jump_over_many_ticks_refuses_only_what_met_a_full_quota(tb: Tinybird) -> None:
    """Each run lasts ten minutes of the hour: of three an hour, one is over a quota of two, every hour."""
    tb.knob("copy_quota", 2)
    tb.knob("quota_scheduled", "error")
    for pipe in tb.client.get("/v0/pipes").json()["pipes"]:
        if pipe["type"] == "copy" and pipe["schedule"]:
            tb.client.post(f"/v0/pipes/{pipe['name']}/copy/pause")
    at_once(tb, 3)
    moves_on(tb, hours=4)
    by_hour = tb.rows(
        "SELECT created_at AS t, countIf(status = 'error') AS bad, countIf(status = 'done') AS good "
        "FROM tinybird.jobs_log GROUP BY t ORDER BY t"
    )
    assert [(row["bad"], row["good"]) for row in by_hour] == [(1, 2)] * 4
    assert datetime.fromisoformat(by_hour[0]["t"]).replace(tzinfo=UTC) < tb.world.clock.now()
