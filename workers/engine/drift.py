"""Drift: what the plan relies on, compared with what is there (DESIGN §4, Drift)."""

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.ticks import TickStep
from runbooks import guards
from workers.engine.scene import Scene


@dataclass(frozen=True)
class Drift:
    key: str
    expected: str
    found: str


def drifted(scene: Scene, row: TickStep) -> Drift | None:
    """The first of the step's reads that is not as the run knows it, or of what later ones read of tables. Raises
    ``SystemsError``."""
    world = scene.taken.row.world
    for key in dict.fromkeys((*row.reads, *_ahead(scene, row))):
        if key in world:
            found = scene.context.digest_of(scene.base, key)
            if found != world[key]:
                return Drift(key, world[key], found)
    return None


def _ahead(scene: Scene, row: TickStep) -> Iterator[str]:
    """What is read of tables further on and written by no step before: looked at before the run's first effect, and
    before the first of a hold, so that nothing is copied for hours or stopped for a table that is not the planned
    one."""
    following = [step for step in scene.taken.steps if step.number >= row.number]
    if scene.begun:
        held = [step for step in scene.taken.steps if step.hold is not None and step.hold == row.hold]
        following = [] if any(step.acts for step in held) else held
    written: set[str] = set()
    for step in following:
        yield from (key for key in step.reads if guards.of_table(key) and key not in written)
        written.update(step.writes)


def read_again(scene: Scene, row: TickStep) -> dict[str, str]:
    """The step's writes as they are now: from here on the run relies on these. Raises ``SystemsError``."""
    return {key: scene.context.digest_of(scene.base, key) for key in row.writes}
