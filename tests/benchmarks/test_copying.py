"""A copy beside a table by the product's own processes: what lies between two of its jobs, and for how long an outside
reader finds no table when the names are switched."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import httpx
import pytest

from tests.benchmarks import report
from tests.support import activities
from tests.support.people import People
from tests.support.sandbox import Json, Sandbox

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

TIMES = 8  # the seed's activities: jobs of a thousand each
ROWS_PER_S = 700.0
PATIENCE_S = 300.0
READS_PER_S = 200


@pytest.fixture
def whole() -> Iterator[Sandbox]:
    started = Sandbox(bot=True, speed=1.0)
    try:
        yield started
    finally:
        started.stop()


class Reader:
    """Reads the page all the time; ``gaps`` are how long it was answered with an error, in milliseconds."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.gaps: list[float] = []
        self.reads = 0
        self._url, self._token = sandbox.ready["tinybird"]["url"], sandbox.ready["tinybird"]["token"]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        broken: float | None = None
        with httpx.Client(base_url=self._url, headers=headers, timeout=30.0, trust_env=False) as client:
            while not self._over.wait(1 / READS_PER_S):
                well = client.get(f"/v0/pipes/{activities.PAGE}.json").is_success
                self.reads += 1
                if not well and broken is None:
                    broken = time.perf_counter()
                if well and broken is not None:
                    self.gaps.append((time.perf_counter() - broken) * 1000)
                    broken = None


def more(sandbox: Sandbox) -> None:
    columns = "id, type, toString(timestamp) AS timestamp, platform, sourceId, toString(createdAt) AS createdAt"
    rows = sandbox.tb(f"SELECT {columns}, toString(updatedAt) AS updatedAt, attributes, isContribution FROM activities")
    for n in range(TIMES):
        body = "\n".join(json.dumps(row | {"id": f"{row['id']}-{n}"}) for row in rows)
        answer = sandbox.tinybird.post("/v0/events", params={"name": "activities", "wait": "true"}, content=body)
        assert answer.is_success


def bare_switch(sandbox: Sandbox) -> float:
    """The two renames and back by a script, as an outside reader sees them, in milliseconds."""
    put = sandbox.tinybird.put
    form = {"name": "activities_new", "schema": "`id` String", "engine": "MergeTree", "engine_sorting_key": "id"}
    assert sandbox.tinybird.post("/v0/datasources", data=form).is_success
    with Reader(sandbox) as reader:
        for _ in range(5):
            for name, to in (("activities", "activities_old"), ("activities_new", "activities")):
                assert put(f"/v0/datasources/{name}", params={"name": to}).is_success
            time.sleep(0.2)
            for name, to in (("activities", "activities_new"), ("activities_old", "activities")):
                assert put(f"/v0/datasources/{name}", params={"name": to}).is_success
            time.sleep(0.2)
    sandbox.tinybird.delete("/v0/datasources/activities_new", params={"force": "true"})
    return report.p50(reader.gaps) if reader.gaps else 0.0


def at(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def copies(sandbox: Sandbox) -> list[Json]:
    jobs = sandbox.tinybird.get("/v0/jobs", params={"kind": "copy"}).json()["jobs"]
    return sorted((job for job in jobs if "__copy_run_" in job["pipe_name"]), key=lambda job: job["created_at"])


def carried_out(sandbox: Sandbox, line: str) -> None:
    """Ana asks, Ben and Chen approve all of it, until it has succeeded."""
    people = People(sandbox)
    card = people.ana.types(line).card()
    card = card.until(lambda m: any(label.startswith("Approve up") for label in m.buttons), patience_s=60)
    for person in (people.ben, people.chen):
        card = card.until(lambda m: any(label.startswith("Approve") for label in m.buttons), patience_s=60)
        person.clicks([label for label in card.buttons if label.startswith("Approve")][-1], on=card)
    ended = "SELECT state FROM ledger.run WHERE state = 'succeeded'"
    sandbox.until(lambda: sandbox.ledger(ended), patience_s=PATIENCE_S, what="the run's end")


def test_between_two_jobs_and_between_two_names(whole: Sandbox) -> None:
    activities.publish(whole)
    floor = bare_switch(whole)
    more(whole)
    whole.knobs(tinybird__copy_rows_per_s=ROWS_PER_S, connect__offset_flush_s=1.0)
    with Reader(whole) as reader:
        carried_out(whole, activities.ASKED)
    jobs = copies(whole)[:-1]  # without the catch-up
    between = [(at(b["created_at"]) - at(a["updated_at"])).total_seconds() * 1000 for a, b in pairwise(jobs)]
    lasted = sum((at(job["updated_at"]) - at(job["created_at"])).total_seconds() for job in jobs)
    report.show("between two copy jobs of a run, p50", goal="–", floor=None, result=report.p50(between))
    report.show("the same, p95", goal="≤ 250 ms", floor=None, result=report.high(between, 95))
    report.note(f"{len(jobs)} jobs of {lasted / len(jobs):.1f} s; of the time {sum(between) / lasted / 10:.0f} %")
    gone = max(reader.gaps, default=0.0)
    report.show("no table for an outside reader, rename", goal="≤ bare calls + 10 ms", floor=floor, result=gone)
    report.note(f"{reader.reads:,} reads, {len(reader.gaps)} times broken")


def test_no_read_fails_where_readers_are_moved(whole: Sandbox) -> None:
    activities.publish(whole)
    whole.knobs(kubernetes__writes_per_s=15.0, connect__offset_flush_s=1.0)
    with Reader(whole) as reader:
        carried_out(whole, "/tb migrate activities sort by platform, id")
    strategy = whole.ledger("SELECT plan -> 'strategy' ->> 'name' AS name FROM ledger.run")
    assert strategy == [{"name": "pipe-by-pipe"}]
    gone = max(reader.gaps, default=0.0)
    report.show("no table for an outside reader, pipe-by-pipe", goal="0 ms", floor=None, result=gone)
    report.note(f"{reader.reads:,} reads, {len(reader.gaps)} times broken")
