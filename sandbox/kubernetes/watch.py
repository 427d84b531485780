"""Watching: one line of JSON for each change, until the watcher's time is over."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from sandbox.kubernetes.cluster import Cluster

LOOK_AGAIN_S = 0.1
LONGEST_S = 20.0  # a server may end a watch at any time, and clients begin another


Object = dict[str, Any]


async def lines(
    cluster: Cluster,
    resource: str,
    there: Iterable[Object],
    after: int,
    fits: Callable[[Object], bool],
    seconds: float,
) -> AsyncIterator[bytes]:
    """``there`` as if it were new, and then the events on ``resource`` with a version above ``after``. Changes that
    come with time are looked for."""
    deadline = time.monotonic() + min(seconds, LONGEST_S)
    begun = cluster.round
    for item in there:
        yield _line("ADDED", item)
    while time.monotonic() < deadline:
        cluster.catch_up()
        if cluster.round != begun:
            return
        for event in [event for event in cluster.events if event.version > after and event.resource == resource]:
            after = event.version
            if fits(event.object):
                yield _line(event.kind, event.object)
        await asyncio.sleep(LOOK_AGAIN_S)


def _line(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"
