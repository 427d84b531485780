"""GitHub answers as facts/systems.md §6 has it, over real git repositories."""

import base64
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.support.sandbox import Json, Sandbox

pytestmark = pytest.mark.integration

HERE = "/repos/acme/platform"
BRANCH = "chatops/run-1"
MEMBERS = "services/libs/tinybird/datasources/members.datasource"
PROPERTIES = "local/kafka-connect/tinybird-sink.properties.enc"


def _head(sandbox: Sandbox, branch: str = "main", *, here: str = HERE) -> str:
    return str(_ok(sandbox.github.get(f"{here}/git/ref/heads/{branch}"))["object"]["sha"])


def _branch(sandbox: Sandbox, name: str = BRANCH) -> httpx.Response:
    return sandbox.github.post(f"{HERE}/git/refs", json={"ref": f"refs/heads/{name}", "sha": _head(sandbox)})


def _file(sandbox: Sandbox, path: str, ref: str = "main", *, here: str = HERE) -> tuple[str, str]:
    found = _ok(sandbox.github.get(f"{here}/contents/{path}", params={"ref": ref}))
    return base64.b64decode(found["content"]).decode(), str(found["sha"])


def _put(sandbox: Sandbox, path: str, text: str, *, sha: str | None = None, branch: str = BRANCH) -> httpx.Response:
    body: Json = {"message": "change", "content": base64.b64encode(text.encode()).decode(), "branch": branch}
    return sandbox.github.put(f"{HERE}/contents/{path}", json={**body, **({"sha": sha} if sha else {})})


def _changed(sandbox: Sandbox, old: str, new: str, *, branch: str = BRANCH) -> str:
    """A branch whose datafile of members has ``new`` for ``old``; its head."""
    _branch(sandbox, branch)
    text, sha = _file(sandbox, MEMBERS, branch)
    assert old in text
    return str(_ok(_put(sandbox, MEMBERS, text.replace(old, new), sha=sha, branch=branch))["commit"]["sha"])


def _open(sandbox: Sandbox, branch: str = BRANCH) -> httpx.Response:
    return sandbox.github.post(f"{HERE}/pulls", json={"title": "Change members", "head": branch, "base": "main"})


def _merge(sandbox: Sandbox, number: int = 1, **body: Any) -> httpx.Response:
    return sandbox.github.put(f"{HERE}/pulls/{number}/merge", json={"merge_method": "squash", **body})


def _pull(sandbox: Sandbox, number: int = 1) -> Json:
    return _ok(sandbox.github.get(f"{HERE}/pulls/{number}"))


def _runs(sandbox: Sandbox, sha: str) -> list[tuple[str, str, str | None]]:
    found = _ok(sandbox.github.get(f"{HERE}/commits/{sha}/check-runs", params={"filter": "latest"}))
    return [(run["name"], run["status"], run["conclusion"]) for run in found["check_runs"]]


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    told = "; ".join(error.get("message", error.get("code", "")) for error in body.get("errors", []))
    return answer.status_code, f"{body['message']}: {told}" if told else body["message"]


def test_a_branch_is_made_once_and_from_a_commit_that_is_there(sandbox: Sandbox) -> None:
    assert _branch(sandbox).status_code == 201
    assert _refusal(_branch(sandbox)) == (422, "Reference already exists")
    nowhere = sandbox.github.post(f"{HERE}/git/refs", json={"ref": "refs/heads/b", "sha": "0" * 40})
    assert _refusal(nowhere) == (422, "Object does not exist")
    gone = f"{HERE}/git/refs/heads/{BRANCH}"
    assert sandbox.github.delete(gone).status_code == 204
    assert _refusal(sandbox.github.delete(gone)) == (422, "Reference does not exist")
    assert sandbox.github.get(f"{HERE}/git/ref/heads/{BRANCH}").status_code == 404


def test_a_file_is_written_only_over_what_was_read(sandbox: Sandbox) -> None:
    _branch(sandbox)
    text, sha = _file(sandbox, MEMBERS)
    assert _refusal(_put(sandbox, MEMBERS, "new")) == (422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    assert _refusal(_put(sandbox, MEMBERS, "new", sha="0" * 40))[0] == 409
    assert _put(sandbox, MEMBERS, "new", sha=sha).status_code == 200
    assert _put(sandbox, "backend/src/database/migrations/V1__x.sql", "SELECT 1;").status_code == 201
    assert _file(sandbox, MEMBERS, BRANCH)[0] == "new"
    assert _file(sandbox, MEMBERS) == (text, sha), "main is as it was"
    assert _put(sandbox, MEMBERS, "new", sha=sha, branch="nowhere").status_code == 404
    raw = sandbox.github.get(f"{HERE}/contents/{MEMBERS}", headers={"Accept": "application/vnd.github.raw+json"})
    assert raw.text == text
    body = {"message": "away", "sha": _file(sandbox, MEMBERS, BRANCH)[1], "branch": BRANCH}
    assert sandbox.github.request("DELETE", f"{HERE}/contents/{MEMBERS}", json=body).status_code == 200
    assert sandbox.github.get(f"{HERE}/contents/{MEMBERS}", params={"ref": BRANCH}).status_code == 404


def test_what_is_no_base64_is_refused_and_its_lines_may_be_broken(sandbox: Sandbox) -> None:
    odd = {"message": "odd", "content": "%ü%%", "branch": "main"}
    refused = (422, "content is not valid Base64")
    assert _refusal(sandbox.github.put(f"{HERE}/contents/odd.txt", json=odd)) == refused
    assert _refusal(sandbox.github.post(f"{HERE}/git/blobs", json={**odd, "encoding": "base64"})) == refused
    assert sandbox.github.put(f"{HERE}/contents/odd.txt", json={**odd, "content": "eHh4\neA==\n"}).status_code == 201
    assert sandbox.github.get(f"{HERE}/contents/odd.txt").json()["content"].strip() == "eHh4eA=="


def test_a_large_file_is_shown_without_its_content(sandbox: Sandbox) -> None:
    _branch(sandbox)
    assert _put(sandbox, "large.txt", "x" * 1_000_001).status_code == 201
    address = f"{HERE}/contents/large.txt"
    found = _ok(sandbox.github.get(address, params={"ref": BRANCH}))
    assert (found["encoding"], found["content"], found["size"]) == ("none", "", 1_000_001)
    raw = {"Accept": "application/vnd.github.raw+json"}
    assert len(sandbox.github.get(address, params={"ref": BRANCH}, headers=raw).content) == 1_000_001


def test_several_files_are_one_commit_that_nobody_sees_until_a_branch_names_it(sandbox: Sandbox) -> None:
    head = _head(sandbox)
    base = _ok(sandbox.github.get(f"{HERE}/git/commits/{head}"))["tree"]["sha"]
    blob = _ok(sandbox.github.post(f"{HERE}/git/blobs", json={"content": "SELECT 1;\n"}))["sha"]
    entries = [
        {"path": "backend/src/database/migrations/V2__y.sql", "mode": "100644", "type": "blob", "sha": blob},
        {"path": MEMBERS, "mode": "100644", "type": "blob", "sha": None},
    ]
    tree = _ok(sandbox.github.post(f"{HERE}/git/trees", json={"base_tree": base, "tree": entries}))["sha"]
    body = {"message": "two files", "tree": tree, "parents": [head]}
    made = _ok(sandbox.github.post(f"{HERE}/git/commits", json=body))["sha"]
    assert _head(sandbox) == head
    named = sandbox.github.post(f"{HERE}/git/refs", json={"ref": f"refs/heads/{BRANCH}", "sha": made})
    assert named.status_code == 201
    files = _ok(sandbox.github.get(f"{HERE}/compare/main...{BRANCH}"))["files"]
    assert {(file["filename"], file["status"]) for file in files} == {
        ("backend/src/database/migrations/V2__y.sql", "added"),
        (MEMBERS, "removed"),
    }
    back = sandbox.github.patch(f"{HERE}/git/refs/heads/{BRANCH}", json={"sha": head})
    assert _refusal(back) == (422, "Update is not a fast forward")
    forced = sandbox.github.patch(f"{HERE}/git/refs/heads/{BRANCH}", json={"sha": head, "force": True})
    assert forced.status_code == 200


def test_a_branch_has_one_open_pull_request_and_something_in_it(sandbox: Sandbox) -> None:
    _branch(sandbox)
    assert _refusal(_open(sandbox)) == (422, f"Validation Failed: No commits between main and {BRANCH}")
    _changed(sandbox, "DEFAULT ''", "DEFAULT 'x'")
    assert _open(sandbox).status_code == 201
    there = f"Validation Failed: A pull request already exists for acme:{BRANCH}."
    assert _refusal(_open(sandbox)) == (422, there)
    listed = sandbox.github.get(f"{HERE}/pulls", params={"head": f"acme:{BRANCH}", "state": "open"})
    assert [pull["number"] for pull in _ok(listed)] == [1]
    assert _ok(sandbox.github.patch(f"{HERE}/pulls/1", json={"state": "closed"}))["state"] == "closed"
    assert _ok(sandbox.github.get(f"{HERE}/pulls")) == []
    assert _ok(_open(sandbox))["number"] == 2


def test_checks_come_late_and_really_read_the_datafiles(sandbox: Sandbox) -> None:
    sandbox.knobs(github__check_delay_s=1_000.0, github__check_takes_s=1_000.0)
    good = _changed(sandbox, "DEFAULT ''", "DEFAULT 'x'")
    _open(sandbox)
    status = _ok(sandbox.github.get(f"{HERE}/commits/{good}/status"))
    assert (status["state"], status["total_count"]) == ("pending", 0), "as GitHub has it without any status"
    assert _runs(sandbox, good) == []
    sandbox.clock.advance(1_000)
    assert _runs(sandbox, good) == [("Tinybird-CI", "queued", None)]
    sandbox.clock.advance(500)
    assert _runs(sandbox, good) == [("Tinybird-CI", "in_progress", None)]
    sandbox.clock.advance(500)
    assert _runs(sandbox, good) == [("Tinybird-CI", "completed", "success")]
    text, sha = _file(sandbox, MEMBERS, BRANCH)
    bad = str(_ok(_put(sandbox, MEMBERS, text.replace("SCHEMA >", "SKEMA >"), sha=sha))["commit"]["sha"])
    assert _runs(sandbox, bad) == [], "a new head begins anew"
    sandbox.clock.advance(2_000)
    assert _runs(sandbox, bad) == [("Tinybird-CI", "completed", "failure")]


def test_a_change_beside_the_datafiles_has_no_check(sandbox: Sandbox) -> None:
    _branch(sandbox)
    made = str(_ok(_put(sandbox, "docs.md", "words"))["commit"]["sha"])
    _open(sandbox)
    sandbox.clock.advance(10_000)
    assert _runs(sandbox, made) == []


def test_a_merge_waits_for_the_rules_and_for_the_head_that_was_seen(sandbox: Sandbox) -> None:
    head = _changed(sandbox, "DEFAULT ''", "DEFAULT 'x'")
    _open(sandbox)
    sandbox.knobs(github__required_checks="Tinybird-CI", github__mergeable_after_s=1_000.0)
    sandbox.knobs(github__check_delay_s=1_000.0, github__check_takes_s=1_000.0)
    assert (_pull(sandbox)["mergeable"], _pull(sandbox)["mergeable_state"]) == (None, "unknown")
    assert _refusal(_merge(sandbox)) == (405, 'Required status check "Tinybird-CI" is expected.')
    sandbox.clock.advance(1_000)
    assert (_pull(sandbox)["mergeable"], _pull(sandbox)["mergeable_state"]) == (True, "blocked")
    sandbox.clock.advance(1_000)
    sandbox.knobs(github__review_required=True)
    assert _refusal(_merge(sandbox))[0] == 405
    sandbox.knobs(github__review_required=False)
    assert _refusal(_merge(sandbox, sha=_head(sandbox)))[0] == 409
    assert _pull(sandbox)["mergeable_state"] == "clean"
    before = _head(sandbox)
    merged = _ok(_merge(sandbox, sha=head))
    assert (merged["merged"], merged["sha"]) == (True, _head(sandbox))
    commit = _ok(sandbox.github.get(f"{HERE}/git/commits/{merged['sha']}"))
    assert [parent["sha"] for parent in commit["parents"]] == [before], "squashed"
    assert "DEFAULT 'x'" in _file(sandbox, MEMBERS)[0]
    assert (_pull(sandbox)["state"], _pull(sandbox)["merged"]) == ("closed", True)
    assert _refusal(_merge(sandbox))[0] == 405


def test_two_changes_of_one_file_conflict_and_of_two_files_do_not(sandbox: Sandbox) -> None:
    for branch, default in (("one", "'1'"), ("two", "'2'")):
        _changed(sandbox, "DEFAULT ''", f"DEFAULT {default}", branch=branch)
        _open(sandbox, branch)
    _branch(sandbox, "three")
    _ok(_put(sandbox, "docs.md", "words", branch="three"))
    _open(sandbox, "three")
    _ok(_merge(sandbox, 1))
    sandbox.clock.advance(60)
    assert (_pull(sandbox, 2)["mergeable"], _pull(sandbox, 2)["mergeable_state"]) == (False, "dirty")
    assert _refusal(_merge(sandbox, 2)) == (405, "Pull Request is not mergeable")
    sandbox.knobs(github__require_up_to_date=True)
    assert _pull(sandbox, 3)["mergeable_state"] == "behind"
    assert _merge(sandbox, 3).status_code == 405
    sandbox.knobs(github__require_up_to_date=False)
    _ok(_merge(sandbox, 3))
    assert "'1'" in _file(sandbox, MEMBERS)[0]


def test_who_may_not_is_refused_as_github_refuses(sandbox: Sandbox) -> None:
    def asked(token: str, **more: str) -> httpx.Response:
        return sandbox.github.get(HERE, headers={"Authorization": f"Bearer {token}", **more})

    ready = sandbox.ready["github"]
    assert _refusal(asked("nobody")) == (401, "Bad credentials")
    assert _refusal(asked(ready["stranger_token"])) == (404, "Not Found")
    assert asked(ready["reader_token"]).json()["permissions"]["push"] is False
    assert asked(ready["token"], **{"User-Agent": ""}).status_code == 403
    reader = {"Authorization": f"Bearer {ready['reader_token']}"}
    body = {"ref": "refs/heads/b", "sha": _head(sandbox)}
    assert sandbox.github.post(f"{HERE}/git/refs", json=body, headers=reader).status_code == 403
    assert sandbox.github.get(f"/api/v3{HERE}").headers["x-ratelimit-limit"] == "5000"


def test_an_app_that_signs_gets_a_token_for_an_hour(sandbox: Sandbox) -> None:
    app = sandbox.ready["github"]["app"]
    key = Path(app["private_key_file"]).read_text()
    address, now = f"/app/installations/{app['installation_id']}/access_tokens", int(time.time())

    def asked(life_s: int, issuer: str = app["id"]) -> httpx.Response:
        signed = jwt.encode({"iat": now - 60, "exp": now + life_s, "iss": issuer}, key, algorithm="RS256")
        return sandbox.github.post(address, headers={"Authorization": f"Bearer {signed}"})

    assert asked(3600).status_code == 401, "ten minutes at most"
    assert asked(300, "4712").status_code == 404
    made = asked(300)
    assert made.status_code == 201
    token = {"Authorization": f"Bearer {made.json()['token']}"}
    assert sandbox.github.get(HERE, headers=token).status_code == 200
    sandbox.clock.advance(3601)
    assert sandbox.github.get(HERE, headers=token).status_code == 401


def test_the_properties_are_sealed_and_open_with_the_identity_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    sealed, _ = _file(sandbox, PROPERTIES, here="/repos/acme/cluster")
    assert "topics" not in sealed
    identity = sandbox.ready["github"]["identity_file"]

    def age(do: str, text: str, key: str) -> subprocess.CompletedProcess[str]:
        command, env = [sys.executable, "-m", "sandbox.age", do], {"AGE_KEY_FILE": key}
        return subprocess.run(command, input=text, env=env, capture_output=True, text=True, check=False, timeout=60)

    opened = age("decrypt", sealed, identity)
    assert opened.returncode == 0, opened.stderr
    assert "topics=activities,members,organizations,segments,\\\n       collections," in opened.stdout
    assert age("decrypt", age("encrypt", opened.stdout, identity).stdout, identity).stdout == opened.stdout
    other = tmp_path / "other.txt"
    other.write_text("AGE-SECRET-KEY-1QQQQQQQQ\n")
    wrong = age("decrypt", sealed, str(other))
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr


def test_people_see_a_pull_request_and_merge_it_by_hand(sandbox: Sandbox) -> None:
    head = _changed(sandbox, "DEFAULT ''", "DEFAULT '<b>'")
    _open(sandbox)
    page = sandbox.github.get("/").text
    assert "DEFAULT &#x27;&lt;b&gt;&#x27;" in page
    assert f'action="/page/acme/platform/pull/1/merge?sha={head}"' in page
    sandbox.knobs(github__review_required=True)
    assert sandbox.github.post(f"/page/acme/platform/pull/1/merge?sha={head}").status_code == 405
    sandbox.knobs(github__review_required=False)
    assert sandbox.github.post(f"/page/acme/platform/pull/1/merge?sha={head}").status_code == 303
    assert _pull(sandbox)["merged"]


def test_a_reset_brings_the_repositories_back(sandbox: Sandbox) -> None:
    before = _head(sandbox)
    _changed(sandbox, "DEFAULT ''", "DEFAULT 'x'")
    _open(sandbox)
    _ok(_merge(sandbox))
    assert _head(sandbox) != before
    sandbox.reset()
    assert _head(sandbox) == before
    assert _ok(sandbox.github.get(f"{HERE}/pulls", params={"state": "all"})) == []
    assert sandbox.github.get(f"{HERE}/git/ref/heads/{BRANCH}").status_code == 404
