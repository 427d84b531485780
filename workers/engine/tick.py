"""The tick: take, look, intend, act, store, ring (DESIGN §5)."""

from dataclasses import dataclass

from ledger import ticks
from ledger.refusals import Fenced
from ledger.ticks import Outcome
from ledger.values import RunState
from workers.context import Context
from workers.engine import planned, registry, restoring
from workers.engine.scene import Scene
from workers.lease import Lease


@dataclass(frozen=True)
class Advanced:
    """``state`` is None if the run was not taken: not due, in other hands, or unknown here. ``due_s`` counts by the
    calendar; None: nothing is due. ``settle_s`` is how long, by the machine's clock, looking again is of no use."""

    state: RunState | None = None
    due_s: float | None = None
    settle_s: float = 0.0

    def due_soon(self, within_s: float) -> bool:
        """Whether it is due within so many seconds of the calendar."""
        return self.state is not None and self.due_s is not None and self.due_s <= within_s


def advance(context: Context, run: int) -> Advanced:
    """Advance the run by one tick. Raises what the ledger's Postgres raises: the lease's end makes that good."""
    engine = context.settings.engine
    lease = Lease(run, engine.lease_s)
    with context.pool.connection() as conn:
        taken = ticks.take(conn, run, owner=context.owner, lease_s=engine.lease_s, ops=registry.known())
    if taken is None:
        return Advanced()
    lease.given(taken.row.fence)
    with context.desk.working(lease):
        try:
            scene = Scene(context, taken, lease, context.site(taken.row.environment, run, lease.permit))
            outcome = _tick(scene)
            with context.pool.connection() as conn:
                stored = ticks.store(conn, taken, outcome)
        except Fenced:
            return Advanced()  # what was found belongs to whoever has the run now, and they find it themselves
    for message in stored.publish:
        context.bell.ring("publish", message)
    settle = outcome.due.seconds if outcome.due is not None and outcome.due.machine else 0.0
    return Advanced(stored.state, stored.due_s, settle)


def _tick(scene: Scene) -> Outcome:
    match scene.taken.row.state:
        case "running":
            return planned.go_on(scene)
        case "restoring":
            return restoring.put_back(scene)
        case _:
            return planned.stand_still(scene)
