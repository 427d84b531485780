"""All that this Sequin holds, and the lock that API and mover share."""

import threading
from datetime import datetime, timedelta

from sandbox.sequin.catalog import Catalog
from sandbox.sequin.model import Backfill, Database, Sink
from sandbox.standin import World

TOKEN = "sandbox-sequin-token"


class Store:
    """Sinks, backfills and the slot's state. Whoever reads or writes them holds ``lock``.

    ``generation`` counts the starts of the slot. The mover reads and sends without the lock; what it began under
    an older generation it must not book, for the restart has changed what the buffers begin with.
    """

    def __init__(self, world: World, database: Database) -> None:
        self.world = world
        self.lock = threading.RLock()
        self.database = database
        self.dsn = world.dsn(database.source, "sequin")
        self.generation = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """No sinks, no backfills, an empty cache."""
        self.catalog = Catalog()
        self.sinks: dict[str, Sink] = {}
        self.backfills: list[Backfill] = []
        self.catalog_due: datetime | None = None  # a changed relation was seen; the cache follows then
        self.generation += 1
        self.restarted_until: datetime = self.world.clock.now()

    def sink(self, id_or_name: str) -> Sink | None:
        return next((sink for sink in self.sinks.values() if id_or_name in (sink.id, sink.name)), None)

    def backfills_of(self, sink: Sink) -> list[Backfill]:
        """Newest first."""
        return [backfill for backfill in reversed(self.backfills) if backfill.sink is sink]

    def open_backfills(self, sink: Sink) -> list[Backfill]:
        return [backfill for backfill in self.backfills_of(sink) if backfill.state in ("active", "paused")]

    def new_backfill(self, sink: Sink, table: str, state: str) -> Backfill:
        now = self.world.clock.now()
        backfill = Backfill(sink, table, now, now, self._sweep_after(now), state=state)
        self.backfills.append(backfill)
        return backfill

    def restart_slot(self) -> None:
        """Every sink of the slot stops and starts again (facts/systems.md §1.5). Nothing moves meanwhile."""
        now = self.world.clock.now()
        self.generation += 1
        self.restarted_until = now + timedelta(seconds=self.world.knobs["sequin.slot_restart_s"])
        again = int(self.world.knobs["sequin.redeliver_on_restart"])
        for sink in self.sinks.values():
            sink.has_store = sink.status != "disabled"
            if not sink.has_store:
                sink.buffer.clear()
                sink.buffer_bytes = 0
            for message in reversed(list(sink.delivered)[-again:] if again else []):
                sink.buffer.appendleft(message)
                sink.buffer_bytes += len(message.value)
        for backfill in self.backfills:
            backfill.lose_memory(self._sweep_after(now))

    def _sweep_after(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.world.knobs["sequin.backfill_start_delay_s"])

    @property
    def blocked(self) -> bool:
        """A sink's buffer is full, so the slot stands still for all (facts/systems.md §1.5)."""
        knobs = self.world.knobs
        with self.lock:
            return any(
                len(sink.buffer) >= knobs["sequin.buffer_messages"] or sink.buffer_bytes >= knobs["sequin.buffer_bytes"]
                for sink in self.sinks.values()
            )
