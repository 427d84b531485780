"""One event loop, a server a port: the sockets, the servers, and how a connection is cut on purpose."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.processes import SandboxError
from sandbox.standin import TRANSPORT, Ports

HTTP_PORTS = 6  # Slack, Tinybird, Sequin, Connect, Kubernetes, GitHub
OTHER_PORTS = 3  # Kafka, Postgres, Redis


class _CuttableProtocol(H11Protocol):
    """Gives the application its connection, so that a fault can drop it without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner: ASGIApp = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await inner(scope, receive, send)

        self.app = with_transport


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the sandbox and sleeps while nothing happens."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http=_CuttableProtocol,
            ws="wsproto",
            lifespan="off",
            log_level="error",
            access_log=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        while not self.stopping.is_set():
            await self.on_tick(0)  # renews the Date header
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), 1.0)


def bind(port: int) -> tuple[Ports, list[socket.socket]]:
    """Sockets for the HTTP ports of the block that begins at ``port``; 0 finds a free block of nine.

    The three other ports are only looked at: their servers bind them a moment later.
    """
    if port:
        return Ports(port), _block(port)
    for _ in range(50):
        base = random.randrange(20_000, 32_000, 10)  # below the kernel's ephemeral range
        try:
            return Ports(base), _block(base)
        except SandboxError:
            continue
    raise SandboxError("No free block of nine ports was found between 20000 and 32000; give one with --port.")


def _block(base: int) -> list[socket.socket]:
    with contextlib.ExitStack() as opened:
        for port in range(base + HTTP_PORTS, base + HTTP_PORTS + OTHER_PORTS):
            _listen(port).close()
        sockets = [opened.enter_context(_listen(port)) for port in range(base, base + HTTP_PORTS)]
        opened.pop_all()
        return sockets


def _listen(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is named; without it every answer waits 40 ms
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(512)
    except OSError as exc:
        listening.close()
        raise SandboxError(
            f"Port {port} is taken: {exc.strerror}. Nothing was started; choose another --port."
        ) from exc
    listening.setblocking(False)
    return listening
