"""The pulse: one thread in each worker process that keeps the lease, sweeps, and ends a process that hangs.

Nothing is scheduled anywhere else: what is due and has no worker is found here, by whichever process comes first.
"""

import os
import threading
import time
from collections.abc import Callable

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from config.log import logger
from ledger import kept, questions, rests, runs, ticks, watches
from ledger.connection import Conn
from workers.context import Context

_AGAIN_S = 5.0  # a ring that nobody answered in this time was lost
_REMIND_S = 60.0  # a look at what a run left costs calls to every system
_PLANNING_S = 10.0  # longer than planning takes

_log = logger("workers")


def hang_up(run: int) -> None:
    """A tick hangs: end the process. Its lease ends by itself, and another worker looks at what was done."""
    _log.error("a tick hangs: this process ends", run=run)
    os._exit(70)


class Pulse:
    """``start`` it once in each worker process, after the fork."""

    def __init__(self, context: Context, hung: Callable[[int], None] = hang_up) -> None:
        self._context = context
        self._hung = hung
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        engine = self._context.settings.engine
        each = min(engine.sweep_s, engine.lease_s / 4)
        swept = time.monotonic()
        while not self._over.wait(each):
            self.keep()
            if time.monotonic() - swept >= engine.sweep_s:
                self.sweep()
                swept = time.monotonic()

    def keep(self) -> None:
        """Renew the lease that this process works under, or find that it is lost."""
        engine = self._context.settings.engine
        lease = self._context.desk.now()
        if lease is None or not lease.fence:
            return
        if lease.age_s >= engine.hang_s:
            self._hung(lease.run)
        if not lease.wants_renewal:
            return
        asked = lease.asked()

        def renew(conn: Conn) -> None:
            owner = self._context.owner
            if ticks.renew(conn, lease.run, fence=lease.fence, owner=owner, lease_s=engine.lease_s):
                lease.renewed(asked)
            elif self._context.desk.now() is lease:
                lease.lost()

        self._try("renew", renew)

    def sweep(self) -> None:
        """Ring for what is due and what nobody has."""
        self._try("sweep", self._ring)

    def _ring(self, conn: Conn) -> None:
        bell = self._context.bell
        for run in ticks.sweep(conn, again_s=_AGAIN_S):
            bell.ring("tick", run)
        for run in runs.planning(conn, _PLANNING_S):
            bell.ring("plan", run)
        for question in questions.sweep(conn, again_s=_AGAIN_S):
            bell.ring("question", question)
        for number, name in enumerate(sorted(self._context.settings.environments)):
            environment = self._context.settings.environments[name]
            # by the sweep before it is due: two looks are then never further apart than they may be
            due_s = max(environment.watch.every_s - self._context.settings.engine.sweep_s, 0.0)
            if watches.elect(conn, [name], every_s=due_s):
                bell.ring("watch", number)
            for run in rests.stopped(conn, name, every_s=environment.remind_s, again_s=_REMIND_S):
                bell.ring("remind", run)
            for run in kept.due(conn, name, again_s=_REMIND_S):
                bell.ring("remind", run)
        for run in runs.expire(conn):
            _log.info("a plan expired", run=run)

    def _try(self, what: str, do: Callable[[Conn], None]) -> None:
        try:
            with self._context.pool.connection(timeout=2.0) as conn:
                do(conn)
        except (OperationalError, PoolTimeout) as away:
            _log.warning("the ledger does not answer", what=what, error=str(away))
        except Exception as error:  # noqa: BLE001 - the pulse must not stop: without it nothing is swept
            _log.error("the pulse stumbled", what=what, error=repr(error), exc_info=True)
