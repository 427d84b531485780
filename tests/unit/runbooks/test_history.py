"""The project's migrations: which is the newest, which speaks of what, and what their SQL does to a column."""

from dataclasses import replace

import pytest

from runbooks import history
from runbooks.facts.model import Facts, ProjectFiles
from runbooks.names import Names, ProjectNames
from runbooks.plan import Hazard
from runbooks.planner import make_plan, questions_of
from runbooks.questions import InProject
from runbooks.request import AddFields, Migrate, NewField, Request
from tests.support.estate import FILES, live

FOLDER = "backend/src/database/migrations"
PROJECT = ProjectNames("acme/platform")
SLUG = "migration-waits-for-deploy"
ADDS = 'ALTER TABLE public."people" ADD COLUMN IF NOT EXISTS "nickname" text;'


def in_folder(*names: str) -> list[str]:
    return [f"{FOLDER}/{name}" for name in names]


def test_migrations_are_ordered_by_number_and_undo_files_are_none() -> None:
    paths = in_folder("V1000__b.sql", "U1000__b.sql", "V999__a.sql", "V1000.1__c.sql", "README.md", "V1__no.txt")
    assert history.in_order(FOLDER, [*paths, "elsewhere/V5__x.sql"]) == in_folder(
        "V999__a.sql", "V1000__b.sql", "V1000.1__c.sql"
    )


def test_the_same_work_is_known_by_its_name_whatever_its_number() -> None:
    paths = in_folder("V5__add_x_to_people.sql", "V6__add_y_to_people.sql", "U5__add_x_to_people.sql")
    assert history.same_work("V{epoch}__add_x_to_people.sql", FOLDER, paths) == paths[0]
    assert history.same_work("V{epoch}__add_z_to_people.sql", FOLDER, paths) is None


def test_a_name_in_another_case_mentions_the_word_too() -> None:
    paths = in_folder("V1__addNickName.sql", "V3__add_nick_name.sql", "V2__dropAge.sql")
    assert history.newest_about(("nick_name",), FOLDER, paths) == [paths[1], paths[0]]
    assert history.newest_about(("", "_"), FOLDER, paths) == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (ADDS, [("add", "nickname", True)]),
        (
            "ALTER TABLE people ADD nickname text, DROP COLUMN IF EXISTS Age;",
            [("add", "nickname", False), ("drop", "age", True)],
        ),
        ('alter table only PUBLIC.People add column "nickName" text', [("add", "nickName", False)]),
        ('ALTER TABLE "People" ADD COLUMN nickname text', []),
        ("ALTER TABLE old.people ADD COLUMN nickname text", []),
        (f"THIS IS NOT (SQL; {ADDS}", [("add", "nickname", True)]),
        ("CREATE TABLE people (nickname text)", []),
    ],
)  # fmt: skip
def test_what_a_migration_does_to_columns(sql: str, found: list[tuple[str, str, bool]]) -> None:
    assert [(t.does, t.column, t.safe) for t in history.touches(sql, "public", "people")] == found


# -- the question and the hazard


def waiting(**texts: str) -> Facts:
    held = ProjectFiles(texts={f"{FOLDER}/{name}.sql": text for name, text in texts.items()})
    return replace(live(), names=Names(project=PROJECT), history=held)


def hazards(facts: Facts, slug: str = SLUG) -> list[Hazard]:
    return [hazard for hazard in make_plan(adding("nickname"), facts).hazards if hazard.slug == slug]


def adding(name: str, *on: str) -> Request:
    field = NewField(name=name, type="text")
    return Request(text="…", job=Migrate(datasources=on or ("people",), change=AddFields(fields=(field,))))


def test_a_migration_that_is_there_and_not_deployed_is_a_warning() -> None:
    (found,) = hazards(waiting(V5__addNickname=ADDS))
    assert (found.level, found.resource) == ("warning", "people.nickname")
    assert "V5__addNickname.sql of acme/platform adds nickname to people" in found.message
    assert found.fix == "Deploy it and ask again; or go on, and when it is deployed it will do nothing."


def test_one_that_cannot_run_twice_is_said_to_fail_when_it_is_deployed() -> None:
    (found,) = hazards(waiting(V5__addNickname=ADDS.replace("IF NOT EXISTS ", "")))
    assert "it fails" in found.fix


def test_one_that_was_undone_later_does_not_wait() -> None:
    drops = "ALTER TABLE people DROP COLUMN nickname;"
    assert not hazards(waiting(V9__dropNickname=drops, V10__other="SELECT 1;", V5__addNickname=ADDS))
    assert hazards(waiting(V4__dropNickname=drops, V5__addNickname=ADDS))
    assert not hazards(waiting(V5__addNickname=ADDS.replace("people", "teams")))
    assert not hazards(replace(waiting(), history=None))


def test_a_github_that_is_away_is_a_note_and_planning_goes_on() -> None:
    facts = replace(waiting(), history=ProjectFiles(trouble="GET /git/trees: 503"))
    (found,) = hazards(facts, "project-not-asked")
    assert found.level == "note"
    assert "GET /git/trees: 503" in found.message
    assert make_plan(adding("nickname"), facts).hash == make_plan(adding("nickname"), live()).hash


def test_only_columns_that_postgres_lacks_are_asked_for_and_only_where_there_is_a_repository() -> None:
    asked = questions_of(adding("nickname"), waiting())
    assert asked == (InProject("project", PROJECT, words=("people", "nickname")),)
    assert questions_of(adding("karma"), waiting()) == ()
    assert questions_of(adding("nickname"), live()) == ()
    teams = live({**FILES, "teams.datasource": FILES["people.datasource"]})
    several = questions_of(adding("nickname", "people", "teams"), replace(teams, names=Names(project=PROJECT)))
    assert [question.words for question in several if isinstance(question, InProject)] == [("people", "nickname")]
