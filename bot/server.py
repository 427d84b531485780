"""The bot's HTTP side: health and metrics always, Slack's signed requests in HTTP mode."""

import threading
from collections.abc import Awaitable, Callable, Mapping

import psycopg
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from psycopg_pool import PoolTimeout
from slack_bolt import App, BoltRequest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from config import metrics
from config.log import logger
from ledger import gauges
from ledger.connection import Pool
from ledger.gauges import Figures

EVENTS = "/slack/events"  # the manifest's request URLs end in it
ASK_S = 1.0
MOST_BYTES = 1_000_000  # of a request: Slack's largest, a click on a full card, has a tenth of it

# What Bolt raises on a body or on headers that it cannot read. It reads them before it checks the signature,
# so that anybody could send such; errors of a listener do not come this far.
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)

_log = logger("bot")


def web(pool: Pool, slack: App | None, hears: Callable[[], bool]) -> Starlette:
    """``slack`` None: no requests from Slack are taken (socket mode). ``hears``: whether Slack can reach the bot."""

    async def health(_: Request) -> Response:
        stored = await run_in_threadpool(_figures, pool) is not None
        well = stored and hears()
        return JSONResponse({"ok": well, "ledger": stored, "slack": hears()}, 200 if well else 503)

    async def measured(_: Request) -> Response:
        figures = await run_in_threadpool(_figures, pool)
        if figures is None:
            return PlainTextResponse("the ledger does not answer\n", 503)
        return Response(_exposition(figures), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/health", health), Route("/metrics", measured)]
    if slack is not None:
        routes.append(Route(EVENTS, _events(slack), methods=["POST"]))
    return Starlette(routes=routes)


def _events(app: App) -> Callable[[Request], Awaitable[Response]]:
    """Bolt checks the signature and calls a listener; in a thread, since a listener stores (facts/slack.md §1.4)."""

    async def events(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse("too long\n", 413)
        if not _could_be_signed(request.headers):
            return PlainTextResponse("not signed\n", 401)
        try:
            asked = BoltRequest(
                body=body.decode("utf-8", "replace"), query=request.url.query, headers=dict(request.headers)
            )
            answer = await run_in_threadpool(app.dispatch, asked)
        except _UNREADABLE as exc:
            _log.warning("a request could not be read", error=f"{type(exc).__name__}: {exc}")
            return PlainTextResponse("not readable\n", 400)
        headers = {name: values[0] for name, values in answer.headers.items() if name.lower() != "content-length"}
        return Response(answer.body, answer.status, headers)

    return events


async def _body(request: Request) -> bytes | None:
    """All of it; None when it is longer than anything that Slack sends."""
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > MOST_BYTES:
            return None
    return bytes(read)


def _could_be_signed(headers: Mapping[str, str]) -> bool:
    """Whether there is a time and a signature that Bolt can look at; whether they are right is for Bolt to say."""
    stamp, signature = (headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature"))
    return stamp.isascii() and stamp.isdigit() and signature.isascii()


def _figures(pool: Pool) -> Figures | None:
    try:
        with pool.connection(timeout=ASK_S) as conn:
            return gauges.figures(conn)
    except (psycopg.Error, PoolTimeout):
        return None


def _exposition(figures: Figures) -> bytes:
    registry = CollectorRegistry()
    runs = Gauge(metrics.RUNS, "Runs by state.", ["state"], registry=registry)
    for state, number in figures.runs.items():
        runs.labels(state).set(number)
    incidents = Gauge(metrics.INCIDENTS_OPEN, "Open incidents.", ["environment", "kind"], registry=registry)
    for (environment, kind), number in figures.incidents.items():
        incidents.labels(environment, kind).set(number)
    _watches(figures, registry)
    singles = (
        (metrics.TICKS_BEHIND_SECONDS, "How long the longest due run has waited.", figures.ticks_behind_s),
        (metrics.INBOX_OPEN, "Deliveries not handled.", figures.inbox_open),
        (metrics.MESSAGES_BEHIND, "Messages that show an older state.", figures.messages_behind),
    )
    for name, about, value in singles:
        Gauge(name, about, registry=registry).set(value)
    return generate_latest(registry)


def _watches(figures: Figures, registry: CollectorRegistry) -> None:
    looked = Gauge(
        metrics.WATCH_LOOKED, "When a look of the watch came to its end.", ["environment"], registry=registry
    )
    behind = Gauge(metrics.WATCH_BEHIND_SECONDS, "How long ago that was.", ["environment"], registry=registry)
    failing = Gauge(metrics.WATCH_FAILING_SECONDS, "How long no look has.", ["environment"], registry=registry)
    for watch in figures.watches:
        failing.labels(watch.environment).set(watch.failing_s)
        if watch.looked_at is not None and watch.behind_s is not None:
            looked.labels(watch.environment).set(watch.looked_at)
            behind.labels(watch.environment).set(watch.behind_s)


class Server:
    """uvicorn in a thread of its own; signals are left to the process."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False))
        self._thread = threading.Thread(target=self._server.run, name="bot-http", daemon=True)

    @property
    def port(self) -> int:
        """The port it really listens on."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    def start(self, within_s: float = 5.0) -> None:
        """Listening when it returns; ``OSError`` when it cannot."""
        self._thread.start()
        pause = threading.Event()
        for _ in range(int(within_s / 0.02)):
            if self._server.started:
                return
            if not self._thread.is_alive():
                break
            pause.wait(0.02)
        raise OSError("the bot's HTTP server did not start; is slack.port taken?")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(5)
