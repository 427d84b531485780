"""What is read of the project in git: one call for all names, one for each file that may differ, and its checks."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from runbooks.facts.in_git import checked, datafiles
from runbooks.names import ProjectNames
from systems.errors import SystemsError
from systems.github import GitHub
from systems.http import Wire
from systems.permit import read_only

HERE = "/repos/acme/platform"
NAMES = ProjectNames("acme/platform", datafiles="tb")
HEAD, PULLED = "a" * 40, "b" * 40
GREEN = {"check_runs": [{"name": "Tinybird-CI", "status": "completed", "conclusion": "success"}], "total_count": 1}
BAD = {"check_runs": [{"name": "Tinybird-CI", "status": "completed", "conclusion": "failure"}], "total_count": 1}
NONE: dict[str, Any] = {"check_runs": [], "total_count": 0}
PULL = {
    "number": 3,
    "state": "closed",
    "merged_at": "2026-11-28T10:00:00Z",
    "head": {"ref": "x", "sha": PULLED},
    "base": {"ref": "main"},
}


class Far:
    """A GitHub of these answers; 404 for all else."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = {HERE: {"full_name": "acme/platform", "default_branch": "main"}}
        self.answers |= {f"{HERE}{path}": body for path, body in answers.items()}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path.removeprefix(HERE))
        return httpx.Response(200 if path in self.answers else 404, json=self.answers.get(path, {"message": "no"}))

    @property
    def hub(self) -> GitHub:
        wire = Wire(transport=httpx.MockTransport(self), sleep=lambda _: None)
        return GitHub("http://hub.example", "t", read_only, wire=wire)


def tree(*paths: str) -> dict[str, Any]:
    return {"tree": [{"path": path, "type": "blob", "sha": f"sha of {path}"} for path in paths], "truncated": False}


def test_only_files_that_may_differ_are_read_and_those_of_others_are_left_alone() -> None:
    head = {"object": {"sha": HEAD}}
    listed = tree("tb/pipes/a.pipe", "tb/pipes/b.pipe", "tb/vendor/x/c.datasource", "tb/README.md", "other/d.pipe")
    content = {"sha": "s", "encoding": "base64", "content": "Tk9ERSBi"}
    answers = {"/git/ref/heads/main": head, f"/git/trees/{HEAD}": listed, "/contents/tb/pipes/b.pipe": content}
    far = Far(answers)
    found = datafiles(far.hub, NAMES, {"a.pipe": frozenset({"sha of tb/pipes/a.pipe"})}, None)
    assert found.head == HEAD
    assert sorted(found.files) == ["pipes/a.pipe", "pipes/b.pipe"]
    assert found.texts == {"pipes/b.pipe": "NODE b"}
    assert len(far.asked) == 3
    far = Far(answers)
    assert datafiles(far.hub, NAMES, {}, frozenset()).texts == {}
    assert len(far.asked) == 2
    with pytest.raises(SystemsError, match="has no branch main"):
        datafiles(Far({}).hub, NAMES, {}, None)


@pytest.mark.parametrize(
    ("own", "pulls", "of_pull", "trouble"),
    [
        (GREEN, [], NONE, ""),
        (NONE, [PULL], GREEN, ""),
        (NONE, [PULL], BAD, "Tinybird-CI failed on pull request #3"),
        (NONE, [PULL], NONE, "Tinybird-CI has not begun on pull request #3"),
        (NONE, [{**PULL, "merged_at": None}], GREEN, "which no pull request brought"),
        (NONE, [], NONE, "which no pull request brought"),
    ],
)
def test_the_checks_are_those_of_the_commit_or_of_the_pull_request_that_brought_it(
    own: Any, pulls: Any, of_pull: Any, trouble: str
) -> None:
    status: dict[str, Any] = {"state": "pending", "statuses": []}
    answers = {
        "/commits": [{"sha": HEAD}],
        f"/commits/{HEAD}/check-runs": own,
        f"/commits/{PULLED}/check-runs": of_pull,
        f"/commits/{HEAD}/status": status,
        f"/commits/{PULLED}/status": status,
        f"/commits/{HEAD}/pulls": pulls,
    }
    found = checked(Far(answers).hub, NAMES, HEAD)
    assert found.trouble.endswith(trouble)
    assert bool(found.trouble) == bool(trouble)
