"""Socket Mode: connections, envelopes and their acks (facts/slack.md §2.7).

Every envelope goes to one of the open connections, picked at random, as Slack does.
"""

import asyncio
import json
import random
import secrets
import time
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.log import RequestLog
from sandbox.slack.people import APP

TICKET_LIFE_S = 30.0


class Connection:
    """One socket of the app. ``drop`` ends it without a close frame, as a cut network does."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.dropped = asyncio.Event()

    async def send(self, frame: dict[str, Any]) -> None:
        await self.websocket.send_text(json.dumps(frame))


class Sockets:
    """Connections are written into the request log as ``WEBSOCKET /link/``, so that tests can wait for one."""

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        self._tickets: dict[str, float] = {}
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self.connections: list[Connection] = []

    def ticket(self) -> str:
        """A single-use, short-lived ticket for ``/link/``."""
        ticket = secrets.token_hex(12)
        self._tickets[ticket] = time.monotonic()
        return ticket

    async def serve(self, websocket: WebSocket) -> None:
        """The ``/link/`` endpoint: hello first, then acks until either side goes away."""
        issued = self._tickets.pop(websocket.query_params.get("ticket", ""), None)
        if issued is None or time.monotonic() - issued > TICKET_LIFE_S:
            await websocket.close(code=1008)
            return
        await websocket.accept()
        connection = Connection(websocket)
        self.connections.append(connection)
        dropped = asyncio.create_task(connection.dropped.wait())
        reading = asyncio.create_task(self._read(connection))
        try:
            await connection.send(self._hello())
            self._log.finish(self._log.add("slack", "WEBSOCKET", "/link/"), 101)
            await asyncio.wait({dropped, reading}, return_when=asyncio.FIRST_COMPLETED)
        except (WebSocketDisconnect, RuntimeError):
            pass  # it went away while hello was being sent
        finally:
            self._forget(connection)
            dropped.cancel()
            reading.cancel()

    def _hello(self) -> dict[str, Any]:
        debug = {"host": "applink-1", "build_number": 1, "approximate_connection_time": 18060}
        info = {"app_id": APP}
        return {"type": "hello", "num_connections": len(self.connections), "debug_info": debug, "connection_info": info}

    async def _read(self, connection: Connection) -> None:
        while True:
            try:
                text = await connection.websocket.receive_text()
            except (WebSocketDisconnect, RuntimeError):
                self._forget(connection)
                return
            try:
                frame = json.loads(text)
            except ValueError:
                continue  # the SDK's own "ping" texts are no JSON
            waiting = self._waiting.get(frame.get("envelope_id", "")) if isinstance(frame, dict) else None
            if waiting and not waiting.done():
                waiting.set_result(frame.get("payload"))

    def _forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)

    async def deliver(self, envelope: dict[str, Any]) -> asyncio.Future[Any] | None:
        """Send to one connection; the future is the ack's payload. None when nobody is connected."""
        while self.connections:
            connection = random.choice(self.connections)
            ack: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._waiting[envelope["envelope_id"]] = ack
            try:
                await connection.send(envelope)
            except (WebSocketDisconnect, RuntimeError):
                self._forget(connection)
                continue
            return ack
        return None

    async def disconnect(self, reason: str) -> int:
        """Ask every connection to come again (`warning`, `refresh_requested`, …); how many were asked."""
        asked = list(self.connections)
        for connection in asked:
            await connection.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})
        return len(asked)

    def drop(self) -> int:
        """Cut every connection without a close frame; how many were cut."""
        cut = list(self.connections)
        for connection in cut:
            self._forget(connection)
            connection.dropped.set()
        return len(cut)

    def forget_acks(self) -> None:
        """On a reset: what was delivered before is no longer waited for."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()
