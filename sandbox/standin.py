"""What every stand-in shares: the world it lives in, and the door each request comes through.

A stand-in is a Starlette application wrapped by ``door``: the door writes the request log and serves
the faults, so that no stand-in needs to know of either.
"""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.clock import PlatformClock
from sandbox.faults import Fault, Faults
from sandbox.log import RequestLog

# Behaviours of the real systems that differ between workspaces or are not known for certain
# (facts/procedures.md §7). Tests set them by POST /sandbox/knobs; a reset brings these back.
KNOBS: dict[str, Any] = {
    "tinybird.rename_rewrites_references": False,
    "tinybird.delete_drops_scopes": True,
    "tinybird.events_visible_after_s": 0.0,  # 202 before visible
    "tinybird.events_stale_schema_s": 0.0,  # after alter or recreate, by the platform clock
    "tinybird.exchange_enabled": False,
    "tinybird.exchange_moves_ids": False,  # an id goes with its table, as when one is renamed; else it stays by name
    "tinybird.exchange_same_keys_only": False,  # tables of the same columns and other keys are refused
    "tinybird.copy_quota": 12,
    "tinybird.copy_rows_per_s": 50_000.0,  # by the platform clock
    "tinybird.copy_cancel_working": True,
    "tinybird.copy_pretended_rows": -1,  # a copy only says that it wrote so many; -1: it copies. For weeks of schedules
    "tinybird.copy_memory_bytes": 0,  # what one copy may take, refused in ClickHouse's words; 0: all
    "tinybird.quota_scheduled": "wait",  # what a scheduled run over the quota does; else "error": it ends at its tick
    "tinybird.jobs_log_lag_s": 0.0,  # jobs_log shows how jobs stood so long ago, by the platform clock
    "tinybird.jobs_log_drop": "",  # columns with commas that jobs_log does not have
    "tinybird.jobs_log_types": "times",  # else "strings": times as text
    "tinybird.ops_log_lag_s": 0.0,  # the same of datasources_ops_log: a run's rows may be seen after its end, or before
    "tinybird.ops_log_drop": "",
    "tinybird.ops_log_types": "times",
    "tinybird.log_skew_s": 0.0,  # times in jobs_log and datasources_ops_log are ahead of now() by so much
    "tinybird.forward": False,
    "tinybird.copy_timeout_s": 3600.0,  # by the platform clock
    "tinybird.rename_moves_scopes": True,  # scopes hang on the table's id and follow its new name
    "tinybird.alter_changes_default": True,
    "tinybird.null_takes_default": True,  # an explicit JSON null into a column with DEFAULT; else quarantine
    "tinybird.insert_deduplication": False,  # an identical insert is swallowed
    "tinybird.creates_per_minute": 1000,  # 25 in the real one; by the machine's clock
    "kafka.creates_topics": False,  # a topic comes with the first message for it, as auto.create.topics.enable has it
    "sequin.backfill_start_delay_s": 20.0,
    "sequin.slot_restart_s": 5.0,
    "sequin.redeliver_on_restart": 0,  # how many of the last messages come again, in their old shape
    "sequin.buffer_messages": 50_000,
    "sequin.backfill_rows_per_s": 2_000.0,
    "connect.offset_flush_s": 10.0,
    "connect.pause_lost_on_restart": False,  # by REST, or of a distributed worker; a standalone one's always is
    "connect.mode": "standalone",  # configuration from a properties text at start; else "distributed": it lives in REST
    "connect.properties": "",  # what lies in the file that a standalone worker reads; empty: whatever else says it
    "connect.starting_s": 3.0,  # by the platform clock, while a worker that has begun does not know its connector yet
    "connect.task_fails_on_restart": False,
    "sequin.buffer_bytes": 102_000_000,
    "sequin.backfill_page_rows": 1_000,
    "sequin.catalog_lag_s": 1.0,  # a changed relation is noticed; the cached columns follow this much later
    "connect.batch_count": 500,  # the estate's is 10; see sandbox/connect/task.py
    "connect.retry_pause_s": 0.2,  # by the machine's clock; the real one waits seconds
    "connect.retries": 5,
    "connect.error_threshold": 5,
    "connect.rebalance_409": 0,  # how many of the next changing requests are answered 409
    "kubernetes.pod_start_s": 5.0,  # until a pod is ready, by the platform clock
    "kubernetes.pod_end_s": 10.0,  # until a pod that was asked to end is gone, by the platform clock
    "kubernetes.pods_fail": False,  # new pods never get ready
    "kubernetes.scaled_back_after_s": 0.0,  # an operator undoes a stop after so long; 0: nobody does
    "kubernetes.conflicts": 0,  # how many of the next writes come after somebody else's
    "kubernetes.may_scale": True,  # whether the service account may patch
    "kubernetes.writes_per_s": 0.0,  # activities, by the machine's clock, while a writer has a pod
    "github.check_delay_s": 3.0,  # from a push to the check run that it begins, by the platform clock
    "github.check_takes_s": 5.0,
    "github.check_conclusion": "",  # instead of what reading the datafiles comes to
    "github.check_never": False,
    "github.check_by_label": False,  # a check begins when a label is put on or a push comes, not when it is opened
    "github.mergeable_after_s": 1.0,  # `mergeable` is null so long after a push, by the platform clock
    "github.review_required": False,
    "github.required_checks": "",  # names with commas: these must be green before a merge
    "github.require_up_to_date": False,  # a head that lacks commits of its base cannot be merged
}


@dataclass(frozen=True)
class Ports:
    """The contract's ports: ``base`` is Slack's, the others follow in this order."""

    base: int

    @property
    def slack(self) -> int:
        return self.base

    @property
    def tinybird(self) -> int:
        return self.base + 1

    @property
    def sequin(self) -> int:
        return self.base + 2

    @property
    def connect(self) -> int:
        return self.base + 3

    @property
    def kubernetes(self) -> int:
        return self.base + 4

    @property
    def github(self) -> int:
        return self.base + 5

    @property
    def kafka(self) -> int:
        return self.base + 6

    @property
    def postgres(self) -> int:
        return self.base + 7

    @property
    def redis(self) -> int:
        return self.base + 8


@dataclass
class World:
    """What the stand-ins share: the clock, the log, the faults, the knobs and where things are."""

    ports: Ports
    clock: PlatformClock
    data: Path  # a private folder that is removed at the end
    seed: str = "small"
    log: RequestLog = field(default_factory=RequestLog)
    faults: Faults = field(default_factory=Faults)
    knobs: dict[str, Any] = field(default_factory=lambda: dict(KNOBS))

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}"

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self.ports.kafka}"

    @property
    def redis(self) -> str:
        return f"redis://127.0.0.1:{self.ports.redis}/0"

    def dsn(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.ports.postgres}/{database}"


class StandIn(Protocol):
    """One pretended system. ``create(world)`` in its package's ``__init__`` makes it."""

    name: str
    app: ASGIApp

    async def start(self) -> None:
        """Bring up threads and tables; called once, when Postgres, Redis and Kafka answer."""
        ...

    async def reset(self) -> None:
        """Back to the seed, in well under 0.5 s (DESIGN §11)."""
        ...

    async def stop(self) -> None: ...


TRANSPORT = "sandbox.transport"  # where the server leaves a request's connection in its scope


class Dropped(Exception):
    """The connection is to be cut, on purpose."""


def door(world: World, system: str, app: ASGIApp) -> ASGIApp:
    """Wrap a stand-in's application: log each request, serve a fault where one is due."""

    async def through(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] != "http" or path.startswith(("/sandbox", "/page")) or path in ("/", "/favicon.ico"):
            await app(scope, receive, send)
            return
        body = await _read(receive)
        query: str = scope.get("query_string", b"").decode("latin-1")
        entry = world.log.add(system, scope["method"], path, query, body.decode("utf-8", "replace"))
        fault = world.faults.take(system, scope["method"], path)
        entry.fault = fault.fault if fault else None
        sent: list[int] = []

        async def tap(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent.append(message["status"])
            await send(message)

        try:
            await _serve(app, scope, body, tap, fault)
        except Dropped:
            await _cut(scope)
        finally:
            world.log.finish(entry, sent[0] if sent else None)

    return through


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(chunks)


async def _serve(app: ASGIApp, scope: Scope, body: bytes, send: Send, fault: Fault | None) -> None:
    if fault is None:
        await app(scope, _replay(body), send)
        return
    match fault.kind:
        case "status":
            code, *rest = fault.arguments
            headers = [(b"content-type", b"application/json")]
            if rest:
                headers.append((b"retry-after", rest[0].encode()))
            text = b'{"ok":false,"error":"ratelimited"}' if code == "429" else b'{"ok":false,"error":"injected fault"}'
            await _answer(send, int(code), headers, text)
        case "drop_before":
            raise Dropped
        case "drop_after":
            await app(scope, _replay(body), _swallow)
            raise Dropped
        case "stall":
            await asyncio.sleep(float(fault.arguments[0]))
            await app(scope, _replay(body), send)
        case "garble":
            await app(scope, _replay(body), _garbling(send))
        case _:
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            await _answer(send, 502, [(b"content-type", b"text/html")], page)


def _replay(body: bytes) -> Receive:
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()  # the client is still there; nothing more comes
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _swallow(_: Message) -> None:
    return None


def _garbling(send: Send) -> Send:
    async def cut_short(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(k, v) for k, v in message["headers"] if k.lower() != b"content-length"]
            message = {**message, "headers": kept}
        elif message.get("body"):
            message = {
                **message,
                "body": message["body"][: max(1, len(message["body"]) // 2)],
            }
        await send(message)

    return cut_short


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _cut(scope: Scope) -> None:
    """Reset the connection: the client sees it dropped, without one byte of an answer."""
    scope["extensions"][TRANSPORT].abort()
    await asyncio.sleep(0)  # lets the server notice, so that it does not try to answer 500


def wall() -> float:
    """The machine's clock in seconds, for what is never scaled."""
    return time.time()
