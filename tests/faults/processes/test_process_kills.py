"""Workers killed with `kill -9` at seeded random points of a backfill. Judged by the request log and by queries."""

import os
import random
import signal
import time
from contextlib import suppress

import pytest

from tests.support.paces import FAST, SLOW
from tests.support.people import People
from tests.support.processes import RECREATED, Crew, Job, effects, everything_arrived, holding_drains
from tests.support.sandbox import Json, Sandbox
from tests.support.seeds import new_seed

pytestmark = [pytest.mark.faults, pytest.mark.process]

SOURCES = "SELECT id FROM members ORDER BY id OFFSET %s LIMIT 3"


def kill_one(sandbox: Sandbox, crew: Crew, job: Job, dice: random.Random) -> str:
    """`kill -9` of the worker that has the run, or of any where none has it, some requests from now; wait until
    another has taken the run over. Returns what it was at, or "" when the run was over first."""
    for _ in range(dice.randrange(12)):  # a look at a backfill is three requests
        sandbox.log.entries(after=sandbox.log.last(), wait_s=0.2)
    row = job.row()
    if row["op"] is None or row["state"] != "running":
        return ""
    victim = row["pid"] or dice.choice(crew.pool.children())
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    sandbox.until(lambda: job.row()["fence"] > row["fence"] or job.row()["op"] is None, what="another worker")
    return str(row["op"])


def change_some(sandbox: Sandbox, dice: random.Random) -> None:
    """Somebody writes while the run goes on."""
    sandbox.pg(
        f'UPDATE members SET "displayName" = %s, "updatedAt" = now() WHERE id IN ({SOURCES})',
        [f"at {dice.random()}", dice.randrange(4_900)],
    )


def kills(sandbox: Sandbox, crew: Crew, people: People, *, seed: int, wanted: int) -> None:
    dice = random.Random(seed)
    job, points = Job(sandbox, people, "recreate"), list[str]()
    job.reaches("sequin.backfill.await")
    while len(points) < wanted and (point := kill_one(sandbox, crew, job, dice)):
        points.append(point)
        change_some(sandbox, dice)
    print(f"seed {seed}: killed at {points}")
    assert len(points) == wanted
    sandbox.knobs(**FAST)
    assert job.ends() == "succeeded"
    assert effects(sandbox) == RECREATED
    everything_arrived(sandbox)


@pytest.mark.long
def test_a_worker_killed_at_random_points_of_a_backfill_costs_nothing(
    sandbox: Sandbox, crew: Crew, people: People
) -> None:
    seed = new_seed()
    sandbox.knobs(**SLOW)
    kills(sandbox, crew, people, seed=seed, wanted=10)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_fifty_kills(sandbox: Sandbox, crew: Crew, people: People, seed: int) -> None:
    sandbox.knobs(**SLOW)
    kills(sandbox, crew, people, seed=seed, wanted=10)


@pytest.mark.long
def test_a_killed_pool_is_followed_by_a_new_one(sandbox: Sandbox, crew: Crew, people: People) -> None:
    with holding_drains(sandbox):
        job = Job(sandbox, people, "recreate")
        job.reaches("stream.drain")
        crew.pool.kill()
        assert job.row()["state"] == "running"
        crew.ready()
    assert job.ends() == "succeeded"
    assert effects(sandbox) == RECREATED
    everything_arrived(sandbox)


def frozen(job: Job) -> Json | None:
    """Stop the worker that has the run. None when it had given the run back before it stood still."""
    row = job.row()
    if row["pid"] is None:
        return None
    os.kill(row["pid"], signal.SIGSTOP)
    again = job.row()
    if (again["pid"], again["fence"]) == (row["pid"], row["fence"]):
        return again
    os.kill(row["pid"], signal.SIGCONT)
    return None


@pytest.mark.long  # a figure, with a lease of ten seconds: tests/benchmarks has it with its spread
def test_take_over_at_the_usual_lease(sandbox: Sandbox, crew: Crew, people: People) -> None:
    """DESIGN §12: ≤ 15 s at a lease of 10 s. The figure is printed, not judged: it is the machine's too."""
    crew.pool.stop()
    pool = crew.start("worker", lease_s=10.0)
    sandbox.knobs(**SLOW)
    job = Job(sandbox, people, "recreate")
    job.reaches("sequin.backfill.await")
    row = sandbox.until(lambda: frozen(job), what="a worker that stands still with the run in its hands")
    assert row
    began = time.monotonic()
    os.kill(row["pid"], signal.SIGKILL)
    sandbox.until(lambda: job.row()["fence"] > row["fence"], what="another worker")
    print(f"taken over {time.monotonic() - began:.1f} s after kill -9")
    sandbox.knobs(**FAST)
    assert job.ends() == "succeeded"
    assert effects(sandbox) == RECREATED
    assert pool.runs
