"""A table of a million rows brought to Tinybird: what of the time is the bot's own, and what it asks of the systems."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.benchmarks import report
from tests.support.drive import driving, product
from tests.support.people import People
from tests.support.sandbox import Sandbox
from workers.context import Context
from workers.engine import Advanced, advance

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROWS = 1_000_000
MACHINE_S = 1_800.0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    started = Sandbox(speed=1.0)
    try:
        yield started
    finally:
        started.stop()


def test_a_million_rows(sandbox: Sandbox) -> None:
    sandbox.pg(
        "INSERT INTO repositories (url, \"segmentId\", stars) SELECT 'https://github.example/bulk/' || n, "
        "gen_random_uuid(), n %% 1000 FROM generate_series(1, %s) n RETURNING 1",
        [ROWS],
    )
    sandbox.pg("SELECT 1 FROM repositories LIMIT 1")
    own = list[float]()

    def measured(worker: Context, run: int) -> Advanced:
        begun = time.thread_time()
        try:
            return advance(worker, run)
        finally:
            own.append(time.thread_time() - begun)

    with product(sandbox) as made, driving(sandbox, People(sandbox), made) as drive:
        drive.engine = measured
        run = drive.run("/tb replicate repositories")
        after, begun = sandbox.log.last(), time.perf_counter()
        while drive.state(run) != "succeeded":
            assert time.perf_counter() - begun < MACHINE_S, drive.thread(run)
            drive()
        took = time.perf_counter() - begun
        assert int(sandbox.tb("SELECT toString(count()) AS n FROM repositories FINAL")[0]["n"]) > ROWS
    calls = Counter(f"{e['system']}" for e in sandbox.log.entries(after=after) if e["system"] != "slack")
    report.show(
        "replicate of a million rows, the bot's own processor time", goal="≤ 5 s", floor=None, result=sum(own), unit="s"
    )
    report.show("the same, all of it", goal="–", floor=None, result=took, unit="s")
    report.note(f"{len(own)} ticks; calls that the log still has, the connector's included: {dict(calls)}")
