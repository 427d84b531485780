"""The project's repository as its people change it, by pull requests whose checks ran; and the workspace's pages."""

import base64
from typing import Any

from tests.support.sandbox import Sandbox

REPO = "/repos/acme/platform"
FOLDER = "services/libs/tinybird"
MIGRATIONS = "backend/src/database/migrations"


def edit(sandbox: Sandbox, pipe: str, sql: str) -> None:
    """As people do in the workspace's own pages: the first node's SQL."""
    node = sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()["nodes"][0]["id"]
    assert sandbox.tinybird.put(f"/v0/pipes/{pipe}/nodes/{node}", content=sql).status_code == 200


def sql_of(sandbox: Sandbox, pipe: str) -> list[str]:
    return [node["sql"] for node in sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()["nodes"]]


def text(sandbox: Sandbox, path: str) -> str:
    """A datafile of the branch main, by its path below the datafiles' folder."""
    return text_at(sandbox, f"{FOLDER}/{path}")


def text_at(sandbox: Sandbox, path: str) -> str:
    """Any file of the branch main."""
    return base64.b64decode(_contents(sandbox, path)["content"]).decode()


def in_main(sandbox: Sandbox) -> dict[str, str]:
    """Path → sha of every file of the branch main, as the repository lists them."""
    answer = sandbox.github.get(f"{REPO}/git/trees/main", params={"recursive": "1"})
    return {entry["path"]: entry["sha"] for entry in answer.json()["tree"] if entry["type"] == "blob"}


def commit(sandbox: Sandbox, path: str, content: str, branch: str = "main") -> None:
    """Somebody writes a datafile there by hand."""
    _write(sandbox, f"{FOLDER}/{path}", content, branch)


def migration(sandbox: Sandbox, name: str, sql: str) -> None:
    """Somebody merges a migration; nobody has deployed it."""
    _write(sandbox, f"{MIGRATIONS}/{name}", sql, "main")


def merge(sandbox: Sandbox, **files: str) -> None:
    """Datafiles (``members__pipe`` for ``pipes/members.pipe``) by a pull request whose check ran to its end."""
    head = sandbox.github.get(f"{REPO}/git/ref/heads/main").json()["object"]["sha"]
    branch = f"people/{head[:7]}"
    made = sandbox.github.post(f"{REPO}/git/refs", json={"ref": f"refs/heads/{branch}", "sha": head})
    assert made.status_code == 201
    for name, content in files.items():
        label, _, kind = name.rpartition("__")
        commit(sandbox, f"{kind}s/{label}.{kind}", content, branch)
    asked = {"title": "Change datafiles", "head": branch, "base": "main"}
    pull = sandbox.github.post(f"{REPO}/pulls", json=asked).json()
    sandbox.clock.advance(60)
    merged = sandbox.github.put(f"{REPO}/pulls/{pull['number']}/merge", json={"merge_method": "squash"})
    assert merged.status_code == 200, merged.text


def _write(sandbox: Sandbox, path: str, content: str, branch: str) -> None:
    body = {"message": "By hand", "branch": branch, "content": base64.b64encode(content.encode()).decode()}
    there = sandbox.github.get(f"{REPO}/contents/{path}", params={"ref": branch})
    body |= {"sha": there.json()["sha"]} if there.status_code == 200 else {}
    assert sandbox.github.put(f"{REPO}/contents/{path}", json=body).status_code in (200, 201)


def _contents(sandbox: Sandbox, path: str) -> Any:
    return sandbox.github.get(f"{REPO}/contents/{path}").json()
