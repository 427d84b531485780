"""What a run made, offered to the repository: what is written, what is left, and what people are told of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from runbooks.datafile import read_datasource
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

PROJECT = ProjectNames("acme/platform")
ENDED = datetime(2026, 11, 22, 12, 0, 5, 900_000, tzinfo=UTC)
PATH = f"{PROJECT.datafiles}/datasources/people.datasource"
SQL = 'ALTER TABLE public."people" ADD COLUMN IF NOT EXISTS "nickname" text;\n'
WITH = PEOPLE.replace(
    "`updatedAt` DateTime64(3) `json:$.record.updatedAt`\n",
    "`updatedAt` DateTime64(3) `json:$.record.updatedAt`,\n    `nickname` String `json:$.record.nickname` DEFAULT ''\n",
).replace("    - `updatedAt` when changed\n", "    - `updatedAt` when changed\n    - `nickname`\n")
MIGRATION = f"{PROJECT.migrations}/V{int(ENDED.timestamp())}__add_nickname_to_people.sql"
ASKED: dict[str, Any] = {"kind": "migrate", "change": "add fields", "fields": [{"name": "nickname"}]}
MADE = Made(
    command="migrate people add field nickname text --note 'no'",
    request=ASKED,
    datafiles={"people.datasource": WITH, "V{epoch}__add_nickname_to_people.sql": SQL},
    ended=ENDED,
    proven=("people is proven by value.",),
)


def facts(files: Mapping[str, str], workspace: str = WITH) -> Facts:
    """A branch that holds these files, and a workspace whose people are so."""
    held = ProjectFiles({path: blob_sha(text.encode()) for path, text in files.items()}, dict(files))
    return replace(live({**FILES, "people.datasource": workspace}), names=Names(project=PROJECT), history=held)


def planned(files: Mapping[str, str], workspace: str = WITH, made: Made | None = MADE) -> Plan:
    return make_plan(Request(text="propose 7", job=Propose(run=7, made=made)), facts(files, workspace))


def refused(files: Mapping[str, str], workspace: str = WITH, made: Made | None = MADE) -> str:
    with pytest.raises(Refused) as caught:
        planned(files, workspace, made)
    return caught.value.sentence


def told(plan: Plan) -> dict[str, str]:
    return {hazard.slug: hazard.message for hazard in plan.hazards}


def test_datafile_and_migration_go_by_one_pull_request_that_says_what_was_proven() -> None:
    plan = planned({PATH: PEOPLE})
    commit, opened, *rest = plan.steps
    assert commit.params["files"] == {PATH: WITH, MIGRATION: SQL}
    assert commit.params["seen"] == {PATH: blob_sha(PEOPLE.encode()), MIGRATION: ""}
    assert opened.params["heading"] == "Migrate people add field nickname text (run 7)"
    assert "- people is proven by value." in opened.params["body"]
    assert MIGRATION in opened.params["body"]
    assert [(step.op, step.gate) for step in rest] == [
        ("github.checks.await/1", "none"),
        ("github.pull.merge/1", "approve"),
        ("github.branch.delete/1", "none"),
    ]
    assert rest[0].params["checks"] == ["Tinybird-CI"]
    assert "+    `nickname` String `json:$.record.nickname` DEFAULT ''" in plan.diffs["people.datasource"]
    assert plan.hazards == ()
    assert plan.hash == planned({PATH: PEOPLE}).hash != planned({}).hash


def test_its_questions_are_the_files_that_it_would_write() -> None:
    asked = questions_of(Request(text="…", job=Propose(run=7, made=MADE)), facts({}))
    assert asked == (InProject("project", PROJECT, paths=(PATH, MIGRATION), needed=True),)


def test_what_the_branch_holds_already_is_not_written_twice() -> None:
    earlier = f"{PROJECT.migrations}/V5__add_nickname_to_people.sql"
    plan = planned({PATH: PEOPLE, earlier: "SELECT 1;"})
    assert list(plan.datafiles) == ["people.datasource"]
    assert plan.inferred == ("V5__add_nickname_to_people.sql does it in main of acme/platform already",)
    said = refused({PATH: f"# a remark stays\n{WITH}", earlier: SQL})
    assert said == (
        "There is nothing to do for run 7: people.datasource is in main of acme/platform already; "
        "V5__add_nickname_to_people.sql does it in main of acme/platform already."
    )


def test_sql_alone_waits_for_no_check_as_none_will_run() -> None:
    plan = planned({PATH: WITH})
    assert [step.op for step in plan.steps][2] == "github.pull.merge/1"
    assert "Tinybird-CI will not run" in told(plan)["not-checked"]


def test_drift_in_the_repository_is_a_warning_that_names_it() -> None:
    git = PEOPLE.replace("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY id, createdAt").replace(
        "    `country` String `json:$.record.attributes.country.default` DEFAULT '',\n", "    `city` String,\n"
    )
    said = told(planned({PATH: git}))["datafile-drift"]
    for part in ("city goes", "country comes", "sorting key changes"):
        assert part in said, said
    assert "nickname" not in said
    assert "could not be understood" in told(planned({PATH: "SKEMA >\n"}))["datafile-drift"]


def test_rights_and_remarks_that_a_new_file_has_not_are_told() -> None:
    git = 'TOKEN "app" READ\n# who owns it\n' + PEOPLE
    said = told(planned({PATH: git}))["datafile-loses-lines"]
    assert said == "1 TOKEN line and 1 comment of the repository's people.datasource are not in the new one."


def test_an_older_number_than_the_newest_is_a_warning() -> None:
    for more in (0, 1):  # two of one number are refused altogether
        newer = f"{PROJECT.migrations}/V{int(ENDED.timestamp()) + more}__other.sql"
        assert "is not older and in main" in told(planned({PATH: PEOPLE, newer: ""}))["migration-out-of-order"]
    older = f"{PROJECT.migrations}/V{int(ENDED.timestamp()) - 1}__other.sql"
    assert "migration-out-of-order" not in told(planned({PATH: PEOPLE, older: ""}))


def test_a_file_that_a_later_run_changed_is_left_to_that_run() -> None:
    later = WITH.replace("    `nickname`", "    `age` Int32 `json:$.record.age`,\n    `nickname`")
    plan = planned({PATH: PEOPLE}, later)
    assert list(plan.datafiles) == [MIGRATION.rpartition("/")[2]]
    assert "people was changed since (age came)" in plan.inferred[0]


def test_what_does_not_stand_any_more_is_not_offered() -> None:
    assert "it has no `nickname`" in refused({}, PEOPLE)
    assert "its `nickname` is UInt8" in refused({}, WITH.replace("`nickname` String", "`nickname` UInt8"))
    undone = {"request": {"kind": "migrate", "removed": ["nickname"]}, "datafiles": {"people.datasource": PEOPLE}}
    removed = MADE.model_copy(update=undone)
    assert "its `nickname` is String" in refused({}, WITH, removed)
    gone = replace(facts({}), datasources={})
    with pytest.raises(Refused, match="There is no `people` any more"):
        make_plan(Request(text="…", job=Propose(run=7, made=MADE)), gone)


def test_without_a_repository_a_ledger_or_github_a_sentence_says_so() -> None:
    request = Request(text="propose 7", job=Propose(run=7, made=MADE))
    for given, said in (
        (replace(facts({}), names=Names()), "names no repository for staging"),
        (replace(facts({}), history=None), "GitHub was not asked"),
    ):
        with pytest.raises(Refused, match=said):
            make_plan(request, given)
    assert "known to the ledger alone" in refused({}, made=None)


def test_a_request_is_stored_without_what_the_run_made() -> None:
    assert read_datasource("people", WITH).column("nickname") is not None
    stored = Request(text="propose 7", job=Propose(run=7)).model_dump(mode="json")
    assert stored["job"] == {"kind": "propose", "run": 7, "made": None}
