"""A pull request that somebody merges on GitHub while its approval is awaited needs none any more."""

import pytest

from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.project import edit, text
from tests.support.replicating import ALL, TABLE, replication
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.integration

PIPE, PATH = "members_count", "pipes/members_count.pipe"
SQL = "SELECT count() AS count, countIf(isBot = 1) AS bots, uniq(id) AS people FROM members_sorted"
LOOKS_S = 60.0  # more than lies between two looks


def merge(sandbox: Sandbox, repository: str) -> None:
    """By the button of GitHub's own page."""
    (pull,) = sandbox.github.get(f"/repos/{repository}/pulls").json()
    page = f"/page/{repository}/pull/{pull['number']}/merge"
    assert sandbox.github.post(page, params={"sha": pull["head"]["sha"]}).status_code == 303


def approvals(drive: Drive, run: int) -> list[int | None]:
    return [decision.block for decision in drive.view(run).decisions if decision.action == "approve"]


def test_nobody_clicks_and_the_run_ends(sandbox: Sandbox, people: People, drive: Drive) -> None:
    edit(sandbox, PIPE, SQL)
    run = drive.run("/tb pull", approve=False)
    people.ben.clicks("Approve step 1", on=drive.card(run))
    drive()
    drive.let_pass(10 * LOOKS_S)
    drive()
    assert [step.state for step in drive.view(run).steps] == ["done", "done", "done", "gated", "ready"]
    assert sandbox.log.count("github", "PUT /repos/acme/platform/pulls/*/merge") == 0
    merge(sandbox, "acme/platform")
    drive.let_pass(LOOKS_S)
    drive.until(run, "succeeded")
    assert SQL in text(sandbox, PATH)
    assert approvals(drive, run) == [1]
    assert "Pull request #1 was merged into main by octocat on GitHub." in drive.thread(run)
    last = drive.card(run).replies()[-1]
    assert "was merged into main by octocat on GitHub" in last.words
    assert sandbox.github.get(f"/repos/acme/platform/git/ref/heads/tbops/run-{run}").status_code == 404


@pytest.mark.long
def test_what_comes_after_it_is_asked_for_as_ever(sandbox: Sandbox, people: People, drive: Drive) -> None:
    run = drive.run(f"/tb replicate {TABLE}", approve=False)
    while "merge" not in str(next(s.op for s in drive.view(run).steps if s.state != "done")):
        label = next(label for label in drive.card(run).buttons if label.startswith("Approve"))
        people.ben.clicks(label, on=drive.card(run))
        unhurried(sandbox)
        drive()
    unhurried(sandbox)
    old = drive.card(run)
    (merging,) = (step for step in drive.view(run).steps if step.op == "github.properties.merge/1")
    merge(sandbox, sandbox.ready["github"]["cluster"])
    drive.let_pass(LOOKS_S)
    drive()
    states = {step.number: step.state for step in drive.view(run).steps}
    assert (states[merging.number], states[merging.number + 1]) == ("done", "gated")
    assert sandbox.log.count("kubernetes", "PATCH *") == 0
    said = people.ben.clicks(f"Approve step {merging.number}", on=old)
    drive.talk()
    assert f"Step {merging.number} is done already." in said.ephemeral().text
    assert f"Approve step {merging.number + 1}" in drive.card(run).buttons
    unhurried(sandbox)
    drive.approve(run)
    drive.until(run, "succeeded")
    assert replication(sandbox) == ALL
