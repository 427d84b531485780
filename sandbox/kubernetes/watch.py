"""Watching: one line of JSON for each change, until the watcher's time is over."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from sandbox.kubernetes.cluster import Cluster, Event

LOOK_AGAIN_S = 0.1
LONGEST_S = 20.0  # a server may end a watch at any time, and clients begin another


async def lines(
    cluster: Cluster, resource: str, after: int, fits: Callable[[dict[str, Any]], bool], seconds: float
) -> AsyncIterator[bytes]:
    """The events on ``resource`` with a version above ``after``. Changes that come with time are looked for."""
    deadline = time.monotonic() + min(seconds, LONGEST_S)
    begun = cluster.round
    while time.monotonic() < deadline:
        cluster.catch_up()
        if cluster.round != begun:
            return
        for event in [event for event in cluster.events if event.version > after and event.resource == resource]:
            after = event.version
            if fits(event.object):
                yield _line(event)
        await asyncio.sleep(LOOK_AGAIN_S)


def _line(event: Event) -> bytes:
    return json.dumps({"type": event.kind, "object": event.object}).encode() + b"\n"
