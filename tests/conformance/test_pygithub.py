"""The sandbox's GitHub, judged by PyGithub: a branch, files, a pull request with its checks, and the merge of it."""

import base64

import pytest
from github import Auth, Github, GithubException
from github.Repository import Repository

from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.conformance, pytest.mark.xdist_group("git")]

MEMBERS = "services/libs/tinybird/datasources/members.datasource"


@pytest.fixture
def platform(sandbox: Sandbox) -> Repository:
    told = sandbox.ready["github"]
    return Github(auth=Auth.Token(told["token"]), base_url=told["url"], retry=None).get_repo(told["project"])


def test_a_pull_request_is_made_looked_at_and_merged(sandbox: Sandbox, platform: Repository) -> None:
    assert [branch.name for branch in platform.get_branches()] == ["main"]
    tip = platform.get_branch("main").commit
    assert platform.get_commit("main").sha == tip.sha
    platform.create_git_ref("refs/heads/motto", tip.sha)
    assert {ref.ref for ref in platform.get_git_matching_refs("heads/")} == {"refs/heads/main", "refs/heads/motto"}
    there = platform.get_contents(MEMBERS, ref="motto")
    assert not isinstance(there, list)
    text = there.decoded_content.decode()
    longer = text.replace("SCHEMA >\n", "SCHEMA >\n    `motto` String `json:$.record.motto`,\n")
    platform.update_file(MEMBERS, "Add a motto", longer, there.sha, branch="motto")
    with pytest.raises(GithubException) as stale:
        platform.update_file(MEMBERS, "Add it again", longer, there.sha, branch="motto")
    assert stale.value.status == 409
    compared = platform.compare("main", "motto")
    assert (compared.ahead_by, [file.filename for file in compared.files]) == (1, [MEMBERS])
    pull = platform.create_pull(title="A motto", body="For members.", head="motto", base="main")
    (file,) = pull.get_files()
    assert (file.filename, file.status, file.additions, file.deletions) == (MEMBERS, "modified", 1, 0)
    assert "+    `motto` String `json:$.record.motto`," in file.patch
    assert [commit.commit.message for commit in pull.get_commits()] == ["Add a motto"]
    pull.create_issue_comment("Looks well.")
    pull.add_to_labels("tinybird")
    assert [comment.body for comment in pull.get_issue_comments()] == ["Looks well."]
    assert [label.name for label in pull.get_labels()] == ["tinybird"]

    def checked() -> bool:
        runs = platform.get_commit(pull.head.sha).get_check_runs()
        return {run.name: run.conclusion for run in runs} == {"Tinybird-CI": "success"}

    sandbox.until(checked, what="a green check")
    assert pull.merge().merged
    assert platform.get_pull(pull.number).merged
    merged = platform.get_contents(MEMBERS)
    assert not isinstance(merged, list)
    assert base64.b64decode(merged.content).decode() == longer
    platform.get_git_ref("heads/motto").delete()
    assert [branch.name for branch in platform.get_branches()] == ["main"]
