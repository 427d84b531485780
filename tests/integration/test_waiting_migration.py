"""A migration that is in the repository and was not deployed is told before its column is added by a run."""

import base64

import pytest

from runbooks.names import ProjectNames
from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox

LINE = "/tb migrate members add field nickname text"


@pytest.mark.long
def test_a_migration_in_main_that_is_not_deployed_is_told_before_its_column_is_added(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    repository = str(sandbox.ready["github"]["project"])
    path = f"{ProjectNames(repository).migrations}/V1790000000__addNicknameToMembers.sql"
    body = {
        "message": "Add nickname", "branch": "main",
        "content": base64.b64encode(b"ALTER TABLE members ADD COLUMN IF NOT EXISTS nickname text;\n").decode(),
    }  # fmt: skip
    assert sandbox.github.put(f"/repos/{repository}/contents/{path}", json=body).status_code == 201
    run = drive.run(LINE, approve=False)
    words = drive.card(run).words
    assert "migration-waits-for-deploy" in words
    assert "V1790000000__addNicknameToMembers.sql of acme/platform adds nickname to members" in words
    assert sandbox.log.count("github", "GET /repos/*/git/trees/*") == 1
    sandbox.faults.add("github", "GET /repos/*/git/trees/*", "status:503", times=50)
    people.ben.clicks("Reject", on=drive.card(run))
    drive.talk()
    again = drive.run(f"{LINE} --note 'GitHub is away'", approve=False)
    assert "migration-waits-for-deploy" not in drive.card(again).words
    notes = [hazard["slug"] for hazard in (drive.view(again).run.plan or {})["hazards"] if hazard["level"] == "note"]
    assert "project-not-asked" in notes
