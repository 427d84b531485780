"""From settings to clients: how each room gets what it works with."""

import os
import socket

from config.settings import Settings
from ledger.bell import BEHIND_S, Bell
from ledger.connection import Pool, open_pool
from tbops.sites import Sites
from workers.announcing import announcing
from workers.context import Context


def pool(settings: Settings, name: str, *, size: int = 4) -> Pool:
    return open_pool(settings.ledger_dsn.get_secret_value(), name=name, max_size=size)


def bell(settings: Settings) -> Bell:
    return Bell(settings.redis_url.get_secret_value(), patience_s=BEHIND_S)


def context(settings: Settings) -> Context:
    """What a worker process works with. ``owner`` is unique per process: a lease must never seem to be another's."""
    given, rings = pool(settings, "tbops worker"), bell(settings)
    return Context(
        pool=given,
        settings=settings,
        site=announcing(Sites(settings), settings, given, rings),
        bell=rings,
        owner=f"{socket.gethostname()}:{os.getpid()}",
    )
