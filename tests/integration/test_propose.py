"""What a run made goes to the project's repository by a pull request of its own."""

import pytest

import workers.context
import workers.jobs
from tests.support.drive import Drive
from tests.support.people import People
from tests.support.project import REPO, in_main, text_at
from tests.support.renaming import READERS
from tests.support.sandbox import Sandbox

OFFER = "Open a pull request"
LINE = "/tb migrate members add field nickname text"
MIGRATION = "__add_nickname_to_members.sql"


def test_what_a_migration_made_goes_to_the_repository_by_the_button_on_its_card(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    run = drive.run(LINE)
    drive.until(run, "succeeded")
    card = drive.card(run)
    assert f"/tb propose {run}" in card.words
    before = in_main(sandbox)
    people.ana.clicks(OFFER, on=card)
    drive()
    offered = run + 1
    assert drive.state(offered) == "proposed", drive.thread(offered)
    words = drive.card(offered).words
    assert f"offer what run {run} made to the repository" in words
    assert "+    `nickname` String" in words
    assert "Nothing reads it" not in words
    assert in_main(sandbox) == before
    drive.approve(offered)
    said = [step.said for step in drive.until(offered, "succeeded").steps]
    assert any("Tinybird-CI is green" in each for each in said), said
    after = in_main(sandbox)
    (migration,) = after.keys() - before.keys()
    assert migration.endswith(MIGRATION)
    version = int(migration.rpartition("/")[2].removeprefix("V").partition("__")[0])
    ended = drive.view(run).run.finished_at
    assert ended is not None
    assert version == int(ended.timestamp())
    assert 'ADD COLUMN IF NOT EXISTS "nickname" text' in text_at(sandbox, migration)
    changed = [path for path in before if after[path] != before[path]]
    assert [path.rpartition("/")[2] for path in changed] == ["members.datasource", "members_sorted.datasource"]
    assert all("`nickname` String" in text_at(sandbox, path) for path in changed)
    assert sandbox.github.get(f"{REPO}/git/ref/heads/tbops/run-{offered}").status_code == 404
    people.ana.types(f"/tb propose {run} --note again")
    drive()
    reason = drive.view(offered + 1).run.reason
    assert reason.startswith(f"There is nothing to do for run {run}: members.datasource is in main"), reason
    assert OFFER not in drive.card(offered).buttons


@pytest.mark.long
def test_a_renamed_data_source_is_renamed_in_the_repository_and_its_readers_with_it(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    before = in_main(sandbox)
    folder = "services/libs/tinybird/datasources"
    assert f"{folder}/organizations.datasource" in before
    run = drive.run("/tb rename organizations to companies")
    drive.until(run, "succeeded")
    people.ana.clicks(OFFER, on=drive.card(run))
    drive()
    drive.approve(run + 1)
    drive.until(run + 1, "succeeded")
    after = in_main(sandbox)
    assert before.keys() - after.keys() == {f"{folder}/organizations.datasource"}
    assert after.keys() - before.keys() == {f"{folder}/companies.datasource"}
    changed = {path.rpartition("/")[2].removesuffix(".pipe") for path in before if after.get(path, "") != before[path]}
    assert changed == {"organizations.datasource", *READERS}
    people.ana.types("/tb push")
    drive()
    assert "There is nothing to push" in drive.view(run + 2).run.reason


@pytest.mark.long
def test_who_may_not_ask_and_what_has_not_succeeded_are_refused(sandbox: Sandbox, people: People, drive: Drive) -> None:
    run = drive.run(LINE)
    people.ana.types(f"/tb propose {run}")
    drive()
    early = run + 1
    assert drive.view(early).run.reason.startswith(f"Run {run} is not over")
    drive.until(run, "succeeded")
    card = drive.card(run)
    people.omar.clicks(OFFER, on=card)
    drive.talk()
    assert "Nothing was changed" in people.omar.sees()[-1].text
    people.ana.clicks(OFFER, on=card)
    drive.talk()
    people.ana.clicks(OFFER, on=card)
    drive.talk()
    assert "You asked for that a moment ago" in people.ana.sees()[-1].text
    drive()
    offered = early + 1
    assert drive.state(offered) == "proposed"


@pytest.mark.long
def test_an_offer_waits_for_a_github_that_is_away(sandbox: Sandbox, people: People, drive: Drive) -> None:
    run = drive.run(LINE)
    drive.until(run, "succeeded")
    sandbox.faults.add("github", "GET /repos/*/git/trees/*", "status:503", times=20)
    people.ana.types(f"/tb propose {run}")
    drive.talk()
    workers.context.configure(drive.worker)
    workers.jobs.plan(run + 1)
    assert sandbox.log.count("github", "GET /repos/*/git/trees/*") > 1
    assert drive.state(run + 1) == "planning"
