"""Watches from outside, all through the demo: what the copy's target serves, and when ingestion was held."""

import threading
from dataclasses import dataclass, field

from tbops.demo.stage import DemoFailed, Stage

EVERY_S = 1.0
TARGET = "members_sorted"


@dataclass
class Seen:
    """What was seen. ``lost`` are keys that the target served once, served no more, and that nobody deleted."""

    samples: int = 0
    lost: set[str] = field(default_factory=set[str])
    failed_reads: list[str] = field(default_factory=list[str])
    paused_at: float | None = None  # platform time
    held_s: float = 0.0


class Watcher:
    """A thread that looks once a second. ``deleted`` is read live: keys that the writer took out of Postgres."""

    def __init__(self, stage: Stage, deleted: set[str]) -> None:
        self._stage = stage
        self._deleted = deleted
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._served: set[str] = set()
        self.seen = Seen()

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._look_at_target()
            self._look_at_sink()

    def _look_at_target(self) -> None:
        try:
            served = {str(row["id"]) for row in self._stage.tinybird(f"SELECT id FROM {TARGET}")}
        except DemoFailed as broken:
            self.seen.failed_reads.append(str(broken))
            return
        gone = self._served - served - self._deleted
        self.seen.lost |= gone
        self.seen.samples += 1
        self._served = served

    def _look_at_sink(self) -> None:
        status = self._stage.asks("sequin", "/api/sinks/members_sink")["status"]
        now = self._stage.platform_time()
        if status == "paused" and self.seen.paused_at is None:
            self.seen.paused_at = now
        elif status != "paused" and self.seen.paused_at is not None:
            self.seen.held_s += now - self.seen.paused_at
            self.seen.paused_at = None
