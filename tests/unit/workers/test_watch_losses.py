"""5,000 jobs in 48 hours, of which the Jobs API would show the last hundred: none is lost, and none is told twice.

Lines come late and more than once, looks fail, and the watch is started anew in between, with nothing but what it had
stored.
"""

import json
import random
from dataclasses import dataclass, field

from systems.tinybird_logs import LoggedJob, LoggedWrite
from tests.support.seeds import new_seed
from tests.support.watching import ENVIRONMENT, HOUR, Stage, at, job, pipe, wrote
from workers.watch import memory
from workers.watch.meanwhile import meanwhile
from workers.watch.memory import Memory
from workers.watch.reconcile import Opened, Reopened
from workers.watch.seen import Look

PIPES = [pipe(f"copy_{n:03}", f"{n % 60} * * * *") for n in range(104)]  # 104 x 48 h = 4,992 jobs
OVERLAP_S = 5400.0
LAG_S = 3000.0  # a line is seen so long after what it says, at most


@dataclass
class Log:
    """What a query by ``updated_at`` would answer: lines that can be seen by then."""

    lines: list[tuple[float, float, LoggedJob, LoggedWrite | None]] = field(default_factory=list)  # seen, changed

    def asked(self, since: float, now: float) -> tuple[list[LoggedJob], list[LoggedWrite]]:
        """The newest state of each job that changed at ``since`` or later."""
        found = {j.id: (j, w) for seen, changed, j, w in self.lines if since <= changed and seen <= now}
        return [j for j, _ in found.values()], [w for _, w in found.values() if w]


def test_no_job_is_lost_and_none_is_told_twice() -> None:
    seed = new_seed()
    print(f"the seed of the log: {seed}")
    chance = random.Random(seed)
    log, failed, jobs = Log(), set[str](), 0
    for each in PIPES:
        for hour in range(48):
            created = hour * HOUR + 60 * int((each.cron or "0").split()[0]) + chance.uniform(1, 5)
            bad = chance.random() < 0.02
            ended = job(
                each, created, "error" if bad else "done", took=chance.uniform(10, 600), error="no memory limit"
            )
            changed = created + 700
            log.lines.append(
                (changed + chance.uniform(0, LAG_S), changed, ended, wrote(ended, 1000) if not bad else None)
            )
            failed |= {ended.id} if bad else set()
            jobs += 1
    assert jobs == 4992

    stage, told, remembered = _stage(), list[str](), dict[str, set[str]]()
    until, now = 0.0, 0.0
    while now < 50 * HOUR:
        now += chance.choice([60.0, 60.0, 60.0, 300.0])
        if chance.random() < 0.05:
            now += chance.uniform(0, 2 * HOUR)  # the platform was away, or nobody looked
        if chance.random() < 0.1:
            stage = _anew(stage)
        for change in stage.look(now, *log.asked(until - OVERLAP_S, now)):
            if isinstance(change, Opened | Reopened) and change.found.kind == "failed":
                told.append(change.found.detail.job)
        for subject, history in stage.memory.pipes.items():
            remembered.setdefault(subject, set()).update(run.id for run in history.runs if run.over)
        until = now

    assert sum(map(len, remembered.values())) == jobs, f"jobs were lost with seed {seed}"
    assert len(told) == len(set(told)), f"told twice with seed {seed}"
    assert set(told) <= failed
    rows = [run.rows for history in stage.memory.pipes.values() for run in history.runs if run.status == "done"]
    assert rows
    assert set(rows) == {1000}, f"rows were lost with seed {seed}"


def test_after_an_outage_what_came_and_went_is_told_and_nothing_else() -> None:
    well, came, refused, stays, known = (pipe(f"{name}_copy") for name in ("well", "came", "refused", "stays", "known"))
    stage = Stage()
    stage.has(well, came, refused, stays, known)
    bad = [job(each, 1000, "error", error="no luck") for each in (came, stays, known)]
    stage.look(2000, [job(well, 1000), *bad, job(refused, 1000, "error", error="quota"), job(came, 1100)])
    for each in (refused, came):
        stage.look(2100, [job(each, 1200, "error", error="quota" if each is refused else "no luck"), job(each, 1400)])
    look = Look(ENVIRONMENT, at(2100), at(0), stage.pipes)
    said = meanwhile(look, at(900), stage.memory.pipes, {known.id})
    assert said is not None
    assert "from 00:15 UTC to 00:35 UTC. Meanwhile one copy failed and has run well since: came_copy (2 times)." in said
    assert meanwhile(look, at(1600), stage.memory.pipes, ()) is None, "it was seen by the look before, or is no outage"
    assert meanwhile(look, None, stage.memory.pipes, ()) is None, "old news"


def _stage() -> Stage:
    made = Stage()
    made.has(*PIPES)
    return made


def _anew(stage: Stage) -> Stage:
    """The watch with nothing but what it had stored, as JSON."""
    changed, _ = memory.changes(Memory(), stage.memory)
    again = _stage()
    again.memory = memory.restored(json.loads(json.dumps(changed)))
    again.incidents = stage.incidents
    assert again.memory == stage.memory
    return again
