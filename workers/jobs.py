"""The jobs of the queue ``work``, named by path in ``ledger/bell.py``: each takes one number and never raises.

What goes wrong here is logged; the sweep rings again.
"""

import time
from collections.abc import Callable

from config.log import logger
from workers import asked, planning, reminding
from workers.context import Context, context
from workers.engine import advance
from workers.watch import look

SOON_S = 0.25

_log = logger("workers")


def tick(run: int) -> None:
    """Advance the run while it is due, for a short while: others are waiting."""
    _safely("tick", run, _tick)


def plan(run: int) -> None:
    """Plan a run that is in state planning."""
    _safely("plan", run, planning.plan)


def question(number: int) -> None:
    """Answer a question."""
    _safely("question", number, asked.answer)


def watch(number: int) -> None:
    """Look for what is wrong with an environment's copies; ``number`` is its place in the settings."""
    _safely("watch", number, look.watch)


def remind(run: int) -> None:
    """Look whether what a run left stopped still is, and remind people of it."""
    _safely("remind", run, reminding.remind)


def _tick(context: Context, run: int) -> None:
    """What is due in a moment is waited for here: the sweep would come up to a second later."""
    until = time.monotonic() + context.settings.engine.tick_budget_s
    while True:
        advanced = advance(context, run)
        if not advanced.due_soon(SOON_S):
            return
        time.sleep(max(advanced.due_s or 0.0, 0.0))
        if time.monotonic() >= until:
            context.bell.ring("tick", run)
            return


def _safely(what: str, number: int, job: Callable[[Context, int], None]) -> None:
    try:
        job(context(), number)
    except Exception as error:  # noqa: BLE001 - a job never raises: leases end, and the sweep rings again
        _log.error("job failed", job=what, number=number, error=repr(error), exc_info=True)
