"""Drift: what the plan relies on, compared with what is there (DESIGN §4, Drift)."""

from dataclasses import dataclass

from ledger.ticks import TickStep
from workers.engine.scene import Scene


@dataclass(frozen=True)
class Drift:
    key: str
    expected: str
    found: str


def drifted(scene: Scene, row: TickStep) -> Drift | None:
    """The first of the step's reads that is not as the run knows it. Raises ``SystemsError``."""
    world = scene.taken.row.world
    for key in row.reads:
        if key in world:
            found = scene.context.digest_of(scene.base, key)
            if found != world[key]:
                return Drift(key, world[key], found)
    return None


def read_again(scene: Scene, row: TickStep) -> dict[str, str]:
    """The step's writes as they are now: from here on the run relies on these. Raises ``SystemsError``."""
    return {key: scene.context.digest_of(scene.base, key) for key in row.writes}
