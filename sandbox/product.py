"""What the product needs to run against this sandbox: a generated ``tbops.toml`` and its secrets.

The only place that knows the product's configuration keys.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sandbox import age
from sandbox.platform import Platform
from sandbox.processes import SandboxError
from sandbox.slack.people import ANA, BEN, CHEN, ROOMS
from sandbox.standin import World

ENVIRONMENT = "sandbox"
START_PATIENCE_S = 120.0
LOOK_AGAIN_S = 0.05
_WATCH_LEAST_S = 3.0
QUEUES = {"talk", "work"}  # as ``tbops worker`` serves them


@dataclass(frozen=True)
class Product:
    """Where the configuration lies, and the environment variables a bot or worker is started with."""

    config: Path
    environment: dict[str, str]


def ledger_dsn(world: World) -> str:
    """The ledger as the product opens it: ``tbops.clock=sandbox`` makes ``ledger.now()`` the platform's time."""
    return f"{world.dsn('tbops', 'tbops')}?options={quote('-c tbops.clock=sandbox')}"


def source_dsn(world: World) -> str:
    """The source database as the product opens it: the role that owns the tables."""
    return world.dsn("cm", "tbops_migrator")


def write(platform: Platform) -> Product:
    """Write ``tbops.toml`` into the sandbox's folder; secrets go into the environment, as they always should."""
    world = platform.world
    config = world.data / "tbops.toml"
    config.write_text(_toml(platform))
    one = f"TBOPS_ENVIRONMENTS__{ENVIRONMENT.upper()}__"
    return Product(
        config,
        {
            "TBOPS_CONFIG": str(config),
            "TBOPS_SLACK__BOT_TOKEN": platform.slack.bot_token,
            "TBOPS_SLACK__APP_TOKEN": platform.slack.app_token,
            "TBOPS_SLACK__SIGNING_SECRET": platform.slack.signing_secret,
            "TBOPS_LEDGER_DSN": ledger_dsn(world),
            "TBOPS_REDIS_URL": world.redis,
            f"{one}TINYBIRD__TOKEN": platform.tinybird.admin_token,
            f"{one}SEQUIN__TOKEN": platform.sequin.token,
            f"{one}POSTGRES__DSN": source_dsn(world),
            f"{one}KUBERNETES__TOKEN": platform.kubernetes.scaler_token,
            f"{one}GITHUB__TOKEN": platform.github.token,
        },
    )


def _toml(platform: Platform) -> str:
    """Tables and keys as in ``config/settings.py``."""
    world, ports, knobs = platform.world, platform.world.ports, platform.world.knobs
    writers = [f"{platform.kubernetes.namespace}/{name}" for name in platform.kubernetes.writers]
    channels = {room.name: room.id for room in ROOMS}
    environment = f"environments.{ENVIRONMENT}"
    tables: dict[str, dict[str, object]] = {
        "": {"default_environment": ENVIRONMENT},
        "slack": {"mode": "socket", "api_url": f"{world.url(ports.slack)}/api/", "port": _free_port()},
        "engine": {"lease_s": 10.0},
        environment: {"production": False},
        f"{environment}.tinybird": {"url": world.url(ports.tinybird)},
        f"{environment}.sequin": {
            "url": world.url(ports.sequin),
            "database": "cm-local",
        },
        f"{environment}.connect": {
            "url": world.url(ports.connect),
            "connector": "tinybird-sink",
            "restart": f"{platform.kubernetes.namespace}/{platform.kubernetes.connect}",
        },
        f"{environment}.kafka": {"bootstrap": world.kafka},
        f"{environment}.postgres": {
            "publication": "sequin_pub",
            "slot": "sequin_slot",
            "sequin_role": "sequin",
        },
        f"{environment}.kubernetes": {"url": world.url(ports.kubernetes)},
        f"{environment}.writers": {"activities": writers},
        f"{environment}.github": {"url": world.url(ports.github)},
        f"{environment}.github.project": {
            "repository": platform.github.project,
            "datafiles": platform.github.datafiles,
            "migrations": platform.github.migrations,
        },
        f"{environment}.github.properties": {
            "repository": platform.github.cluster,
            "path": platform.github.properties_path,
            "decrypt": [sys.executable, "-m", "sandbox.age", "decrypt"],
            "encrypt": [sys.executable, "-m", "sandbox.age", "encrypt"],
        },
        f"{environment}.github.properties.env": {age.VARIABLE: str(platform.github.identity_file)},
        f"{environment}.channels": {
            "migrations": channels["migrations"],
            "alerts": channels["alerts"],
        },
        f"{environment}.rules": {
            "request": [ANA.id],
            "approve": [BEN.id, CHEN.id],
            "operate": [BEN.id, CHEN.id],
            "self_approval": False,
        },
        f"{environment}.limits": {
            "copy_quota": knobs["tinybird.copy_quota"],
            "copy_chunk_rows": 1_000,  # tables are small here, and are to be copied in several parts all the same
            "slot_restart_s": int(knobs["sequin.slot_restart_s"]),
        },
        # about once a minute of the platform's clock, as it would be: who breaks a copy hears of it soon
        f"{environment}.watch": {"every_s": max(_WATCH_LEAST_S, 60 / world.clock.speed)},
    }
    lines: list[str] = []
    for name, values in tables.items():
        lines += [f"[{name}]"] if name else []
        lines += [
            *(f"{key} = {json.dumps(value)}" for key, value in values.items()),
            "",
        ]
    return "\n".join(lines)


def _free_port() -> int:
    """The bot's own HTTP port is none of the nine, and several sandboxes run beside each other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def begin(platform: Platform, made: Product, *, processes: bool) -> None:
    """Make the ledger and have it follow the platform's clock; then, if wanted, start bot and worker."""
    await asyncio.to_thread(prepare_ledger, made)
    await asyncio.to_thread(platform.ledger.remember)
    platform.world.clock.listeners.append(platform.ledger.write_clock)
    await asyncio.to_thread(platform.ledger.write_clock)
    if processes:
        start(platform, made)
        await until_it_works(platform)


def prepare_ledger(made: Product) -> None:
    """Make the ledger's schema by the product's own command, ``tbops init-db``."""
    done = subprocess.run(
        [sys.executable, "-m", "tbops", "init-db"],
        env={**os.environ, **made.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise SandboxError(f"`tbops init-db` ended with code {done.returncode}:\n{done.stdout}{done.stderr}")


def start(platform: Platform, made: Product) -> None:
    """Start bot and worker as children of the sandbox. Main thread only."""
    for name in ("bot", "worker"):
        platform.processes.start(
            name,
            [sys.executable, "-m", "tbops", name],
            environment={**os.environ, **made.environment},
            death_signal=signal.SIGTERM,  # a worker must have the time to end its own children
            client=True,
        )


async def until_it_works(platform: Platform) -> None:
    """Wait until the bot holds its socket to Slack and both queues have a worker: before that a command finds
    nobody, or waits."""
    await asyncio.gather(_until(platform, "bot", _listens), _until(platform, "worker", _takes_jobs))


async def _until(platform: Platform, name: str, look: Callable[[Platform], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + START_PATIENCE_S
    while not await look(platform):
        platform.processes.check(name)
        if time.monotonic() > deadline:
            raise SandboxError(f"The {name} did not begin. Its last words:\n{platform.processes.last_words(name)}")
        await asyncio.sleep(LOOK_AGAIN_S)


async def _listens(platform: Platform) -> bool:
    entries = platform.world.log.after(0)
    return any(entry["method"] == "WEBSOCKET" and entry["status"] == 101 for entry in entries)


async def _takes_jobs(platform: Platform) -> bool:
    """Workers are registered as the queue's own library does it."""
    counts = [await asyncio.to_thread(platform.redis.ask, "SCARD", f"rq:workers:{queue}") for queue in QUEUES]
    return "0" not in counts
