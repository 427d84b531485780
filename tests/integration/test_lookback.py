"""An append copy looks back three hours, and the hold lasts longer: what it missed is in its target all the same."""

from datetime import timedelta

import pytest

from runbooks.facts import live
from runbooks.gaps import gap_of
from runbooks.lineage import Lineage
from runbooks.proof.gap import Gap
from runbooks.step import Astray, Done
from runbooks.steps.appending import RestoreAppending
from runbooks.steps.gap import CopyGap, CreateGapPipe
from runbooks.steps.standing import Standing
from tests.support import lately
from tests.support.drive import Drive
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story, to_its_end

SWITCHED = "tinybird.datasource.switch/1"
HELD = "connect.connector.pause/1"


def behind(drive: Drive, run: int, op: str) -> int:
    """The number of the step behind the one of that ``op``."""
    return next(step.number for step in drive.view(run).steps if step.op == op) + 1


def test_rows_that_came_while_a_copy_stood_still_are_in_its_target(drive: Drive, sandbox: Sandbox) -> None:
    lately.make(sandbox)
    run = drive.run(lately.ASKED)
    hazards = {h["resource"]: h["level"] for h in (drive.view(run).run.plan or {})["hazards"]}
    assert hazards[lately.COPY] == "note"
    drive.until_step(run, behind(drive, run, HELD))
    lately.change(sandbox, "held")
    drive.until_step(run, behind(drive, run, SWITCHED))
    assert lately.schedule(sandbox) == "shutdown"
    drive.let_pass(5 * 3600.0)
    lately.change(sandbox, "late")
    view = drive.until(run, "succeeded")
    said = next(step.said for step in view.steps if step.op == "tinybird.copy.gap-run/1")
    assert f"{lately.KEPT} has every key that {lately.COPY} was to take since" in said
    assert lately.schedule(sandbox) == "running"
    assert sandbox.log.count("tinybird", f"POST /v0/pipes/{lately.COPY}__gap_run_{run}/copy") == 1
    assert lately.runs_own_pipes(sandbox) == []
    drive.let_pass(lately.PERIOD_S)
    assert lately.missed(sandbox, "held", "late") == []


def restoring(run: Story) -> RestoreAppending:
    """The copy is paused, as some run left it an hour ago; its table is the one that it was."""
    facts = live.read(run.at(), window_s=0.0)
    gap = gap_of(facts.pipes[lately.COPY], facts, Lineage.of(facts))
    assert isinstance(gap, Gap), gap
    table = Standing(name="collections", id=facts.datasources["collections"].id, planned="")
    assert run.sandbox.tinybird.post(f"/v0/pipes/{lately.COPY}/copy/pause").is_success
    paused = (run.at().now - timedelta(hours=1)).isoformat()
    return RestoreAppending(pipe=lately.COPY, table=table, gap=gap, paused=paused)


def test_a_copy_whose_gap_cannot_be_copied_stays_paused_and_nothing_of_the_run_stays(sandbox: Sandbox) -> None:
    lately.make(sandbox)
    lately.change(sandbox, "missed")
    with story(sandbox) as run:
        back = restoring(run)
        sandbox.knobs(tinybird__copy_rows_per_s=0.01, tinybird__copy_timeout_s=1.0)
        left = to_its_end(run, back)
        assert isinstance(left, Astray)
        assert (
            f"{lately.COPY} stays paused: the copy of what {lately.COPY} missed ended as error 3 times" in left.reason
        )
        assert "Timeout exceeded" in left.reason
        assert (lately.schedule(sandbox), lately.runs_own_pipes(sandbox)) == ("shutdown", [])
        sandbox.connector_is("PAUSED")
        held = to_its_end(run, back)
        assert isinstance(held, Astray)
        assert f"{lately.COPY} stays paused: the connector tinybird-sink does not run" in held.reason
        sandbox.connector_is("RUNNING")
        sandbox.knobs(tinybird__copy_rows_per_s=50_000.0, tinybird__copy_timeout_s=3600.0)
        assert isinstance(to_its_end(run, back), Done)
    assert (lately.schedule(sandbox), lately.runs_own_pipes(sandbox)) == ("running", [])
    assert lately.missed(sandbox, "missed") == []


@pytest.mark.long
def test_keys_that_do_not_come_are_counted_and_named(sandbox: Sandbox) -> None:
    """Somebody has changed the run's own pipe: what it copies is not what was approved."""
    lately.make(sandbox)
    lately.change(sandbox, "missed")
    key = sandbox.pg("SELECT id::text FROM collections WHERE slug = 'new-missed'")[0]["id"]
    with story(sandbox) as run:
        back = restoring(run)
        arrived = "SELECT toString(count()) AS n FROM collections WHERE slug LIKE '%missed'"
        sandbox.until(lambda: sandbox.tb(arrived) == [{"n": "4"}], what="the collections")
        to_its_end(run, CreateGapPipe(gap=back.gap))
        pipe = sandbox.tinybird.get(f"/v0/pipes/{lately.COPY}__gap_run_7").json()
        node = pipe["nodes"][0]
        less = f"{node['sql']} AND id != '{key}'"
        assert sandbox.tinybird.put(f"/v0/pipes/{pipe['id']}/nodes/{node['id']}", content=less).is_success
        astray = CreateGapPipe(gap=back.gap).look(run.at())
        assert isinstance(astray, Astray)
        assert "its SQL is another" in astray.reason
        lacking = to_its_end(run, CopyGap(gap=back.gap, paused=back.paused))
    assert isinstance(lacking, Astray)
    assert lacking.reason == (
        f"1 key that {lately.COPY} gives is not in {lately.KEPT} in that version, though copied 3 times: {key}"
    )
