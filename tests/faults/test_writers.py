"""Writers are stopped for a switch and come back with the pods they had, whatever happens meanwhile.

The plan here is a hold around nothing: what a strategy does inside is its own tests' subject.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from runbooks.facts import live
from runbooks.facts.model import Facts
from runbooks.guards import digest_of
from runbooks.layout import laid_out_in_blocks
from runbooks.plan import Choice, Estimate, Plan
from runbooks.request import Request
from runbooks.site import Site
from runbooks.step import Step
from runbooks.steps.writers import AwaitWriterGone, AwaitWriterReady, StartWriter, StopWriter
from runbooks.strategies import Hold, laid_out
from tests.support.drive import Drive, Product, driving
from tests.support.ending import Ending
from tests.support.mortal import Mortal, once
from tests.support.paces import PACES
from tests.support.people import People
from tests.support.sandbox import Sandbox
from tests.support.seams import Boundary

pytestmark = pytest.mark.faults

RECORDED = {"data-sink-worker-system-dpl": 1, "data-sink-worker-normal-dpl": 2, "data-sink-worker-high-dpl": 1}
SYSTEM, NORMAL, HIGH = RECORDED
STOPPED, GONE, STARTED = 3, 6, 9  # so many steps are done when all of them are
A_DAY = Hold(Estimate(seconds=24 * 3600, formula="a day"))


def _steps(facts: Facts) -> Iterator[Step]:
    writers = facts.writers["activities"]
    with A_DAY:
        for each in writers:
            yield StopWriter(namespace=each.namespace, deployment=each.name, replicas=each.replicas)
        for each in writers:
            yield AwaitWriterGone(namespace=each.namespace, deployment=each.name)
        for each in writers:
            yield StartWriter(namespace=each.namespace, deployment=each.name, replicas=each.replicas)
    for each in writers:
        yield AwaitWriterReady(namespace=each.namespace, deployment=each.name)


def stop_and_start(request: Request, site: Site) -> Plan:
    facts = live.read(site, window_s=0.0)
    steps, holds = laid_out_in_blocks(laid_out(_steps(facts)))
    return Plan(
        command=request.text,
        environment=facts.environment,
        target="activities",
        request={},
        strategy=Choice(name="rename", reasons=("the writers are stopped and started again",)),
        steps=steps,
        holds=holds,
        guards={key: digest_of(facts, key) for step in steps for key in (*step.reads, *step.writes)},
    )


@pytest.fixture
def drive(sandbox: Sandbox, people: People, running_product: Product) -> Iterator[Drive]:
    sandbox.knobs(**PACES)
    with driving(sandbox, people, replace(running_product, make_plan=stop_and_start)) as drive:
        yield drive


@pytest.fixture
def run(drive: Drive) -> int:
    """Approved and not begun."""
    return drive.run("/tb migrate activities add field mood text")


@pytest.fixture
def replicas(sandbox: Sandbox) -> Callable[[], dict[str, int]]:
    return lambda: {name: sandbox.replicas(name) for name in RECORDED}


def _scalings(ending: Ending) -> Counter[str]:
    return Counter(call.split("/")[-2] for call in ending.changes() if call.endswith("/scale"))


def _abort(drive: Drive, people: People, run: int) -> None:
    people.ben.types(f"/tb abort {run}")
    drive.talk()
    drive.until(run, "aborted")


def test_writers_are_gone_inside_the_hold_and_back_after_it(
    drive: Drive, run: int, sandbox: Sandbox, ending: Ending, replicas: Callable[[], dict[str, int]]
) -> None:
    drive.until_step(run, GONE + 1)
    assert [sandbox.pods(name) for name in RECORDED] == [[], [], []]
    drive.until(run, "succeeded")
    assert replicas() == RECORDED
    assert {name: len(sandbox.pods(name)) for name in RECORDED} == RECORDED
    assert _scalings(ending) == dict.fromkeys(RECORDED, 2)
    ending.the_ledger_is_sound(run)


def test_killed_from_intent_to_commit_every_writer_is_stopped_and_started_once(
    drive: Drive, run: int, ending: Ending, replicas: Callable[[], dict[str, int]]
) -> None:
    def matters(at: Boundary) -> bool:
        return at.matters

    mortal = Mortal(drive, run, once(matters))
    drive.until(run, "succeeded")
    assert any(death.effect for death in mortal.deaths)
    assert replicas() == RECORDED
    assert _scalings(ending) == dict.fromkeys(RECORDED, 2)
    ending.the_ledger_is_sound(run)


def test_a_lost_answer_is_found_and_a_conflict_is_looked_at_anew(
    drive: Drive, run: int, sandbox: Sandbox, ending: Ending, replicas: Callable[[], dict[str, int]]
) -> None:
    sandbox.faults.add("kubernetes", f"PATCH */{SYSTEM}/scale", "drop_after", times=1)
    drive.until_step(run, 2)
    sandbox.knobs(kubernetes__conflicts=1)
    drive.until(run, "succeeded")
    refused = sandbox.log.find("kubernetes", f"PATCH */{NORMAL}/scale")[0]
    assert refused["status"] == 409
    assert replicas() == RECORDED
    assert _scalings(ending) == dict.fromkeys(RECORDED, 2)


@pytest.mark.parametrize("done", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (STOPPED, GONE)), STARTED - 1])
def test_an_abort_brings_every_writer_back(
    drive: Drive, run: int, people: People, ending: Ending, replicas: Callable[[], dict[str, int]], done: int
) -> None:
    drive.until_step(run, done + 1)
    _abort(drive, people, run)
    assert replicas() == RECORDED
    ending.the_ledger_is_sound(run)


@pytest.mark.parametrize("pods", [1, pytest.param(2, marks=pytest.mark.long), 5])
def test_a_writer_that_somebody_scales_in_the_hold_stops_the_run_there(
    drive: Drive, run: int, sandbox: Sandbox, people: People, ending: Ending, pods: int
) -> None:
    """However many: one pod writes."""
    drive.until_step(run, GONE + 1)
    sandbox.scale(NORMAL, pods)
    drive.until(run, "held")
    assert f"“Start the writer {NORMAL} again (2 pods)”" in drive.view(run).run.reason
    assert (sandbox.replicas(SYSTEM), sandbox.replicas(HIGH)) == (0, 0)
    _abort(drive, people, run)
    assert (sandbox.replicas(SYSTEM), sandbox.replicas(HIGH)) == (1, 1)
    assert sandbox.replicas(NORMAL) == max(pods, 2), "fewer than recorded are made as many, more are left alone"
    ending.the_ledger_is_sound(run)


def test_writers_come_back_by_themselves_when_nobody_decides(
    drive: Drive, run: int, sandbox: Sandbox, ending: Ending, replicas: Callable[[], dict[str, int]]
) -> None:
    drive.until_step(run, GONE + 1)
    sandbox.scale(NORMAL, 1)
    drive.until(run, "held")
    drive.until(run, "failed")  # half of the hold's budget is over
    assert replicas() == RECORDED
    ending.the_ledger_is_sound(run)


def test_an_operator_that_undoes_stops_is_noticed_while_pods_end(
    drive: Drive, run: int, sandbox: Sandbox, people: People, replicas: Callable[[], dict[str, int]]
) -> None:
    sandbox.knobs(kubernetes__scaled_back_after_s=60.0, kubernetes__pod_end_s=300.0)
    drive.until(run, "held")
    assert "“Start the writer" in drive.view(run).run.reason
    _abort(drive, people, run)
    assert replicas() == RECORDED


def test_a_writer_scaled_before_the_first_stop_is_planned_anew(drive: Drive, run: int, sandbox: Sandbox) -> None:
    sandbox.scale(SYSTEM, 4)
    drive()
    assert drive.state(run) == "proposed", "another plan than the one that was approved"
    assert f"Stop the writer {SYSTEM} (4 pods)" in drive.card(run).words
    assert sandbox.log.count("kubernetes", "PATCH */scale") == 1, "only the somebody's own"


def test_a_count_that_people_accept_is_the_one_that_comes_back(
    drive: Drive, run: int, sandbox: Sandbox, people: People, ending: Ending, replicas: Callable[[], dict[str, int]]
) -> None:
    drive.until_step(run, 2)
    sandbox.scale(NORMAL, 4)
    drive.until(run, "held")
    assert f"kubernetes/deployment/crowd/{NORMAL}/replicas is not as the plan knows it" in drive.view(run).run.reason
    assert "expected `2`, found `4`" in drive.card(run).text
    people.ben.clicks("Accept and continue", on=drive.card(run))
    drive.talk()  # before the deadline that the clock would be moved on to
    drive.until(run, "succeeded")
    assert replicas() == {**RECORDED, NORMAL: 4}
    ending.the_ledger_is_sound(run)


def test_a_right_that_is_lost_in_the_hold_leaves_what_it_must_and_says_so(
    drive: Drive, run: int, sandbox: Sandbox, people: People
) -> None:
    drive.until_step(run, 2)
    sandbox.knobs(kubernetes__may_scale=False)
    drive.until(run, "failed")
    assert "cannot patch resource" in drive.view(run).run.reason
    assert sandbox.replicas(SYSTEM) == 0
    assert f"Start the writer {SYSTEM} again" in drive.card(run).words
    assert any(SYSTEM in message.text for message in people.ana.sees(channel="alerts"))


@pytest.mark.long
def test_pods_that_do_not_get_ready_are_told_of(drive: Drive, run: int, sandbox: Sandbox) -> None:
    drive.until_step(run, GONE + 1)
    sandbox.knobs(kubernetes__pods_fail=True)
    drive.until(run, "held")
    view = drive.view(run)
    assert "0 of 1 pods of data-sink-worker-system-dpl ready" in view.run.reason
    assert "ImagePullBackOff" in view.run.reason
    assert {entry.state for entry in view.restore} == {"struck"}, "they are wanted again, so nothing is left stopped"


@pytest.mark.long
def test_pods_that_stay_are_not_taken_for_gone(drive: Drive, run: int, sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__pod_end_s=3_600.0)
    drive.until(run, "held")
    assert "1 pod of data-sink-worker-system-dpl still there after 15 min" in drive.view(run).run.reason
    assert drive.done(run) == STOPPED
