"""Faults on demand: what a stand-in does instead of, or after, answering.

``status:<code>[:<retry_after>]`` answers with that code; ``drop_before`` cuts the connection before
anything is done; ``drop_after`` does the work and cuts the answer; ``stall:<s>`` waits, then goes on;
``garble`` cuts the JSON short; ``html`` answers 502 with a proxy's page.
"""

import fnmatch
import threading
from dataclasses import dataclass

KINDS = ("status", "drop_before", "drop_after", "stall", "garble", "html")


@dataclass
class Fault:
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
        self._lock = threading.Lock()

    def add(self, system: str, match: str, fault: str, times: int = 1) -> Fault:
        made = Fault(system, match, fault, times)
        if made.kind not in KINDS:
            raise ValueError(f"unknown fault {fault!r}; known are {', '.join(KINDS)}")
        if len(match.split(" ", 1)) != 2:
            raise ValueError(f"match must read 'METHOD /path-glob', not {match!r}")
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

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
