"""What people change in a workspace becomes a pull request of the project, whose checks gate the merge."""

import pytest

from tests.support.drive import Drive, Product, driving
from tests.support.people import People
from tests.support.project import commit, edit, text
from tests.support.sandbox import Sandbox

PIPE, PATH = "members_count", "pipes/members_count.pipe"
SQL = "SELECT count() AS count, countIf(isBot = 1) AS bots, uniq(id) AS people FROM members_sorted"


def test_an_edit_in_the_workspace_is_merged_by_a_pull_request_whose_check_ran(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    edit(sandbox, PIPE, SQL)
    run = drive.run("/tb pull", approve=False)
    card = drive.card(run)
    assert "+    SELECT count() AS count, countIf(isBot = 1) AS bots, uniq(id) AS people" in card.words
    assert "members_count.pipe  there  differs" in card.words
    people.ben.clicks("Approve step 1", on=card)
    drive()
    view = drive.view(run)
    assert [step.state for step in view.steps] == ["done", "done", "done", "gated", "ready"]
    (pull,) = sandbox.github.get("/repos/acme/platform/pulls").json()
    assert (pull["title"], pull["head"]["ref"]) == (f"Pull {PIPE} from sandbox", f"tbops/run-{run}")
    assert f"by run {run} of tbops" in pull["body"]
    ran = sandbox.github.get(f"/repos/acme/platform/commits/{pull['head']['sha']}/check-runs").json()["check_runs"]
    assert [(check["name"], check["conclusion"]) for check in ran] == [("Tinybird-CI", "success")]
    people.ben.clicks("Approve step 4", on=drive.card(run))
    drive.until(run, "succeeded")
    assert SQL in text(sandbox, PATH)
    assert sandbox.github.get(f"/repos/acme/platform/git/ref/heads/tbops/run-{run}").status_code == 404
    people.ana.types("/tb pull members*")
    drive()
    assert drive.view(run + 1).run.reason == "sandbox and git hold the same of `members*`. There is nothing to pull."


def test_a_pull_request_gets_the_labels_that_its_check_starts_by(
    sandbox: Sandbox, people: People, running_product: Product
) -> None:
    sandbox.knobs(github__check_by_label=True)
    edit(sandbox, PIPE, SQL)
    github = running_product.settings.environment("sandbox").github
    assert github is not None
    labelled = github.project.model_copy(update={"labels": ("tinybird",)})
    with driving(sandbox, people, running_product.with_settings(github={"project": labelled})) as drive:
        run = drive.run("/tb pull")
        drive.until(run, "succeeded")
    (pull,) = sandbox.github.get("/repos/acme/platform/pulls", params={"state": "all"}).json()
    assert [label["name"] for label in pull["labels"]] == ["tinybird"]
    assert SQL in text(sandbox, PATH)


@pytest.mark.long
def test_a_new_resource_is_pulled_without_the_tokens_that_it_has(sandbox: Sandbox, drive: Drive) -> None:
    made = {"name": "bots_list", "nodes": [{"name": "bots", "sql": "SELECT id FROM members WHERE isBot = 1"}]}
    assert sandbox.tinybird.post("/v0/pipes", json=made).status_code == 200
    grant = {"name": "page", "scope": "PIPES:READ:bots_list"}
    assert sandbox.tinybird.post("/v0/tokens", params=grant).status_code == 200
    assert "TOKEN" in sandbox.tinybird.get("/v1/pipes/bots_list.pipe").text
    run = drive.run("/tb pull bots_list", approve=False)
    assert "TOKEN lines of bots_list are left out" in drive.card(run).words
    drive.approve(run)
    drive.until(run, "succeeded")
    written = text(sandbox, "pipes/bots_list.pipe")
    assert written == "NODE bots\nSQL >\n    SELECT id FROM members WHERE isBot = 1\n"


@pytest.mark.long
def test_a_file_that_changes_before_the_commit_is_planned_from_anew(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    edit(sandbox, PIPE, SQL)
    run = drive.run("/tb pull", approve=False)
    other = text(sandbox, PATH).replace("count() AS count", "count() AS all")
    commit(sandbox, PATH, other)
    card = drive.card(run)
    people.ben.clicks("Approve step 1", on=card)
    drive()
    assert drive.state(run) == "proposed"  # the diff is another one, so it is to be approved again
    assert "-    SELECT count() AS all" in drive.card(run).words
    drive.approve(run)
    drive.until(run, "succeeded")
    assert SQL in text(sandbox, PATH)


@pytest.mark.long
def test_a_bad_check_keeps_it_from_being_merged_and_an_abort_closes_it(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    sandbox.knobs(github__check_conclusion="failure")
    edit(sandbox, PIPE, SQL)
    run = drive.run("/tb pull")
    held = drive.until(run, "held")
    assert "Tinybird-CI failed" in held.run.reason
    people.ana.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    (pull,) = sandbox.github.get("/repos/acme/platform/pulls", params={"state": "all"}).json()
    assert (pull["state"], pull["merged_at"]) == ("closed", None)
    assert sandbox.github.get(f"/repos/acme/platform/git/ref/heads/tbops/run-{run}").status_code == 404
    assert SQL not in text(sandbox, PATH)
