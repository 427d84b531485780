"""Bringing commands, interactions and events to the app, and what became of each.

Socket Mode unless a request URL is configured; then signed HTTP POSTs. Either way the app has three
seconds. Events that are not acked come again; commands and interactions do not (facts/slack.md §2.7).
"""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sandbox.slack.sockets import Sockets

if TYPE_CHECKING:
    import httpx

ACK_LIMIT_S = 3.0
RETRY_AFTER_S = (0.0, 60.0, 300.0)  # the Events API's: at once, after a minute, after five


@dataclass
class Attempt:
    """One delivery. ``status``: ``acked``, ``operation_timeout``, ``dispatch_failed``; latency None = never acked."""

    kind: str
    via: str
    envelope_id: str
    retry: int
    status: str = "operation_timeout"
    latency_ms: float | None = None
    payload: Any = None
    http_status: int | None = None


@dataclass(frozen=True)
class Parcel:
    """What is to be delivered: ``kind`` is the Socket Mode envelope's type."""

    kind: str
    payload: dict[str, Any]
    accepts_payload: bool


class Delivery:
    def __init__(self, sockets: Sockets, signing_secret: str, knobs: dict[str, Any]) -> None:
        self._sockets = sockets
        self._knobs = knobs
        self._secret = signing_secret
        self._client: httpx.AsyncClient | None = None
        self._redeliveries: set[asyncio.Task[None]] = set()
        self.request_url: str | None = None
        self.attempts: list[Attempt] = []

    async def deliver(self, parcel: Parcel, retry: int = 0, reason: str = "") -> Attempt:
        """Deliver once and wait for the ack, three seconds at most (the knob ``slack.ack_limit_s``)."""
        via = "http" if self.request_url else "socket"
        attempt = Attempt(parcel.kind, via, str(uuid.uuid4()), retry)
        self.attempts.append(attempt)
        started = time.perf_counter()
        if self.request_url:
            await self._post(self.request_url, parcel, attempt, reason, started)
        else:
            await self._send(parcel, attempt, reason, started)
        return attempt

    async def event(self, parcel: Parcel) -> Attempt:
        """Deliver an event; when it is not acked it comes again in the background."""
        attempt = await self.deliver(parcel)
        if attempt.status != "acked":
            task = asyncio.create_task(self._again(parcel))
            self._redeliveries.add(task)
            task.add_done_callback(self._redeliveries.discard)
        return attempt

    async def _again(self, parcel: Parcel) -> None:
        for number, wait in enumerate(RETRY_AFTER_S, start=1):
            await asyncio.sleep(wait)
            if (await self.deliver(parcel, number, "timeout")).status == "acked":
                return

    async def _send(self, parcel: Parcel, attempt: Attempt, reason: str, started: float) -> None:
        envelope: dict[str, Any] = {
            "type": parcel.kind,
            "envelope_id": attempt.envelope_id,
            "accepts_response_payload": parcel.accepts_payload,
            "payload": parcel.payload,
        }
        if parcel.kind == "events_api":
            envelope |= {"retry_attempt": attempt.retry, "retry_reason": reason}
        ack = await self._sockets.deliver(envelope)
        if ack is None:
            attempt.status = "dispatch_failed"
            return
        ack.add_done_callback(lambda done: self._acked(attempt, done, started))
        await asyncio.wait({ack}, timeout=self._limit_s)

    def _acked(self, attempt: Attempt, ack: asyncio.Future[Any], started: float) -> None:
        """Also called for acks that come too late: their latency is kept, their status is not changed."""
        if ack.cancelled():
            return
        attempt.latency_ms = round((time.perf_counter() - started) * 1000, 3)
        if attempt.latency_ms <= self._limit_s * 1000:
            attempt.status = "acked"
            attempt.payload = ack.result()

    async def _post(self, url: str, parcel: Parcel, attempt: Attempt, reason: str, started: float) -> None:
        import httpx  # only apps with a request URL need it, and it takes long to import

        body, kind = _encode(parcel)
        headers = {"content-type": kind, **self.signature(body)}
        if attempt.retry:
            headers |= {"x-slack-retry-num": str(attempt.retry), "x-slack-retry-reason": f"http_{reason}"}
        try:
            answer = await self._http().post(url, content=body, headers=headers, timeout=self._limit_s)
        except httpx.TimeoutException:
            return
        except httpx.HTTPError:
            attempt.status = "dispatch_failed"
            return
        attempt.latency_ms = round((time.perf_counter() - started) * 1000, 3)
        attempt.http_status = answer.status_code
        attempt.status = "acked" if answer.status_code == 200 else "dispatch_failed"
        if attempt.status == "acked":
            attempt.payload = _decode(answer)

    @property
    def _limit_s(self) -> float:
        return float(self._knobs["slack.ack_limit_s"])

    def signature(self, body: str) -> dict[str, str]:
        """The two headers by which the app knows that it is Slack who calls (facts/slack.md §1.3)."""
        stamp = str(int(time.time()))
        digest = hmac.new(self._secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}

    async def verify(self, url: str) -> bool:
        """Slack's url_verification handshake: the app must answer the challenge."""
        import httpx

        challenge = uuid.uuid4().hex
        body = json.dumps({"type": "url_verification", "challenge": challenge, "token": "sandbox"})
        headers = {"content-type": "application/json", **self.signature(body)}
        try:
            answer = await self._http().post(url, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and challenge in answer.text

    def _http(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=ACK_LIMIT_S, trust_env=False)
        return self._client

    def stats(self) -> dict[str, Any]:
        acks = [{k: v for k, v in asdict(a).items() if k != "payload"} for a in self.attempts]
        return {
            "acks": acks,
            "redeliveries": sum(1 for a in self.attempts if a.retry),
            "late_or_missing": sum(1 for a in self.attempts if a.status == "operation_timeout"),
            "connections": len(self._sockets.connections),
            "request_url": self.request_url,
        }

    def forget(self) -> None:
        for task in self._redeliveries:
            task.cancel()
        self._sockets.forget_acks()
        self.attempts.clear()

    async def close(self) -> None:
        self.forget()
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _encode(parcel: Parcel) -> tuple[str, str]:
    form = "application/x-www-form-urlencoded"
    match parcel.kind:
        case "slash_commands":
            return urlencode(parcel.payload), form
        case "interactive":
            return urlencode({"payload": json.dumps(parcel.payload)}), form
        case _:
            return json.dumps(parcel.payload), "application/json"


def _decode(answer: "httpx.Response") -> Any:
    """An ack's body: a JSON object, plain text (a slash command's first answer), or nothing."""
    text = answer.text
    if not text.strip():
        return None
    try:
        decoded = json.loads(text)
    except ValueError:
        return {"text": text}
    return decoded if isinstance(decoded, dict) else {"text": text}
