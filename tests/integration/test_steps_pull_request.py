"""Files come into the project by a pull request, step by step; and what keeps each step back."""

from collections.abc import Iterator

import pytest

from runbooks.step import Astray, Done, Seen, Todo, Wait
from runbooks.steps.pull_merge import AwaitChecks, MergePull
from runbooks.steps.pull_request import CommitFiles, DeleteBranch, LabelPull, OpenPull, pushed_key
from systems.errors import SystemsError
from systems.github import Repository
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story

REPOSITORY, FOLDER = "acme/platform", "services/libs/tinybird/"
BRANCH = "tbops/run-7"
SECOND = "tbops/run-{run}-more"
PATH = FOLDER + "pipes/members_count.pipe"
SQL = "NODE counted\nSQL >\n    SELECT count() AS members FROM members FINAL\n"
OPEN = OpenPull(repository=REPOSITORY, heading="Pull members_count", body="By run {run}.")
CHECKS = AwaitChecks(repository=REPOSITORY, checks=("Tinybird-CI",))
LABEL = LabelPull(repository=REPOSITORY, labels=("tinybird", "data"))
MERGE = MergePull(repository=REPOSITORY)
TIDY = DeleteBranch(repository=REPOSITORY)


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    with story(sandbox) as told:
        yield told


@pytest.mark.long
def test_a_file_is_committed_checked_and_merged_and_the_branch_is_tidied(run: Story) -> None:
    commit = committing(run, SQL)
    assert run.take(commit, OPEN, CHECKS, MERGE, TIDY), run.astray
    there = platform(run)
    merged = there.file(PATH, "main")
    assert merged is not None
    assert merged.text == SQL
    assert there.head(BRANCH) is None
    assert [entry.state for entry in run.entries] == ["struck", "struck"]
    assert "Tinybird-CI is green" in run.said[2]
    sent = run.sandbox.log.count("github", "PUT /repos/acme/platform/pulls/*/merge")
    assert run.take(OPEN, CHECKS, MERGE, TIDY), run.astray
    assert run.take(committing(run, SQL)), run.astray
    assert run.found[pushed_key(REPOSITORY)] is None
    assert run.take(OPEN, CHECKS, MERGE, TIDY), run.astray
    assert run.sandbox.log.count("github", "PUT /repos/acme/platform/pulls/*/merge") == sent == 1


@pytest.mark.long
def test_a_second_pull_request_of_the_same_run_is_one_of_its_own(run: Story) -> None:
    assert run.take(committing(run, SQL), OPEN, MERGE), run.astray
    more = FOLDER + "pipes/members_more.pipe"
    commit = CommitFiles(repository=REPOSITORY, branch=SECOND, files={more: SQL}, message="Pull members_more")
    pull = OpenPull(repository=REPOSITORY, branch=SECOND, heading="Pull members_more")
    merge, tidy = MergePull(repository=REPOSITORY, branch=SECOND), DeleteBranch(repository=REPOSITORY, branch=SECOND)
    assert run.take(commit, pull, merge, TIDY, tidy), run.astray
    there = platform(run)
    assert [there.pull(number).merged for number in (1, 2)] == [True, True]
    assert there.file(more, "main") is not None
    assert (there.head(BRANCH), there.head("tbops/run-7-more")) == (None, None)


@pytest.mark.long
def test_what_was_changed_since_it_was_read_is_not_written_over(run: Story) -> None:
    commit = committing(run, SQL)
    write(run, "main", SQL.replace("count()", "uniq(id)"))
    with pytest.raises(SystemsError) as refused:
        run.take(commit)
    assert f"{PATH} was changed on main since the plan was made, and is not written over" in str(refused.value)
    assert platform(run).head(BRANCH) is None


@pytest.mark.long
def test_a_given_up_pull_request_is_closed_and_its_branch_removed(run: Story) -> None:
    assert run.take(committing(run, SQL), OPEN), run.astray
    run.put_back()
    assert [entry.state for entry in run.entries] == ["done", "done"]
    pull = platform(run).pull(1)
    assert (pull.open, pull.merged, platform(run).head(BRANCH)) == (False, False, None)


@pytest.mark.long
def test_a_branch_that_somebody_pushed_to_is_left_and_not_merged(run: Story) -> None:
    assert run.take(committing(run, SQL), OPEN), run.astray
    write(run, BRANCH, SQL + "\n")
    for step in (OPEN, CHECKS, MERGE):
        assert "somebody pushed to tbops/run-7" in reason(step.look(run.at()))
    run.put_back()
    assert [entry.state for entry in run.entries] == ["left", "done"]
    assert platform(run).head(BRANCH) is not None


@pytest.mark.long
def test_a_check_that_fails_is_named_with_its_link_and_one_that_never_comes_is_not_waited_for_for_ever(
    run: Story,
) -> None:
    assert run.take(committing(run, SQL.replace("NODE", "NOODE")), OPEN), run.astray
    run.sandbox.knobs(github__check_never=True)
    waiting = CHECKS.look(run.at())
    assert isinstance(waiting, Wait)
    assert "Tinybird-CI has not begun" in waiting.why
    assert "label" not in waiting.why
    run.sandbox.clock.advance(150)
    late = CHECKS.look(run.at(waiting.memo))
    assert isinstance(late, Wait)
    assert "it may need a label, or be started by hand: http" in late.why
    assert late.why.endswith("/acme/platform/pull/1")
    run.sandbox.clock.advance(3_700)
    late = CHECKS.look(run.at(waiting.memo))
    assert "Tinybird-CI has not begun" in reason(late)
    assert isinstance(late, Astray)
    assert late.memo == {}  # resumed, it waits as long again
    assert isinstance(CHECKS.look(run.at(late.memo)), Wait)
    run.sandbox.knobs(github__check_never=False)
    said = reason(CHECKS.look(run.at()))
    assert "Tinybird-CI failed" in said
    assert "http" in said


@pytest.mark.long
def test_a_merge_waits_for_a_review_and_a_conflict_is_told(run: Story) -> None:
    assert run.take(committing(run, SQL), OPEN, CHECKS), run.astray
    run.sandbox.knobs(github__review_required=True)
    waiting = MERGE.look(run.at())
    assert isinstance(waiting, Wait)
    assert "a review is missing" in waiting.why
    with pytest.raises(SystemsError) as refused:
        MERGE.act(run.at())
    assert (refused.value.status, refused.value.retryable) == (405, True)
    assert "approving review" in refused.value.said
    run.sandbox.knobs(github__review_required=False)
    assert isinstance(MERGE.look(run.at()), Todo)
    write(run, "main", SQL.replace("count()", "uniq(id)"))
    run.sandbox.clock.advance(5)
    assert "conflicts with main; abort and ask again" in reason(MERGE.look(run.at()))


@pytest.mark.long
def test_who_merges_or_closes_it_on_github_is_seen(run: Story) -> None:
    assert run.take(committing(run, SQL), OPEN), run.astray
    there = platform(run)
    there.close_pull(1)
    assert "somebody closed pull request #1" in reason(MERGE.look(run.at()))
    assert run.sandbox.github.patch(f"/repos/{REPOSITORY}/pulls/1", json={"state": "open"}).status_code == 200
    run.sandbox.clock.advance(5)
    there.merge(1, str(run.found[pushed_key(REPOSITORY)]), "squash")
    merged = MERGE.look(run.at())
    assert isinstance(merged, Done)
    assert merged.said == "Pull request #1 was merged into main by tbops-sandbox on GitHub."


def test_a_check_that_starts_by_a_label_starts_by_ours(run: Story) -> None:
    run.sandbox.knobs(github__check_by_label=True)
    assert run.take(committing(run, SQL), OPEN), run.astray
    run.sandbox.clock.advance(300)
    assert isinstance(CHECKS.look(run.at()), Wait)
    run.sandbox.faults.add("github", "POST /repos/acme/platform/issues/*/labels", "drop_after")
    with pytest.raises(SystemsError):
        LABEL.act(run.at())
    assert run.take(LABEL, CHECKS, MERGE, TIDY), run.astray
    assert run.said[-4] == "Pull request #1 is labelled tinybird, data."
    assert run.sandbox.log.count("github", "POST /repos/acme/platform/issues/*/labels") == 1


def committing(run: Story, text: str) -> CommitFiles:
    """Planned from what main holds now."""
    there = platform(run)
    seen = {PATH: there.tree("main").get(PATH, "")}
    return CommitFiles(repository=REPOSITORY, files={PATH: text}, seen=seen, message="Pull members_count")


def platform(run: Story) -> Repository:
    return run.at().hub.repository(REPOSITORY)


def write(run: Story, branch: str, text: str) -> None:
    """Somebody else does, by hand."""
    there = platform(run)
    there.put_file(branch, PATH, text.encode(), "By hand", seen=there.file(PATH, branch))


def reason(seen: Seen) -> str:
    assert isinstance(seen, Astray), seen
    return seen.reason
