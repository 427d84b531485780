"""``tbops sandbox``: start the whole platform, say where it is, serve until told to stop."""

import asyncio
import faulthandler
import json
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import product
from sandbox.clock import PlatformClock
from sandbox.platform import Platform, folder_for
from sandbox.processes import SandboxError
from sandbox.serving import bind
from sandbox.standin import World


@dataclass(frozen=True)
class Options:
    """``port`` is the first of nine (0: a free block is found); ``data`` a folder to keep the private one in."""

    port: int = 8700
    seed: str = "small"
    speed: float = 1.0
    bot: bool = True
    data: Path | None = None


def serve(options: Options) -> int:
    """Run a sandbox until SIGINT or SIGTERM. Returns the exit code; what went wrong is said on stderr."""
    faulthandler.enable()  # the libraries of Kafka and Postgres are native: a crash there should say where
    try:
        return asyncio.run(_serve(options))
    except SandboxError as exc:
        print(f"The sandbox did not start. {exc}", file=sys.stderr)
        return 1


async def _serve(options: Options) -> int:
    ports, sockets = bind(options.port)
    folder = folder_for(options.data)
    world = World(ports, PlatformClock(speed=options.speed), folder, seed=options.seed)
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    platform = Platform(world, sockets)
    try:
        made = product.write(platform)
        starting = asyncio.create_task(platform.start(lambda: product.begin(platform, made, processes=options.bot)))
        if await _ends_before(starting, told_to_stop):
            print(json.dumps(ready_line(platform, made)), flush=True)
            await told_to_stop.wait()
    finally:
        await platform.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _ends_before(task: asyncio.Task[None], event: asyncio.Event) -> bool:
    """Wait for the task, or for the event, which cancels it. Raises what the task raises."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        await task
        return True
    task.cancel()
    return False


def ready_line(platform: Platform, made: product.Product) -> dict[str, Any]:
    """Where everything is (DESIGN §8)."""
    world, ports = platform.world, platform.world.ports
    return {
        "ready": True,
        "slack": {
            "url": world.url(ports.slack),
            "api": f"{world.url(ports.slack)}/api/",
            "bot_token": platform.slack.bot_token,
            "app_token": platform.slack.app_token,
            "signing_secret": platform.slack.signing_secret,
        },
        "tinybird": {
            "url": world.url(ports.tinybird),
            "token": platform.tinybird.admin_token,
            "append_token": platform.tinybird.append_token,
        },
        "sequin": {
            "url": world.url(ports.sequin),
            "token": platform.sequin.token,
            "database": "cm-local",
        },
        "connect": {"url": world.url(ports.connect), "connector": "tinybird-sink"},
        "kubernetes": {
            "url": world.url(ports.kubernetes),
            "token": platform.kubernetes.token,
            "scaler_token": platform.kubernetes.scaler_token,
            "namespace": platform.kubernetes.namespace,
            "writers": list(platform.kubernetes.writers),
            "connect": platform.kubernetes.connect,
        },
        "github": {
            "url": world.url(ports.github),
            "token": platform.github.token,
            "reader_token": platform.github.reader_token,
            "stranger_token": platform.github.stranger_token,
            "app": {
                "id": platform.github.app_id,
                "installation_id": platform.github.installation_id,
                "private_key_file": str(platform.github.app_key_file),
            },
            "project": platform.github.project,
            "cluster": platform.github.cluster,
            "properties": platform.github.properties_path,
            "identity_file": str(platform.github.identity_file),
        },
        "kafka": world.kafka,
        "postgres": product.source_dsn(world),
        "ledger": product.ledger_dsn(world),
        "redis": world.redis,
        "product": {"config": str(made.config), "env": made.environment},
    }
