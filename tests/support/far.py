"""Every system for the look of one step, where the sandbox does not say by itself what a test is about."""

from datetime import UTC, datetime
from typing import Any

import httpx

from runbooks.names import Names
from runbooks.site import Site
from systems.connect import Connect
from systems.http import Wire
from systems.kafka import Kafka
from systems.kubernetes import Kubernetes
from systems.postgres import Postgres
from systems.sequin import Sequin
from systems.tinybird import Tinybird

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)


def allowed(system: str, call: str) -> None:
    """Everything may be sent."""


class Far:
    """Every system at once: an answer for each call; 404 for what nobody said. ``sent`` are the changes."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.sent: list[httpx.Request] = []

    def say(self, call: str, body: Any, status: int = 200) -> None:
        self.answers[call] = (status, body)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            self.sent.append(request)
        status, body = self.answers.get(f"{request.method} {request.url.path}", (404, {"message": "not found"}))
        return httpx.Response(status, json=body)

    def site(self, restart: str = "rest") -> Site:
        wire = Wire(transport=httpx.MockTransport(self), sleep=lambda _: None)
        return Site(
            environment="test",
            run=7,
            now=NOW,
            tinybird=Tinybird("http://tb.example", "t", allowed, wire=wire),
            sequin=Sequin("http://sequin.example", "t", allowed, wire=wire),
            connect=Connect("http://connect.example", allowed, wire=wire),
            kafka=Kafka("127.0.0.1:1", call_s=0.1),
            postgres=Postgres("postgresql://127.0.0.1:1/x", allowed),
            kubernetes=Kubernetes("http://k8s.example", "t", allowed, wire=wire),
            names=Names(connect_restart=restart),
        )
