"""One look of the watch: ask the platform, fold what it says into what is remembered, tell of what is news.

The message goes out first; what takes longer to find out is added to it behind. A look that fails changes nothing: the
next one goes on from where the last good one was, so that nothing is lost, and nothing is told twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from config.log import logger
from config.settings import Environment
from ledger import calls, incidents, pauses, silences, watches
from ledger.connection import Conn
from ledger.incidents import Found, Incident
from systems.checkin import check_in
from systems.errors import SystemsError
from systems.permit import read_only
from systems.tinybird import Tinybird
from workers.context import Context
from workers.watch import memory as remembered
from workers.watch.asking import asked
from workers.watch.below import Below
from workers.watch.finding_out import find_out, open_questions
from workers.watch.judging import judged, limits_of
from workers.watch.meanwhile import meanwhile
from workers.watch.memory import Memory
from workers.watch.reconcile import Bearings, Change, Closed, key_of, reconcile
from workers.watch.recovery import recovered
from workers.watch.seen import Look
from workers.watch.telling import tell

# So much later another look may have been asked. What is further ahead was read from a clock that was set back since.
_LATER = timedelta(minutes=10)

_log = logger("workers")


def watch(context: Context, number: int) -> None:
    """Look once at the copy pipes of one environment, the ``number``-th (from 0) by name."""
    names = sorted(context.settings.environments)
    if number >= len(names):
        return
    name = names[number]
    settings = context.settings.environment(name)
    tinybird = context.site(name, 0, read_only).tinybird
    try:
        _Watch(context, name, settings, tinybird).look()
    except SystemsError as error:
        said = f"Tinybird could not be looked at: {error}."
        with context.pool.connection() as conn:
            watches.failing(conn, name, said)
        _log.warning("a look of the watch failed; the next goes on from where it was", environment=name, why=said)


class _Watch:
    """One look of one environment."""

    def __init__(self, context: Context, name: str, settings: Environment, tinybird: Tinybird) -> None:
        self._context = context
        self._name = name
        self._settings = settings
        self._tinybird = tinybird

    def look(self) -> None:
        """Raises ``SystemsError`` where the platform cannot be looked at."""
        with self._context.pool.connection() as conn:
            until, memory = self._known(conn)
            paused = pauses.excusing(conn, self._name)
            opened = self._opened(conn)
        answer = asked(self._tinybird, self._name, until, self._settings.watch.overlap_s)
        look = replace(answer.look, pauses=paused, newest=self._newest(answer.look, memory))
        below = _Lazily(lambda: Below(self._name, look.now, answer.pipes, self._tinybird.datasources()))
        after, faults = self._judged(look, memory)
        if len(faults) > 1 and {key_of(fault) for fault in faults} - {key_of(incident) for incident in opened}:
            below.follows("", "")  # asked for now: nobody may wait for it inside a transaction
        with self._context.pool.connection() as conn, conn.transaction():
            known_until = watches.begin(conn, self._name)
            if known_until is not None and look.now < known_until <= look.now + _LATER:
                return  # another worker has looked later than this look, and told what there was
            if known_until != until:
                _, memory = self._known(conn)
                after, faults = self._judged(look, memory)
            watches.remember(conn, self._name, *remembered.changes(memory, after))
            changes = self._changes(conn, faults, look, after, below)
            behind = tell(conn, self._name, self._settings.channels.alerts, changes)
            behind += self._missed(conn, look, known_until, after, changes)
            watches.looked(conn, self._name, look.now, trouble=answer.trouble)
        self._ring(behind)
        self._find_out(below, after)
        self._check_in()

    def _known(self, conn: Conn) -> tuple[datetime | None, Memory]:
        return watches.seen(conn, self._name), self._context.kept.memory(conn, self._name)

    def _judged(self, look: Look, memory: Memory) -> tuple[Memory, list[Found]]:
        """What is remembered after the look, and what is wrong."""
        settings, after = self._settings.watch, memory.folded(look)
        limits = limits_of(look, settings, self._settings.limits.copy_timeout_s)
        return after, judged(look, after, settings, limits)

    def _changes(
        self, conn: Conn, faults: Sequence[Found], look: Look, after: Memory, below: "_Lazily"
    ) -> list[Change]:
        settings = self._settings.watch
        at = Bearings(
            environment=self._name,
            storm=settings.storm,
            follows=below.follows,
            recovered=lambda incident: recovered(incident, look, after.pipes),
            silenced=frozenset(silence.subject for silence in silences.standing(conn, self._name)),
        )
        closed = incidents.closed_since(conn, self._name, within_s=settings.flap_s)
        return reconcile(self._unmeant(conn, faults), self._opened(conn), closed, at)

    def _missed(
        self, conn: Conn, look: Look, until: datetime | None, after: Memory, changes: Sequence[Change]
    ) -> list[int]:
        """Tell what came and went while nobody looked; the message to ring ``publish`` for."""
        told = {incident.subject for incident in self._opened(conn)}
        told |= {change.incident.subject for change in changes if isinstance(change, Closed)}
        told |= {silence.subject for silence in silences.standing(conn, self._name)}
        limits = limits_of(look, self._settings.watch, 0)
        told |= {pipe.id for pipe in look.pipes.values() if limits[pipe.name].silent}
        said = meanwhile(look, until, after.pipes, told)
        if said is None:
            return []
        ref = f"watch/{self._name}/{look.now:%Y%m%d%H%M%S}"
        called = calls.call(conn, ref, self._settings.channels.alerts, {"text": said})
        return [called] if called is not None else []

    def _opened(self, conn: Conn) -> list[Incident]:
        """Those of copies and data. That nobody looks is found, and ended, by whoever watches the looks."""
        return [incident for incident in incidents.all_open(conn, self._name) if incident.kind != "watch"]

    def _unmeant(self, conn: Conn, faults: Sequence[Found]) -> list[Found]:
        """Without what people said is meant to be so; what they meant and is no longer so is news when it is again."""
        meant = incidents.intended(conn, self._name)
        for kind, subject in meant - {key_of(fault) for fault in faults}:
            if not any(fault.subject == subject for fault in faults):  # another fault of it may only hide this one
                incidents.unintended(conn, self._name, kind, subject)
        return [fault for fault in faults if key_of(fault) not in meant]

    def _newest(self, look: Look, memory: Memory) -> Mapping[str, datetime | None]:
        """The newest row of one target, of those whose column is configured the one asked about longest ago."""
        limits = limits_of(look, self._settings.watch, 0)
        wanted = [pipe for pipe in look.pipes.values() if limits[pipe.name].stale_column and pipe.target]
        if not wanted:
            return {}
        known = memory.pipes
        pipe = min(wanted, key=lambda p: ((known[p.id].asked or 0.0) if p.id in known else 0.0, p.name))
        target = self._tinybird.datasource(pipe.target)
        try:
            newest = self._tinybird.newest(target.name, limits[pipe.name].stale_column) if target else None
        except SystemsError as error:
            _log.warning("a target's newest row is not known", pipe=pipe.name, why=str(error))
            return {}
        return {pipe.id: newest}

    def _ring(self, behind: Sequence[int]) -> None:
        for message in behind:
            self._context.bell.ring("publish", message)

    def _find_out(self, below: "_Lazily", memory: Memory) -> None:
        with self._context.pool.connection() as conn:
            questions = open_questions(self._opened(conn))
        if not questions:
            return
        try:
            known = below.known()
        except SystemsError as error:
            _log.warning("what an incident touches is not known yet", environment=self._name, why=str(error))
            return
        with self._context.pool.connection() as conn, conn.transaction():
            behind = find_out(conn, questions, known, memory.pipes)
        self._ring(behind)

    def _check_in(self) -> None:
        url = self._settings.watch.check_in
        if url is None:
            return
        try:
            check_in(url.get_secret_value())
        except SystemsError as error:
            _log.warning("the check-in outside failed", environment=self._name, why=str(error))


class _Lazily:
    """Who reads what, asked for when it matters: most looks find nothing new."""

    def __init__(self, make: Callable[[], Below]) -> None:
        self._make = make
        self._made: Below | None = None
        self._unknown = False

    def known(self) -> Below:
        """Raises ``SystemsError``."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def follows(self, one: str, other: str) -> bool:
        """False where it cannot be asked: news must not wait for that, and it is asked once."""
        if self._unknown:
            return False
        try:
            return self.known().follows(one, other)
        except SystemsError as error:
            _log.warning("what follows from what is not known", why=str(error))
            self._unknown = True
            return False
