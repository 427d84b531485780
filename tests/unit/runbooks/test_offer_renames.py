"""What a rename made, offered to the repository: the datafile goes on under its new name, its readers read that."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runbooks.earlier import Made
from runbooks.errors import Refused
from runbooks.facts.model import Facts, ProjectFiles
from runbooks.names import Names, ProjectNames
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import InProject
from runbooks.request import Propose, Request
from runbooks.steps.pull_request import blob_sha
from tests.support.estate import FILES, PEOPLE, live
from tests.support.rename_plan import RAW
from tests.support.rename_plan import facts as before_it
from tests.support.rename_plan import planned as rename

PROJECT = ProjectNames("acme/platform")
ENDED = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)
OLD, NEW = (f"{PROJECT.datafiles}/datasources/{name}.datasource" for name in ("people", "persons"))
PIPE = f"{PROJECT.datafiles}/pipes/people_raw.pipe"
MOVED = RAW.replace("FROM people FINAL", "FROM persons AS people FINAL")
PLANNED = rename(before_it())
MADE = Made(
    command="rename people to persons",
    request=dict(PLANNED.request),
    datafiles={name: PLANNED.datafiles[name] for name in ("persons.datasource", "people_raw.pipe")},
    ended=ENDED,
)
IN_GIT = {OLD: "# whose they are\n" + PEOPLE.replace('TAGS "people, raw"', 'TAGS "raw"'), PIPE: RAW}


def facts(files: Mapping[str, str], **more: str) -> Facts:
    """The workspace after the rename, and a branch that holds these files."""
    held = ProjectFiles({path: blob_sha(text.encode()) for path, text in files.items()}, dict(files))
    there = {name: text for name, text in FILES.items() if name != "people.datasource"}
    there |= {"persons.datasource": PEOPLE, "people_raw.pipe": MOVED, **more}
    return replace(live(there), names=Names(project=PROJECT), history=held)


def offered(known: Facts) -> Plan:
    return make_plan(Request(text="propose 7", job=Propose(run=7, made=MADE)), known)


def test_the_file_goes_on_under_its_new_name_in_one_commit_with_its_remarks() -> None:
    plan = offered(facts(IN_GIT))
    commit = plan.steps[0].params
    assert commit["files"] == {NEW: IN_GIT[OLD], PIPE: MADE.datafiles["people_raw.pipe"], OLD: None}
    assert commit["seen"] == {NEW: "", PIPE: blob_sha(RAW.encode()), OLD: blob_sha(IN_GIT[OLD].encode())}
    assert "FROM persons AS people FINAL" in commit["files"][PIPE]
    assert [step.op for step in plan.steps][2] == "github.checks.await/1"
    assert plan.diffs.keys() == {"people_raw.pipe"}
    assert "people.datasource, which goes" in plan.strategy.reasons[0]
    assert plan.hazards == ()
    asked = questions_of(Request(text="…", job=Propose(run=7, made=MADE)), facts(IN_GIT))
    assert [{*q.paths} for q in asked if isinstance(q, InProject)] == [{NEW, PIPE, OLD}]


def test_a_file_that_says_something_else_is_held_against_the_old_one() -> None:
    other = PEOPLE.replace("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY id, createdAt")
    plan = offered(facts({OLD: other}))
    assert plan.steps[0].params["files"][NEW] == MADE.datafiles["persons.datasource"]
    assert "createdAt" in plan.diffs["persons.datasource"]
    assert "sorting key changes" in next(h.message for h in plan.hazards if h.slug == "datafile-drift")


def test_a_reader_that_somebody_changed_since_is_left_to_pull() -> None:
    changed = facts(IN_GIT, **{"people_raw.pipe": MOVED.replace("id, name", "id")})
    plan = offered(changed)
    assert [*plan.datafiles] == ["persons.datasource"]
    assert plan.inferred == (
        "people_raw.pipe is left out, as people_raw was changed since: `pull people_raw` brings it",
    )


def test_rights_of_a_readers_file_that_the_new_one_has_not_are_told() -> None:
    plan = offered(facts({**IN_GIT, PIPE: "TOKEN app READ\n" + RAW}))
    lost = next(h.message for h in plan.hazards if h.slug == "datafile-loses-lines")
    assert lost == "1 TOKEN line of the repository's people_raw.pipe are not in the new one."


def test_an_old_name_that_is_there_again_keeps_its_file() -> None:
    plan = offered(facts(IN_GIT, **{"people.datasource": PEOPLE}))
    assert OLD not in plan.steps[0].params["files"]
    assert plan.inferred == ("people.datasource stays, as there is a data source people again",)


def test_what_is_left_over_alone_goes_alone_and_then_there_is_nothing_to_do() -> None:
    done = {NEW: IN_GIT[OLD], PIPE: MADE.datafiles["people_raw.pipe"]}
    plan = offered(facts({**done, OLD: PEOPLE}))
    assert plan.steps[0].params["files"] == {OLD: None}
    assert "-ENGINE_SORTING_KEY id" in plan.diffs["people.datasource"]
    with pytest.raises(Refused, match="There is nothing to do for run 7"):
        offered(facts(done))
