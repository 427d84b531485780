"""The demo's stage: a sandbox of its own, people's hands in it, and questions to its systems.

Nothing here asks the bot: what happened is read from the channel, from Postgres and from Tinybird.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import tuple_row


class DemoFailed(Exception):
    """The demo could not go on, or what it promised did not come true."""


class Stage:
    """A running sandbox. Use it as a context manager: at the end nothing of it is left."""

    def __init__(self, *, speed: float) -> None:
        self._speed = speed
        self._process: subprocess.Popen[str] | None = None
        self._heard = 0  # of the request log
        self.ready: Mapping[str, Any] = {}

    def __enter__(self) -> "Stage":
        command = [sys.executable, "-m", "tbops", "sandbox", "--port", "0", "--speed", str(self._speed)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DemoFailed("the sandbox did not start; it says why above")
        self.ready = json.loads(line)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # the group is ours: started as a session of its own

    @property
    def page(self) -> str:
        return str(self.ready["slack"]["url"])

    def types(self, person: str, text: str) -> str:
        """Somebody types a line in #migrations; what Slack showed them at once."""
        got = self._post("/sandbox/slack/command", {"user": person, "channel": "migrations", "text": text})
        return str(got.get("ack", {}).get("text") or "")

    def clicks(self, person: str, message: Mapping[str, Any], action: str) -> None:
        self._post(
            "/sandbox/slack/click",
            {"user": person, "channel": "migrations", "message_ts": message["ts"], "action_id": action},
        )

    def messages(self, channel: str = "migrations", *, seen_by: str | None = None) -> list[dict[str, Any]]:
        user = f"?user={seen_by}" if seen_by else ""
        return self._get(f"/sandbox/slack/channels/{channel}/messages{user}")["messages"]

    def waits(self, seconds: float) -> None:
        """Until some system is asked something, by the sandbox's request log; ``seconds`` at most."""
        self._heard = int(self._get(f"/sandbox/log?after={self._heard}&wait={seconds}")["last"])

    def advances(self, seconds: float) -> None:
        """Move the platform's clock on."""
        self._post("/sandbox/clock", {"advance_s": seconds})

    def platform_time(self) -> float:
        """The platform clock, seconds since 1970."""
        return float(self._get("/sandbox/state")["time"])

    def source(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection to the source database, autocommit."""
        return psycopg.connect(self.ready["postgres"], autocommit=True, row_factory=tuple_row)

    def ledger_row(self, query: str, *values: object) -> tuple[Any, ...]:
        with psycopg.connect(self.ready["ledger"], autocommit=True, row_factory=tuple_row) as conn:
            row = conn.execute(query, values).fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue]  # literals of ours
        assert row is not None
        return row

    def tinybird(self, query: str) -> list[dict[str, Any]]:
        """Rows of one query to the workspace."""
        system = self.ready["tinybird"]
        address = f"{system['url']}/v0/sql?{urllib.parse.urlencode({'q': query + ' FORMAT JSON'})}"
        return _fetch(urllib.request.Request(address, headers={"Authorization": f"Bearer {system['token']}"}))["data"]

    def asks(self, system: str, path: str) -> Any:
        """GET one of the other systems' APIs."""
        where = self.ready[system]
        headers = {"Authorization": f"Bearer {where['token']}"} if "token" in where else {}
        return _fetch(urllib.request.Request(where["url"] + path, headers=headers))

    def _get(self, path: str) -> dict[str, Any]:
        return _fetch(urllib.request.Request(self.page + path))

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        return _fetch(urllib.request.Request(self.page + path, data=data, headers=headers, method="POST"))


def _fetch(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # the sandbox's own addresses
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise DemoFailed(
            f"{request.full_url.split('?')[0]} answered {refused.code}: {refused.read()[:300]!r}"
        ) from refused
