"""Ten million activities copied beside their table by the product's own processes, beside one bare copy of them."""

import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest

from runbooks.facts.model import Limits
from tests.benchmarks import report
from tests.support import activities
from tests.support.people import People
from tests.support.sandbox import Json, Sandbox

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROWS = 10_000_000
PART = 1_000_000  # rows of an insert: what a copy of the sandbox may hold at once
PATIENCE_S = 1_800.0


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """With ranges as large as they are by default: the sandbox's own are of a thousand rows."""
    monkeypatch.setenv("TBOPS_ENVIRONMENTS__SANDBOX__LIMITS__COPY_CHUNK_ROWS", str(Limits().copy_chunk_rows))
    started = Sandbox(bot=True, speed=1.0)
    try:
        yield started
    finally:
        started.stop()


def copy_pipe(sandbox: Sandbox, name: str, sql: str, target: str) -> None:
    node = {"name": f"{name}_rows", "type": "copy", "sql": sql, "target_datasource": target, "mode": "append"}
    assert sandbox.tinybird.post("/v0/pipes", json={"name": name, "nodes": [node]}).is_success


def run_to_its_end(sandbox: Sandbox, pipe: str, **parameters: str) -> float:
    """One copy job; how long it took, in seconds of the machine."""
    begun = time.perf_counter()
    answer = sandbox.tinybird.post(f"/v0/pipes/{pipe}/copy", params=parameters)
    assert answer.is_success, answer.text
    job = answer.json()["job"]["job_id"]

    def ended() -> Json | None:
        found = sandbox.tinybird.get(f"/v0/jobs/{job}").json()
        return found if found["status"] in ("done", "error") else None

    found = sandbox.until(ended, patience_s=PATIENCE_S, what=f"the end of a copy by {pipe}")
    assert found is not None
    assert found["status"] == "done", found
    return time.perf_counter() - begun


def more(sandbox: Sandbox) -> None:
    """As many activities as it takes: those of the seed again and again under other, longer ids."""
    seed = sandbox.tb("SELECT toString(count()) AS n, toString(max(length(id))) AS longest FROM activities FINAL")[0]
    columns = [c["name"] for c in sandbox.tinybird.get("/v0/datasources/activities").json()["schema"]["columns"]]
    named = ", ".join(f"`{name}`" for name in columns if name != "id")
    sql = (
        f"%\nSELECT concat(id, '-', toString(number)) AS id, {named} FROM activities "
        "CROSS JOIN (SELECT number FROM numbers({{Int32(low)}}, {{Int32(times)}})) AS n "
        f"WHERE length(activities.id) <= {seed['longest']}"
    )
    copy_pipe(sandbox, "many", sql, "activities")
    times = PART // int(seed["n"])
    for low in range(0, ROWS // int(seed["n"]), times):
        run_to_its_end(sandbox, "many", low=str(low), times=str(times))
    sandbox.tinybird.delete("/v0/pipes/many")


def bare(sandbox: Sandbox) -> float:
    """The same table copied once more by one job of its own."""
    described = sandbox.tinybird.get("/v0/datasources/activities").json()
    form = {
        "name": "activities_bare",
        "schema": described["schema"]["sql_schema"],
        "engine": "ReplacingMergeTree",
        "engine_sorting_key": described["engine"]["sorting_key"],
        "engine_ver": "updatedAt",
    }
    assert sandbox.tinybird.post("/v0/datasources", data=form).is_success
    copy_pipe(sandbox, "bare", "SELECT * FROM activities FINAL", "activities_bare")
    took = run_to_its_end(sandbox, "bare")
    sandbox.tinybird.delete("/v0/pipes/bare")
    sandbox.tinybird.delete("/v0/datasources/activities_bare", params={"force": "true"})
    return took


def at(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def test_ten_million_rows(whole: Sandbox) -> None:
    whole.knobs(tinybird__copy_rows_per_s=1e9, connect__offset_flush_s=1.0)
    more(whole)
    rows = int(whole.tb("SELECT toString(count()) AS n FROM activities FINAL")[0]["n"])
    floor = bare(whole)
    people = People(whole)
    card = people.ana.types(activities.ASKED).card()
    for person in (people.ben, people.chen):
        card = card.until(lambda m: any(label.startswith("Approve") for label in m.buttons), patience_s=60)
        person.clicks([label for label in card.buttons if label.startswith("Approve")][-1], on=card)
    ended = "SELECT state FROM ledger.run WHERE state NOT IN ('planning', 'proposed', 'running')"
    whole.until(lambda: whole.ledger(ended), patience_s=PATIENCE_S, what="the run's end")
    assert whole.ledger(ended) == [{"state": "succeeded"}]
    assert int(whole.tb("SELECT toString(count()) AS n FROM activities FINAL")[0]["n"]) == rows
    assert whole.tb("SELECT count() AS n FROM activities FINAL WHERE score2 != score / 2") == [{"n": 0}]
    _report(whole, rows, floor)


def _spent(sandbox: Sandbox) -> dict[str, float]:
    """How long each step of the plan took, in seconds: from the end of the one before it."""
    sql = (
        "SELECT op, hold IS NOT NULL AS held, extract(epoch FROM finished_at - lag(finished_at) OVER (ORDER BY number))"
        "::float8 AS s FROM ledger.step WHERE phase = 'plan' ORDER BY number"
    )
    rows = [row for row in sandbox.ledger(sql) if row["s"] is not None]
    spent: dict[str, float] = {row["op"]: float(row["s"]) for row in rows}
    return spent | {"hold": sum(float(row["s"]) for row in rows if row["held"])}


def _report(sandbox: Sandbox, rows: int, floor: float) -> None:
    spent = _spent(sandbox)
    copied = spent["tinybird.copy.chunks/1"]
    jobs = sandbox.tinybird.get("/v0/jobs", params={"kind": "copy"}).json()["jobs"]
    mine = sorted((job for job in jobs if "__copy_run_" in job["pipe_name"]), key=lambda job: job["created_at"])[:-1]
    between = [(at(b["created_at"]) - at(a["updated_at"])).total_seconds() * 1000 for a, b in pairwise(mine)]
    report.show("ten million activities copied and compared", goal="–", floor=floor, result=copied, unit="s")
    report.note(f"{rows:,} rows in {len(mine)} jobs: {rows / copied:,.0f} rows a second")
    report.show("between two of its jobs, p95", goal="≤ 250 ms", floor=None, result=report.high(between, 95))
    report.show("the copy proven once more at rest", goal="–", floor=floor, result=spent["proof.copy/1"], unit="s")
    report.show("writers held", goal="–", floor=None, result=spent["hold"], unit="s")
