"""Faults on demand: what a stand-in does instead of, or after, answering.

``status:<code>[:<retry_after>]`` answers with that code; ``drop_before`` cuts the connection before
anything is done; ``drop_after`` does the work and cuts the answer; ``stall:<s>`` waits, then goes on;
``garble`` cuts the JSON short; ``html`` answers 502 with a proxy's page.
"""

import fnmatch
import itertools
import threading
from dataclasses import dataclass, replace

KINDS = ("status", "drop_before", "drop_after", "stall", "garble", "html")


@dataclass
class Fault:
    """``id`` counts from 1 since the sandbox began; ``times`` is how often it is still served."""

    id: int
    system: str
    match: str  # "METHOD /path-glob"
    fault: str
    times: int

    @property
    def kind(self) -> str:
        return self.fault.split(":")[0]

    @property
    def arguments(self) -> list[str]:
        return self.fault.split(":")[1:]


class Faults:
    """The faults still to be served; each is used ``times`` times, the oldest matching one first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, system: str, match: str, fault: str, times: int = 1) -> Fault:
        if fault.split(":")[0] not in KINDS:
            raise ValueError(f"unknown fault {fault!r}; known are {', '.join(KINDS)}")
        if times < 1:
            raise ValueError(f"times is 1 or more, not {times}; one is taken back by DELETE /sandbox/faults/<id>")
        if len(match.split(" ", 1)) != 2:
            raise ValueError(f"match must read 'METHOD /path-glob', not {match!r}")
        made = Fault(next(self._numbers), system, match, fault, times)
        with self._lock:
            self._faults.append(made)
        return made

    def take(self, system: str, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                wanted_method, glob = fault.match.split(" ", 1)
                if fault.system != system or wanted_method not in ("*", method) or fault.times <= 0:
                    continue
                if fnmatch.fnmatchcase(path, glob):
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def standing(self) -> list[Fault]:
        """What is still to be served, the oldest first."""
        with self._lock:
            return [replace(fault) for fault in self._faults]

    def remove(self, number: int) -> Fault | None:
        """Take one back; None if it was served to its end, or never was."""
        with self._lock:
            found = next((fault for fault in self._faults if fault.id == number), None)
            if found is not None:
                self._faults.remove(found)
        return found

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
