"""A timetable as a plan: what it holds and binds, what it refuses, and what of it is offered to the repository."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbooks.datafile.schedule import schedule_of, with_schedule
from runbooks.earlier import Made
from runbooks.errors import Refused
from runbooks.facts.copy_figures import CopyFigures
from runbooks.facts.copy_runs import CopyRun
from runbooks.facts.model import Facts, ProjectFiles
from runbooks.names import Names, ProjectNames
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import FiguresOfCopies
from runbooks.request import Propose, Request, Timetable
from runbooks.steps.pull_request import blob_sha
from tests.support.estate import FILES, NOW, PEOPLE_SORTED, from_files

PROJECT = ProjectNames("acme/platform")
BEHIND = """\
TOKEN read READ
NODE lately
SQL >
    SELECT * FROM people_sorted

TYPE COPY
TARGET_DATASOURCE behind
COPY_MODE replace
COPY_SCHEDULE 10 * * * * # behind people
"""


def ran(seconds: int) -> CopyFigures:
    last = CopyRun("job", "done", NOW, NOW, NOW + timedelta(seconds=seconds))
    return CopyFigures(last, p50_s=seconds, p95_s=seconds)


def facts(seconds: int = 400, **changes: Any) -> Facts:
    """people_copy at minute 8 takes so long; behind_copy reads at minute 10 what it writes."""
    made = from_files({**FILES, "behind.datasource": PEOPLE_SORTED, "behind_copy.pipe": BEHIND})
    runs = {"people_copy": ran(seconds), "behind_copy": ran(20)}
    return replace(made, copy_figures=runs, names=Names(project=PROJECT), **changes)


def planned(of: Facts, pattern: str | None = None) -> Plan:
    return make_plan(Request(text="copies reschedule", job=Timetable(pattern=pattern)), of)


def refused(of: Facts, pattern: str | None = None) -> str:
    with pytest.raises(Refused) as caught:
        planned(of, pattern)
    return caught.value.sentence


def test_a_step_a_copy_one_click_and_the_reason_why() -> None:
    plan = planned(facts())
    assert [(row.pipe, row.old, row.new, row.minutes) for row in plan.timetable] == [
        ("behind_copy", "10 * * * *", "15 * * * *", 5)
    ]
    assert plan.timetable[0].why == "people_copy, which it reads, takes up to 7 min"
    assert [(step.op, step.gate) for step in plan.steps] == [
        ("tinybird.copy.schedule/1", "approve"),
        ("tinybird.copy.check-schedules/1", "none"),
        ("tinybird.copy.keep-schedules/1", "none"),
    ]
    assert plan.locks == ("copy/behind_copy",)
    assert set(plan.guards) == {"tinybird/pipe/behind_copy/schedule"}
    assert "COPY_SCHEDULE 15 * * * *" in plan.datafiles["behind_copy.pipe"]
    assert plan.strategy.reasons[0] == "1 of 2 copies start later, by 5 minutes in all"
    assert Plan.from_json(plan.to_json()) == plan


def test_durations_are_asked_for_and_are_not_bound() -> None:
    asked = questions_of(Request(text="copies reschedule", job=Timetable()), facts())
    assert asked == (FiguresOfCopies(),)
    assert planned(facts(400)).hash == planned(facts(410)).hash, "seconds more change no minute"
    assert planned(facts(400)).hash != planned(facts(500)).hash


def test_those_that_read_are_moved_before_what_they_read() -> None:
    """So that between two steps nothing reads what is not there yet."""
    first = {"behind.pipe": BEHIND.replace("10 *", "8 *").replace("behind\n", "second\n")}
    files = {**FILES, "second.datasource": PEOPLE_SORTED, "third.datasource": PEOPLE_SORTED, **first}
    files["last_copy.pipe"] = BEHIND.replace("people_sorted", "second").replace("behind\n", "third\n")
    made = replace(from_files(files), copy_figures={"people_copy": ran(300), "behind": ran(300)})
    plan = planned(made)
    assert [row.pipe for row in plan.timetable] == ["behind", "last_copy"]
    assert [step.params.get("pipe") for step in plan.steps[:2]] == ["last_copy", "behind"]


def test_nothing_to_gain_is_refused_and_so_is_a_pattern_that_means_nothing() -> None:
    assert refused(facts(60)) == (
        "There is nothing to move: no copy starts while what it reads is written, and 1 run at once at most."
    )
    assert "no other time of theirs is better for the 1 collision that there are" in refused(facts(), "people*")
    assert refused(facts(), "nobody*") == "No copy pipe of `nobody*` runs by the clock in staging."


def test_a_paused_copy_is_neither_moved_nor_waited_for() -> None:
    paused = facts()
    pipes = {**paused.pipes, "people_copy": replace(paused.pipes["people_copy"], schedule_status="shutdown")}
    assert "There is nothing to move" in refused(replace(paused, pipes=pipes))


def test_what_did_not_run_of_late_is_said() -> None:
    unknown = replace(facts(), copy_figures={"people_copy": ran(400)})
    assert planned(unknown).inferred == ("behind_copy did not run well in the last 14 days: a minute is taken",)


# -- what of it is offered to the repository

PATH = f"{PROJECT.datafiles}/pipes/behind_copy.pipe"


def offered(held: dict[str, str], schedule: str = "15 * * * *") -> Plan:
    plan = planned(facts())
    made = Made(
        command="copies reschedule",
        request=plan.request,
        datafiles=plan.datafiles,
        ended=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
    )
    files = ProjectFiles({path: blob_sha(text.encode()) for path, text in held.items()}, held)
    there = facts(history=files)
    pipe = there.pipes["behind_copy"]
    moved = replace(pipe, nodes=tuple(replace(node, schedule=schedule) for node in pipe.nodes))
    there = replace(there, pipes={**there.pipes, "behind_copy": moved})
    return make_plan(Request(text="propose 3", job=Propose(run=3, made=made)), there)


def test_the_repositorys_own_file_is_offered_with_nothing_but_its_schedule_changed() -> None:
    plan = offered({PATH: BEHIND})
    assert plan.steps[0].params["files"] == {PATH: BEHIND.replace("10 * * * *", "15 * * * *")}
    assert not plan.hazards, "nothing else of the file changes"


@pytest.mark.parametrize(
    ("held", "schedule", "said"),
    [
        ({}, "15 * * * *", "behind_copy.pipe is left out, as it is not in main of acme/platform"),
        ({PATH: BEHIND}, "20 * * * *", "its schedule is 20 * * * * by now, and not 15 * * * *"),
        ({PATH: BEHIND.replace("10 *", "15 *")}, "15 * * * *", "is in main of acme/platform already"),
        ({PATH: "NODE a\nSQL >\n    SELECT 1\n"}, "15 * * * *", "it has no COPY_SCHEDULE of its own"),
        ({PATH: "NONSENSE\n"}, "15 * * * *", "it could not be understood"),
    ],
)
def test_what_is_not_offered_is_said(held: dict[str, str], schedule: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        offered(held, schedule)
    assert said in caught.value.sentence


def test_a_schedule_is_spliced_into_the_text() -> None:
    assert schedule_of("behind_copy.pipe", BEHIND) == "10 * * * *"
    assert with_schedule("x.pipe", "  copy_schedule 0 1 * * *\r\nTYPE COPY\r\n", "5 1 * * *") == (
        "  copy_schedule 5 1 * * *\r\nTYPE COPY\r\n"
    )
