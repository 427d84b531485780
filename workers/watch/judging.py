"""Everything that is wrong now with what one look saw and what is remembered. Pure."""

from collections.abc import Mapping

from config.watch import PipeLimits, WatchSettings
from ledger.incidents import Found
from workers.watch import faults, quarantine
from workers.watch.memory import Memory
from workers.watch.seen import Look
from workers.watch.watched import Watched


def limits_of(look: Look, settings: WatchSettings, timeout_s: float) -> Mapping[str, PipeLimits]:
    """What holds for each pipe, by name."""
    return {pipe.name: settings.of(pipe.name, timeout_s) for pipe in look.pipes.values()}


def judged(look: Look, memory: Memory, settings: WatchSettings, limits: Mapping[str, PipeLimits]) -> list[Found]:
    """The faults, pipe by pipe; then the quarantines."""
    now = look.now.timestamp()
    found: list[Found] = []
    for pipe in look.pipes.values():
        pause = look.pauses.get(pipe.name)
        found += faults.of_pipe(Watched(look.environment, pipe, memory.pipes[pipe.id], limits[pipe.name], now, pause))
    for subject, bad in memory.bad.items():
        of = settings.of(bad.name, 0)
        if of.silent:
            continue
        fault = quarantine.found(
            look.environment, subject, bad.name, bad.minutes, settings.quarantine_rows, of.owner, look.now
        )
        found += [fault] if fault else []
    return found
