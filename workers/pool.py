"""A pool of workers: everything is imported once, then forked, so that a child starts in milliseconds.

The parent only watches: a child that ended (Redis gone in mid-job ends one) is forked again, later each time.
"""

import ctypes
import gc
import importlib
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from config.log import logger

GRACE_S = 30.0
_FIRST_S, _LONGEST_S, _STEADY_S = 0.2, 3.0, 60.0  # a fork of what is loaded costs milliseconds
_WATCH_S = 0.5
_PR_SET_PDEATHSIG = 1

_log = logger("workers")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Crew:
    """``workers`` processes that serve ``queue``. ``child_start`` runs in each before its first job: connections and
    threads belong there, as they do not outlive a fork."""

    queue: str
    workers: int
    child_start: Callable[[], None] | None = None


def run_pool(crews: Sequence[Crew], redis_url: str, preload: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Main thread only. ``preload`` is imported before the first fork."""
    for name in preload:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, every page it shares with its parent
    return _Pool(crews, redis_url).run()


class _Worker(SimpleWorker):
    """Looks for a Redis that is away every other second; RQ's own waits double up to a minute, and a run would wait
    as long for a Redis that is back."""

    max_connection_wait_time = 2.0


class _Slot:
    """One place for a child. ``again_at`` is when it may be forked (monotonic)."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.pid = 0
        self.begun = 0.0
        self.again_at = 0.0
        self.ended = 0

    def gone(self) -> None:
        now = time.monotonic()
        self.ended = 1 if now - self.begun > _STEADY_S else self.ended + 1
        self.pid = 0
        self.again_at = now + min(_FIRST_S * 2.0 ** (self.ended - 1), _LONGEST_S)


class _Pool:
    def __init__(self, crews: Sequence[Crew], redis_url: str) -> None:
        self._redis_url = redis_url
        self._slots = [_Slot(crew) for crew in crews for _ in range(crew.workers)]
        self._stopping = False

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # without this a signal that comes between the check and the wait would be slept through
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, _noted)
        while not self._stopping:
            self._fork_missing()
            _wait_for(wake, _WATCH_S)
            self._reap()
        return self._end()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _fork_missing(self) -> None:
        for slot in self._slots:
            if not slot.pid and not self._stopping and time.monotonic() >= slot.again_at:
                slot.begun = time.monotonic()
                slot.pid = self._fork(slot.crew)

    def _fork(self, crew: Crew) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            code = self._child(crew, parent)
        finally:
            os._exit(code)

    def _child(self, crew: Crew, parent: int) -> int:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended between fork and prctl
            return 1
        try:
            if crew.child_start is not None:
                crew.child_start()
            connection = Redis.from_url(self._redis_url)  # pyright: ignore[reportUnknownMemberType]  # its kwargs are unknown
            queue = Queue(crew.queue, connection=connection, serializer=JSONSerializer)
            worker = _Worker([queue], connection=connection, serializer=JSONSerializer)
            worker.work(logging_level="WARNING")
        except Exception as error:  # noqa: BLE001 - the child's last word; the parent forks another
            _log.error("a worker ended", queue=crew.queue, error=repr(error))
            return 1
        return 0

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.pid and os.waitpid(slot.pid, os.WNOHANG)[0]:
                slot.gone()
                if not self._stopping:
                    _log.warning("a worker has gone; another is started", queue=slot.crew.queue)

    def _end(self) -> int:
        """Children finish the job they are at; one that does not in time is killed: its lease ends by itself."""
        _signal([slot.pid for slot in self._slots], signal.SIGTERM)
        until = time.monotonic() + GRACE_S
        while any(slot.pid for slot in self._slots) and time.monotonic() < until:
            self._reap()
            time.sleep(0.05)
        _signal([slot.pid for slot in self._slots], signal.SIGKILL)
        return 0


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        if pid:
            os.kill(pid, number)


def _noted(number: int, frame: FrameType | None) -> None:
    """A child has gone: waking up is all that is needed."""


def _wait_for(wake: int, seconds: float) -> None:
    if select.select([wake], [], [], seconds)[0]:
        os.read(wake, 4096)
