"""What GitHub answers, and what the client makes of it (facts/systems.md §6)."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from systems import github_model
from systems.errors import NotPermitted, SystemsError
from systems.github import GitHub, Repository
from systems.github_app import AppToken
from systems.github_model import CheckRun, Checks, FileAt, Green, Red, StatusInfo, Waiting, verdict
from systems.http import Wire
from systems.permit import read_only

HERE = "/repos/acme/platform"
SECRET = "planted-secret"
SHA = "a" * 40


def allowed(system: str, call: str) -> None:
    """Everything may be sent."""


class Far:
    """A GitHub that answers by method and path, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[httpx.Request] = []

    def says(self, call: str, body: Any, status: int = 200) -> "Far":
        self.answers[call] = (status, body)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, body = self.answers.get(f"{request.method} {request.url.path}", (404, {"message": "Not Found"}))
        if isinstance(body, bytes):
            return httpx.Response(status, content=body)
        return httpx.Response(status, json=body)

    @property
    def calls(self) -> list[str]:
        return [f"{asked.method} {asked.url.path}" for asked in self.asked]

    @property
    def wire(self) -> Wire:
        return Wire(transport=httpx.MockTransport(self), sleep=lambda _: None)

    def repository(self, permit: Any = allowed, token: str | Callable[[], str] = SECRET) -> Repository:
        return GitHub("http://hub.example", token, permit, wire=self.wire).repository("acme/platform")


def _there() -> Far:
    """A repository that the token may see, and nothing in it."""
    return Far().says(f"GET {HERE}", {"full_name": "acme/platform", "default_branch": "main"})


def _pull(**more: Any) -> dict[str, Any]:
    shown = {
        "number": 7,
        "html_url": "http://hub.example/acme/platform/pull/7",
        "state": "open",
        "title": "Change members",
        "head": {"ref": "chatops/run-1", "sha": SHA},
        "base": {"ref": "main"},
    }
    return {**shown, **more}


def test_what_is_not_there_is_none_but_a_repository_that_may_not_be_seen_is_an_error() -> None:
    there = _there().repository()
    assert there.head("chatops/run-1") is None
    assert there.file("a.datasource", "main") is None
    with pytest.raises(SystemsError) as hidden:
        Far().repository().head("chatops/run-1")
    assert (hidden.value.status, hidden.value.call) == (404, f"GET {HERE}")


def test_a_file_is_read_with_its_sha_and_a_large_one_by_it() -> None:
    told = {"type": "file", "encoding": "base64", "content": "U0NI\nRU1B\n", "sha": SHA}
    far = Far().says(f"GET {HERE}/contents/tb/a b.datasource", told)
    found = far.repository().file("tb/a b.datasource", "chatops/run-1")
    assert found == FileAt("tb/a b.datasource", b"SCHEMA", SHA, "chatops/run-1")
    assert dict(far.asked[0].url.params) == {"ref": "chatops/run-1"}
    large = Far().says(f"GET {HERE}/contents/x", {"encoding": "none", "content": "", "sha": SHA})
    large.says(f"GET {HERE}/git/blobs/{SHA}", b"\x00large")
    read = large.repository().file("x", "main")
    assert read is not None
    assert read.content == b"\x00large"
    assert large.asked[1].headers["Accept"] == "application/vnd.github.raw+json"


def test_a_folder_is_listed_with_what_is_below_it_alone() -> None:
    entries = [
        {"path": "tb", "type": "tree", "sha": "1"},
        {"path": "tb/a.pipe", "type": "blob", "sha": "2"},
        {"path": "tbx/a.pipe", "type": "blob", "sha": "3"},
    ]
    far = Far().says(f"GET {HERE}/git/trees/main", {"tree": entries, "truncated": False})
    assert far.repository().tree("main", "tb/") == {"tb/a.pipe": "2"}
    far.says(f"GET {HERE}/git/trees/main", {"tree": entries, "truncated": True})
    with pytest.raises(SystemsError, match="more files than GitHub lists"):
        far.repository().tree("main")


def test_a_write_names_the_branch_in_the_body_and_what_it_writes_over() -> None:
    far = Far().says(f"PUT {HERE}/contents/a.pipe", {"commit": {"sha": SHA}})
    seen = FileAt("a.pipe", b"old", "b" * 40, "chatops/run-1")
    assert far.repository().put_file("chatops/run-1", "a.pipe", b"new", "Change a", seen=seen) == SHA
    body = json.loads(far.asked[0].content)
    assert (body["branch"], body["sha"], base64.b64decode(body["content"])) == ("chatops/run-1", "b" * 40, b"new")
    assert dict(far.asked[0].url.params) == {}
    far.repository().put_file("chatops/run-1", "a.pipe", b"new", "Make a", seen=None)
    assert "sha" not in json.loads(far.asked[1].content)


@pytest.mark.parametrize(("head", "last"), [(None, "POST {}/git/refs"), (SHA, "PATCH {}/git/refs/heads/chatops/run-1")])
def test_several_files_are_made_beside_the_branch_which_is_named_last(head: str | None, last: str) -> None:
    far = _there().says(f"GET {HERE}/git/commits/{SHA}", {"sha": SHA, "tree": {"sha": "base-tree"}})
    far.says(f"POST {HERE}/git/blobs", {"sha": "blob"}, 201).says(f"POST {HERE}/git/trees", {"sha": "tree"}, 201)
    far.says(f"POST {HERE}/git/commits", {"sha": "c" * 40}, 201).says(f"POST {HERE}/git/refs", {}, 201)
    far.says(f"PATCH {HERE}/git/refs/heads/chatops/run-1", {})
    if head:
        far.says(f"GET {HERE}/git/ref/heads/chatops/run-1", {"object": {"sha": head}})
    files = {"a.pipe": b"NODE a", "b.enc": b"\xff\xfe", "c.pipe": None}
    assert far.repository().commit_files("chatops/run-1", SHA, files, "Change") == "c" * 40
    assert far.calls[-1] == last.format(HERE)
    sent = {call: json.loads(asked.content) for call, asked in zip(far.calls, far.asked, strict=True) if asked.content}
    tree = sent[f"POST {HERE}/git/trees"]
    assert tree["base_tree"] == "base-tree"
    assert [entry.get("content", entry.get("sha")) for entry in tree["tree"]] == ["NODE a", "blob", None]
    assert sent[f"POST {HERE}/git/commits"]["parents"] == [SHA]
    assert sent[far.calls[-1]].get("force", False) is False


def test_nothing_is_changed_without_a_permit() -> None:
    far = _there().says(f"GET {HERE}/git/commits/{SHA}", {"tree": {"sha": "t"}})
    repository = far.repository(read_only)
    changes: list[Callable[[], object]] = [
        lambda: repository.create_branch("b", SHA),
        lambda: repository.move_branch("b", SHA),
        lambda: repository.delete_branch("b"),
        lambda: repository.put_file("b", "a", b"", "m", seen=None),
        lambda: repository.commit_files("b", SHA, {"a": b"x"}, "m"),
        lambda: repository.open_pull("b", "main", "t", ""),
        lambda: repository.merge(7, SHA, "squash"),
        lambda: repository.close_pull(7),
        lambda: repository.comment(7, "words"),
    ]
    for change in changes:
        with pytest.raises(NotPermitted):
            change()
    assert {asked.method for asked in far.asked} <= {"GET"}


def test_a_pull_request_is_found_by_its_branch_though_github_may_list_others() -> None:
    other = _pull(number=9, head={"ref": "somebody/else", "sha": SHA})
    far = Far().says(f"GET {HERE}/pulls", [other, _pull()]).says(f"GET {HERE}/pulls/7", _pull(mergeable=None))
    found = far.repository().pull_of("chatops/run-1", "main")
    assert found is not None
    assert (found.number, found.open, found.merged, found.mergeable) == (7, True, False, None)
    assert far.asked[0].url.params["head"] == "acme:chatops/run-1"
    assert Far().says(f"GET {HERE}/pulls", [other]).repository().pull_of("chatops/run-1", "main") is None


def test_a_merge_names_the_head_that_was_seen() -> None:
    far = Far().says(f"PUT {HERE}/pulls/7/merge", {"sha": "c" * 40, "merged": True})
    assert far.repository().merge(7, SHA, "squash") == "c" * 40
    assert json.loads(far.asked[0].content) == {"sha": SHA, "merge_method": "squash"}


@pytest.mark.parametrize(
    ("status", "body", "knows"),
    [
        (422, {"message": "Reference already exists"}, "is_known_branch"),
        (422, {"message": "Validation Failed", "errors": [{"message": "A pull request already exists for acme:b."}]},
         "is_open_pull"),
        (405, {"message": "Pull Request is not mergeable"}, "is_unmergeable"),
        (409, {"message": "Head branch was modified."}, "is_moved"),
    ],
)  # fmt: skip
def test_refusals_are_told_apart(status: int, body: Any, knows: str) -> None:
    with pytest.raises(SystemsError) as refused:
        Far().says(f"POST {HERE}/pulls", body, status).repository().open_pull("b", "main", "t", "")
    known = ["is_known_branch", "is_open_pull", "is_unmergeable", "is_moved"]
    assert [name for name in known if getattr(github_model, name)(refused.value)] == [knows]
    assert refused.value.retryable is (status == 409)


def test_a_limit_is_a_refusal_that_may_pass() -> None:
    def limited(_: httpx.Request) -> httpx.Response:
        said = {"message": f"You have exceeded a secondary rate limit. {SECRET}"}
        return httpx.Response(403, json=said, headers={"Retry-After": "60"})

    wire = Wire(transport=httpx.MockTransport(limited), sleep=lambda _: None)
    with pytest.raises(SystemsError) as refused:
        GitHub("http://hub.example", SECRET, allowed, wire=wire).repository("acme/platform").info()
    assert refused.value.retryable
    assert SECRET not in str(refused.value)


def test_every_page_of_check_runs_is_read() -> None:
    first = [{"name": f"n{n}", "status": "completed", "conclusion": "success"} for n in range(100)]

    def paged(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/status"):
            return httpx.Response(200, json={"state": "pending", "total_count": 0, "statuses": []})
        page = first if request.url.params["page"] == "1" else [{"name": "last", "status": "queued"}]
        return httpx.Response(200, json={"total_count": 101, "check_runs": page})

    wire = Wire(transport=httpx.MockTransport(paged), sleep=lambda _: None)
    checks = GitHub("http://hub.example", SECRET, allowed, wire=wire).repository("acme/platform").checks(SHA)
    assert (len(checks.runs), checks.runs[-1]) == (101, CheckRun("last", "queued", "", ""))
    assert checks.statuses == ()


def _run(name: str, status: str = "completed", conclusion: str = "success") -> CheckRun:
    return CheckRun(name, status, conclusion if status == "completed" else "", "")


@pytest.mark.parametrize(
    ("runs", "statuses", "wanted", "is_"),
    [
        ([_run("CI")], [], ["CI"], Green()),
        ([_run("CI"), _run("lint", conclusion="skipped")], [StatusInfo("old", "success")], ["CI", "old"], Green()),
        ([], [], ["CI"], Waiting("CI has not begun", begun=False)),
        ([], [], [], Waiting("no check has begun", begun=False)),
        ([_run("lint")], [], ["CI"], Waiting("CI has not begun", begun=False)),
        ([_run("CI", "in_progress")], [], ["CI"], Waiting("CI has not ended")),
        ([_run("CI"), _run("lint", "queued")], [], ["CI"], Waiting("lint has not ended")),
        ([_run("CI")], [StatusInfo("old", "pending")], ["CI"], Waiting("old has not ended")),
        ([_run("CI", conclusion="failure")], [], ["CI"], Red(("CI",))),
        ([_run("CI"), _run("lint", conclusion="stale")], [], ["CI"], Red(("lint",))),
        ([_run("CI"), _run("CI", conclusion="timed_out")], [], ["CI"], Red(("CI",))),
        ([_run("CI")], [StatusInfo("old", "error")], ["CI"], Red(("old",))),
        ([_run("lint", conclusion="cancelled")], [], ["CI"], Red(("lint",))),
    ],
)
def test_green_is_what_was_wanted_and_nothing_bad(
    runs: list[CheckRun], statuses: list[StatusInfo], wanted: list[str], is_: Green | Red | Waiting
) -> None:
    assert verdict(Checks(tuple(runs), tuple(statuses)), wanted) == is_


class App(Far):
    """A GitHub that gives an App's tokens, each good for ``life_s``."""

    def __init__(self, life_s: float = 3600.0) -> None:
        super().__init__()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.pem = self._key.private_bytes(serialization.Encoding.PEM, kind, none).decode()
        self.life_s = life_s
        self.given = 0
        self.revoked = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if request.url.path == "/app/installations/815/access_tokens":
            claim = jwt.decode(token, self._key.public_key(), algorithms=["RS256"])
            assert claim["iss"] == "4711"
            assert claim["exp"] - time.time() <= 600
            self.given += 1
            ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.life_s))
            return httpx.Response(201, json={"token": f"ghs_{self.given}", "expires_at": ends})
        if token == self.revoked:
            return httpx.Response(401, json={"message": "Bad credentials"})
        return httpx.Response(200, json={"full_name": "acme/platform", "default_branch": "main"})

    def token(self, pem: str | None = None) -> AppToken:
        return AppToken("http://hub.example", "4711", 815, lambda: self.pem if pem is None else pem, wire=self.wire)


def test_an_apps_token_is_asked_for_once_and_used_until_it_nearly_ends() -> None:
    app = App()
    repository = app.repository(token=app.token())
    repository.info()
    repository.info()
    assert app.given == 1
    assert [asked.headers["Authorization"] for asked in app.asked[1:]] == ["Bearer ghs_1"] * 2
    nearly_over = App(life_s=299)
    repository = nearly_over.repository(token=nearly_over.token())
    repository.info()
    repository.info()
    assert nearly_over.given == 2


def test_an_apps_token_that_is_refused_is_asked_for_anew() -> None:
    app = App()
    repository = app.repository(token=app.token())
    repository.info()
    app.revoked = "ghs_1"
    assert repository.info().name == "acme/platform", "a question is asked again"
    app.revoked = "ghs_2"
    with pytest.raises(SystemsError) as refused:
        repository.create_branch("b", SHA)
    assert refused.value.retryable, "a change is left to the next tick"
    repository.create_branch("b", SHA)


def test_neither_key_nor_token_is_shown() -> None:
    app = App()
    token = app.token()
    app.repository(token=token).info()
    assert "ghs_" not in repr(token)
    assert "PRIVATE" not in repr(vars(token))
    with pytest.raises(SystemsError, match="holds no RSA key") as refused:
        app.token("-----BEGIN planted-secret-----")()
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None

    def gone() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(SystemsError, match="nothing was sent, as the token cannot be read"):
        AppToken("http://hub.example", "4711", 815, gone, wire=app.wire)()


def test_the_commit_that_last_touched_a_folder_and_who_brought_it_are_found() -> None:
    far = _there().says(f"GET {HERE}/commits", [{"sha": SHA}])
    assert far.repository().last_commit("main", "services/tb") == SHA
    assert dict(far.asked[-1].url.params) == {"sha": "main", "path": "services/tb", "per_page": "1"}
    assert _there().says(f"GET {HERE}/commits", []).repository().last_commit("main", "x") is None
    listed = [_pull(number=7, merged_at="2026-11-28T10:00:00Z"), _pull(number=9)]
    found = _there().says(f"GET {HERE}/commits/{SHA}/pulls", listed).repository().pulls_with(SHA)
    assert [(pull.number, pull.merged) for pull in found] == [(9, False), (7, True)]
