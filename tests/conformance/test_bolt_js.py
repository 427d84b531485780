"""Slack's own JavaScript SDK, a client nobody here wrote, works against the stand-in over Socket Mode."""

import fcntl
import json
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.slack import people
from tests.conformance.tools import LONGEST_S
from tests.support.sandbox import PATIENCE_S
from tests.support.slack_server import Workspace, slack_workspace
from tests.support.tools import unavailable

pytestmark = [pytest.mark.conformance, pytest.mark.xdist_group("bolt_js")]

BOLT = "5.1.0"
ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools" / "js"
APP = Path(__file__).with_name("js") / "bolt_app.cjs"


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder of node modules with @slack/bolt in it, installed on first use."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        unavailable("node and npm (20 or newer) are needed to run @slack/bolt; neither is installed here")
    installed = TOOLS / "node_modules" / "@slack" / "bolt" / "package.json"
    with one_at_a_time(TOOLS / "lock"):
        if not installed.exists() or json.loads(installed.read_text())["version"] != BOLT:
            command = [str(npm), "install", "--prefix", str(TOOLS), "--no-audit", "--no-fund", f"@slack/bolt@{BOLT}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
            if done.returncode:
                unavailable(f"npm could not install @slack/bolt {BOLT}: {done.stderr[-300:]}")
    return TOOLS / "node_modules"


class JsApp:
    """The app as a process; `says` gives the next line that it printed."""

    def __init__(self, workspace: Workspace, modules: Path) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "NODE_PATH": str(modules),
            "SLACK_API_URL": f"{workspace.url}/api/",
            "SLACK_BOT_TOKEN": workspace.slack.bot_token,
            "SLACK_APP_TOKEN": workspace.slack.app_token,
        }
        self.process = subprocess.Popen(["node", str(APP)], env=environment, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("{"):
                self._lines.put(line)

    def says(self) -> dict[str, Any]:
        return json.loads(self._lines.get(timeout=PATIENCE_S))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with slack_workspace() as served:
        yield served


@pytest.fixture(scope="module")
def app(workspace: Workspace, modules: Path) -> Iterator[JsApp]:
    running = JsApp(workspace, modules)
    try:
        assert running.says() == {"ready": True}
        yield running
    finally:
        running.close()


def test_bolt_for_javascript_answers_a_command_a_click_and_a_form(app: JsApp, workspace: Workspace) -> None:
    workspace.post("reset")
    answer = workspace.types("ana", "/tb migrate members add field x")
    assert answer["ack"]["text"] == "on it: migrate members add field x"
    ts = app.says()["ts"]
    assert workspace.clicks("ben", ts, "approve")["ack"]["status"] == "acked"
    assert app.says() == {"got": "click", "user": people.BEN.id}
    seen = [(m["text"], m["ephemeral"], m["thread_ts"]) for m in workspace.messages(user="ben")]
    assert seen == [(f"v1 by {people.BEN.id}", False, None), ("starting", False, ts), ("thank you", True, None)]
    (view,) = workspace.get("slack/views", user="ben")["views"]
    refused = workspace.post("slack/submit", user="ben", view_id=view["id"], values={"why": "no"})
    assert refused["errors"] == {"why": "Say more."}
    assert workspace.post("slack/submit", user="ben", view_id=view["id"], values={"why": "because"})["ok"]
    assert app.says() == {"got": "submission", "value": "because"}
    assert workspace.get("slack/views", user="ben")["views"] == []


def test_bolt_for_javascript_hears_a_mention_and_comes_back_after_a_disconnect(
    app: JsApp, workspace: Workspace
) -> None:
    workspace.post("reset")
    before = workspace.get("log")["last"]
    assert workspace.post("slack/disconnect", reason="refresh_requested")["connections"] == 1
    workspace.wait_for("/link/", after=before)
    deadline = time.monotonic() + PATIENCE_S
    while workspace.get("slack/stats")["connections"] != 1:  # what goes over the one that it leaves may be lost
        assert time.monotonic() < deadline, "both connections stay"
    assert workspace.types("ana", "@tb status")["ack"]["status"] == "acked"
    assert app.says() == {"got": "mention", "text": f"<@{people.BOT_USER}> status"}


def test_bolt_for_javascript_acks_in_time(app: JsApp, workspace: Workspace) -> None:
    workspace.post("reset")
    for n in range(5):
        assert workspace.types("ana", f"/tb {n}", channel="alerts")["ack"]["status"] == "acked"
        assert app.says()["got"] == "command"
    assert workspace.get("slack/stats")["late_or_missing"] == 0
