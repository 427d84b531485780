"""HTTP to the outside: the only module that imports httpx.

Reading is tried again, for a few times and never past the call's 25 s. What changes something asks the
permit, is sent once, and is never repeated here: only the next look decides whether it took (DESIGN §5).
"""

import functools
import json
import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, Protocol, TypeVar, runtime_checkable
from urllib.parse import quote

import httpx

from systems.errors import SystemsError
from systems.permit import Permit
from systems.redact import redact

CALL_S = 25.0  # the whole call, its repetitions included
CONNECT_S = 3.0
READ_S = 20.0
TRIES = 4
PAUSE_S = 0.2  # the first pause's upper bound; doubled each time, with full jitter
RETRY_AFTER_CAP_S = 5.0  # a longer wish is not waited for here: the engine comes again

_READ_AGAIN = frozenset({429, 502, 503, 504})
_MAY_SUCCEED_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})

Params = Mapping[str, str] | Sequence[tuple[str, str]]
_Made = TypeVar("_Made")
OnCall = Callable[[str, str, int | None], None]  # system, method, status: for a counter
Said = Callable[[Any], str]  # a parsed error body to the system's own words


@runtime_checkable
class Renewable(Protocol):
    """A token that is asked for anew once a system has refused it with 401."""

    def __call__(self) -> str: ...

    def forget(self) -> None: ...


def said_error(body: Any) -> str:
    """The usual envelope: ``{"error": text}``, or ``{"message": text}``."""
    if not isinstance(body, dict):
        return ""
    fields: dict[str, Any] = body  # pyright: ignore[reportUnknownVariableType]
    return str(fields.get("error") or fields.get("message") or "")


@dataclass(frozen=True)
class Manner:
    """How a system differs from the usual."""

    said: Said = said_error
    later: frozenset[int] = frozenset()  # further statuses after which the same call may succeed later
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    again: frozenset[int] = _READ_AGAIN


def _ignore(system: str, method: str, status: int | None) -> None:
    """Nobody counts."""


@dataclass(frozen=True)
class Wire:
    """What lies between a client and its system; replaced in tests. ``call_s`` bounds a call with its repetitions."""

    transport: httpx.BaseTransport | None = None
    on_call: OnCall = _ignore
    call_s: float = CALL_S
    uniform: Callable[[float, float], float] = random.uniform
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class _Sent:
    """One attempt's answer, read to its end. ``token`` is what it was asked with, to be kept out of its words."""

    status: int
    headers: httpx.Headers
    body: bytes
    token: str = field(repr=False)


class Http:
    """One system behind one base URL. ``token`` travels in the Authorization header and nowhere else; a function is
    called for each request, for tokens that rotate. ``ca_file`` is trusted instead of the usual authorities.

    ``permitted`` copies share their connections, so a client for each tick costs nothing.
    """

    def __init__(
        self,
        system: str,
        url: str,
        token: str | Callable[[], str] | None,
        permit: Permit,
        *,
        manner: Manner | None = None,
        wire: Wire | None = None,
        ca_file: str | None = None,
    ) -> None:
        self.system = system
        self._permit = permit
        self._manner = manner or Manner()
        self._token = token
        self._wire = wire or Wire()
        self._client = httpx.Client(
            base_url=url,
            headers={"User-Agent": "tbops", "Accept": "application/json", **self._manner.headers},
            verify=_authorities(ca_file),
            transport=self._wire.transport,
            # What runs on this machine is never behind a proxy.
            mounts={"all://127.0.0.1": None, "all://localhost": None},
            # Servers close idle connections after 5 s or more; a call that changes something must not meet that.
            limits=httpx.Limits(max_connections=8, keepalive_expiry=2.0),
        )

    def permitted(self, permit: Permit) -> "Http":
        """The same system under another permit."""
        other = object.__new__(Http)
        other.__dict__.update(self.__dict__)
        other._permit = permit
        return other

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON at ``path``. Raises ``SystemsError``."""
        return self._read("GET", path, params=params)

    def fetch(self, path: str, params: Params | None = None, *, accept: str) -> bytes:
        """The bytes at ``path``, in the media type that ``accept`` names."""
        sent = self._answer("GET", path, lambda _, sent: sent, params=params, headers={"Accept": accept})
        return sent.body

    def ask(self, path: str, params: Params | None = None, *, body: str) -> Any:
        """A question too long for a URL: a POST that changes nothing, so it is treated as a GET."""
        return self._read("POST", path, params=params, content=body.encode())

    def rehearse(self, path: str, form: Mapping[str, str]) -> Any:
        """A dry run that the system offers as a POST of a form: it changes nothing, so it is treated as a GET."""
        return self._read("POST", path, data=form)

    def inquire(self, path: str, body: Any) -> Any:
        """A question that the system takes as a POST of JSON: it changes nothing, so it is treated as a GET."""
        return self._read("POST", path, json=body)

    def change(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        form: Mapping[str, str] | None = None,
        body: Any = None,
        text: str | None = None,
        media: str | None = None,
    ) -> Any:
        """Ask the permit, send once, return the parsed answer (None for an empty one). Raises ``SystemsError``.

        ``form`` is sent URL-encoded, ``body`` as JSON, ``text`` as it is; ``media`` names another content type.
        """
        call = f"{method} {path}"
        self._permit(self.system, call)
        content = None if text is None else text.encode()
        deadline = self._wire.clock() + self._wire.call_s
        headers = {"Content-Type": media} if media else {}
        sent = self._send(method, path, deadline, params=params, data=form, json=body, content=content, headers=headers)
        return self._parsed(call, sent)

    def _read(self, method: str, path: str, **request: Any) -> Any:
        return self._answer(method, path, self._parsed, **request)

    def _answer(self, method: str, path: str, made: Callable[[str, "_Sent"], _Made], **request: Any) -> _Made:
        """What ``made`` makes of the answer, asked for again while that may help."""
        call = f"{method} {path}"
        deadline = self._wire.clock() + self._wire.call_s
        for attempt in range(1, TRIES + 1):
            wish: float | None = None
            try:
                sent = self._send(method, path, deadline, **request)
                if sent.status in self._manner.again:
                    wish = _retry_after(sent.headers)
                if sent.status >= 300:
                    self._refuse(call, sent)
                return made(call, sent)
            except SystemsError as error:
                pause = self._pause(attempt, wish)
                last = attempt == TRIES or self._wire.clock() + pause >= deadline
                if last or (wish or 0) > RETRY_AFTER_CAP_S or not self._worth_again(error):
                    raise
                self._wire.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _worth_again(self, error: SystemsError) -> bool:
        """An answer that was cut or garbled is asked for again like one that did not come."""
        if error.status is None or error.status < 300:
            return error.retryable
        return error.status in self._manner.again

    def _pause(self, attempt: int, wish: float | None) -> float:
        jitter = self._wire.uniform(0, PAUSE_S * 2 ** (attempt - 1))
        return jitter if wish is None else wish + jitter

    def _send(
        self, method: str, path: str, deadline: float, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> _Sent:
        call = f"{method} {path}"
        left = max(deadline - self._wire.clock(), 0.1)
        timeout = httpx.Timeout(min(READ_S, left), connect=min(CONNECT_S, left))
        status: int | None = None
        token = self._bearer(call)
        headers = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            with self._client.stream(method, path, timeout=timeout, headers=headers, **request) as response:
                status = response.status_code
                parts: list[bytes] = []
                for part in response.iter_bytes():
                    parts.append(part)
                    if self._wire.clock() > deadline:
                        raise httpx.ReadTimeout("the answer did not end in time")
                return _Sent(status, response.headers, b"".join(parts), token)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            said = redact(f"{_plain(exc)} ({type(exc).__name__})", (token,))
            raise SystemsError(self.system, call, retryable=True, said=said) from exc
        finally:
            self._wire.on_call(self.system, method, status)

    def _bearer(self, call: str) -> str:
        """The token as it is now; empty for none."""
        if not callable(self._token):
            return self._token or ""
        try:
            return self._token()
        except OSError as exc:
            said = f"nothing was sent, as the token cannot be read: {exc.strerror}"
            raise SystemsError(self.system, call, retryable=True, said=said) from exc

    def _parsed(self, call: str, sent: _Sent) -> Any:
        if sent.status >= 300:
            self._refuse(call, sent)
        if not sent.body.strip():
            return None
        try:
            return json.loads(sent.body)
        except ValueError as exc:
            said = "an HTML page instead of JSON" if _is_html(sent) else "an answer that is not JSON"
            raise SystemsError(self.system, call, status=sent.status, retryable=True, said=said) from exc

    def _refuse(self, call: str, sent: _Sent) -> NoReturn:
        if sent.status == 401 and isinstance(self._token, Renewable):
            self._token.forget()
        asked_to_wait = "retry-after" in sent.headers or sent.headers.get("x-ratelimit-remaining") == "0"
        later = sent.status in _MAY_SUCCEED_LATER or sent.status in self._manner.later or asked_to_wait
        said = redact(self._words(sent), (sent.token,))
        raise SystemsError(self.system, call, status=sent.status, retryable=later, said=said)

    def _words(self, sent: _Sent) -> str:
        if _is_html(sent):
            return "an HTML page instead of JSON"
        try:
            return self._manner.said(json.loads(sent.body)) or _text(sent.body)
        except ValueError:
            return _text(sent.body)


@functools.cache
def _authorities(ca_file: str | None) -> ssl.SSLContext:
    """Whom all clients of this process trust. Reading them takes 30 ms: once, not for each client of each worker."""
    return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()


def segment(name: str) -> str:
    """A name as one segment of a path, whatever it holds."""
    return quote(name, safe="")


def _text(body: bytes) -> str:
    return body[:2000].decode(errors="replace")


def _is_html(sent: _Sent) -> bool:
    return "html" in sent.headers.get("content-type", "") or sent.body[:200].lstrip().lower().startswith(
        (b"<!doctype", b"<html")
    )


def _plain(exc: Exception) -> str:
    match exc:
        case httpx.ConnectTimeout() | httpx.ConnectError():
            return "no connection"
        case httpx.TimeoutException():
            return "no answer in time"
        case httpx.TransportError():
            return "the connection was cut"
        case _:
            return str(exc)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds from ``Retry-After`` (seconds or a date); None without one."""
    wish = headers.get("retry-after")
    if not wish:
        return None
    try:
        return max(float(wish), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(wish).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
