"""The sandbox's GitHub, judged by the real ``git``: a clone and a push see what its API made."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.tools import LONGEST_S
from tests.support.sandbox import Sandbox
from tests.support.tools import unavailable

HERE = "/repos/acme/platform"
MEMBERS = "services/libs/tinybird/datasources/members.datasource"


pytestmark = [pytest.mark.conformance, pytest.mark.xdist_group("git")]


class Git:
    """``git`` with an empty home, in a clone of the project."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        program = shutil.which("git")
        if program is None:
            unavailable("git is not installed")
        self._program = program
        self._env = {
            **os.environ,
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ana",
            "GIT_AUTHOR_EMAIL": "ana@example.org",
            "GIT_COMMITTER_NAME": "Ana",
            "GIT_COMMITTER_EMAIL": "ana@example.org",
            "NO_PROXY": "127.0.0.1",
        }
        self.folder = home / "platform"
        self._at = home
        self("clone", "--quiet", f"{sandbox.ready['github']['url']}/acme/platform.git", str(self.folder))
        self._at = self.folder

    def __call__(self, *arguments: str, exits: int = 0) -> str:
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self._at,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == exits, f"git {' '.join(arguments)} ended with {done.returncode}:\n{output}"
        return output


@pytest.fixture
def git(sandbox: Sandbox, tmp_path: Path) -> Git:
    return Git(sandbox, tmp_path)


def test_git_fetches_a_branch_that_the_api_made_and_the_merge_of_it(git: Git, sandbox: Sandbox) -> None:
    head = git("rev-parse", "HEAD").strip()
    made = sandbox.github.post(f"{HERE}/git/refs", json={"ref": "refs/heads/by/api", "sha": head})
    assert made.status_code == 201
    body = {"message": "words", "content": base64.b64encode(b"words\n").decode(), "branch": "by/api"}
    assert sandbox.github.put(f"{HERE}/contents/docs.md", json=body).status_code == 201
    git("fetch", "--quiet")
    assert git("show", "origin/by/api:docs.md") == "words\n"
    opened = {"title": "Words", "head": "by/api", "base": "main"}
    assert sandbox.github.post(f"{HERE}/pulls", json=opened).status_code == 201
    assert sandbox.github.put(f"{HERE}/pulls/1/merge", json={"merge_method": "squash"}).status_code == 200
    git("pull", "--quiet", "--ff-only")
    assert git("log", "-1", "--format=%s").strip() == "Words (#1)"
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_a_branch_that_git_pushes_is_seen_and_each_push_begins_its_checks(git: Git, sandbox: Sandbox) -> None:
    sandbox.knobs(github__check_delay_s=0.0, github__check_takes_s=0.0)
    git("switch", "--quiet", "--create", "by/git")
    file = git.folder / MEMBERS
    file.write_text(file.read_text().replace("SCHEMA >", "SKEMA >"))
    git("commit", "--quiet", "--all", "--message", "Break it")
    git("push", "--quiet", "origin", "by/git")
    opened = {"title": "By hand", "head": "by/git", "base": "main"}
    pull = sandbox.github.post(f"{HERE}/pulls", json=opened).json()
    assert pull["head"]["sha"] == git("rev-parse", "HEAD").strip()
    assert _conclusions(sandbox, pull["head"]["sha"]) == ["failure"]
    git("revert", "--no-edit", "HEAD")
    (git.folder / "services/libs/tinybird/pipes/members_list.pipe").open("a").write("\n")
    git("commit", "--quiet", "--all", "--amend", "--no-edit")
    git("push", "--quiet", "origin", "by/git")
    mended = git("rev-parse", "HEAD").strip()
    assert sandbox.github.get(f"{HERE}/pulls/1").json()["head"]["sha"] == mended
    assert _conclusions(sandbox, mended) == ["success"]
    git("push", "--quiet", "origin", "--delete", "by/git")
    assert sandbox.github.get(f"{HERE}/pulls/1").json()["state"] == "closed"


def test_git_is_told_who_was_faster(git: Git, sandbox: Sandbox) -> None:
    body = {"message": "faster", "content": base64.b64encode(b"x").decode(), "branch": "main"}
    assert sandbox.github.put(f"{HERE}/contents/faster.md", json=body).status_code == 201
    git("commit", "--quiet", "--allow-empty", "--message", "Slower")
    assert "rejected" in git("push", "origin", "main", exits=1)


def _conclusions(sandbox: Sandbox, sha: str) -> list[str]:
    answer = sandbox.github.get(f"{HERE}/commits/{sha}/check-runs").json()
    return [run["conclusion"] for run in answer["check_runs"]]
