"""The replication of the slot: from Postgres into the sinks' buffers, from the buffers into Kafka."""

import logging
import threading
import time
from datetime import timedelta

import psycopg

from sandbox.sequin.backfill import BackfillReader
from sandbox.sequin.kafka_out import KafkaOut
from sandbox.sequin.messages import Origin, of_change
from sandbox.sequin.model import Sink
from sandbox.sequin.pgoutput import Transaction
from sandbox.sequin.slot import Slot
from sandbox.sequin.store import Store

BUSY_PAUSE_S = 0.01  # by the machine's clock, between two rounds while something moves
IDLE_PAUSE_S = 0.1  # reached step by step while nothing does
AT_ONCE = 500

_log = logging.getLogger(__name__)


class Mover:
    """One thread. ``stop`` returns when it has ended; a new mover goes on where it was."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sequin-mover", daemon=True)
        self._seen_restarts = store.restarts

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(10)

    def _run(self) -> None:
        """Work until told to stop; a lost connection is made again, as Sequin does."""
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._store.dsn, autocommit=True) as connection:
                    self._work(connection)
            except psycopg.Error as exc:
                _log.debug("the slot's connection was lost: %s", exc)
                self._stopping.wait(0.2)

    def _work(self, connection: psycopg.Connection) -> None:
        connection.execute("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 3")
        slot = Slot(connection, "sequin_slot", "sequin_pub")
        kafka = KafkaOut(self._store.world)
        reader = BackfillReader(self._store, connection)
        pause = BUSY_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            moved = self._round(connection, slot, kafka, reader)
            pause = BUSY_PAUSE_S if moved else min(IDLE_PAUSE_S, pause * 1.5)
            self._stopping.wait(max(0.0, pause - (time.monotonic() - began)))

    def _round(self, connection: psycopg.Connection, slot: Slot, kafka: KafkaOut, reader: BackfillReader) -> bool:
        """One look at everything there is to do; True when something was done."""
        store = self._store
        if store.world.clock.now() < store.restarted_until:
            return False
        if self._seen_restarts != store.restarts:
            self._seen_restarts = store.restarts
            kafka.forget_partitions()
        moved = self._ingest(slot)
        self._refresh_catalog(connection)
        for sink in list(store.sinks.values()):
            moved = self._deliver(kafka, sink) or moved
        for backfill in [one for one in store.backfills if one.state == "active"]:
            moved = reader.step(backfill, lambda: self._ingest(slot), kafka) or moved
        return moved

    def _ingest(self, slot: Slot) -> bool:
        """Read the slot into the buffers of the sinks; nothing is read while one of them is full."""
        found = False
        while not self._store.blocked and (transactions := slot.read()):
            with self._store.lock:
                for transaction in transactions:
                    for index in range(len(transaction.changes)):
                        found = True
                        self._take(transaction, index)
        return found

    def _take(self, transaction: Transaction, index: int) -> None:
        store, relation = self._store, transaction.changes[index].relation
        table = store.catalog.tables.get(f"{relation.schema}.{relation.name}")
        if table is None or table.columns != tuple((column.name, column.type_oid) for column in relation.columns):
            self._notice_change()
        key = table.key if table else tuple(column.name for column in relation.columns if column.key)
        for sink in store.sinks.values():
            wanted = transaction.changes[index].action in sink.actions
            if sink.has_store and wanted and sink.covers(relation.schema, relation.name):
                message = of_change(origin_of(store, sink), transaction, index, key)
                sink.keep(message)
                store.changed.add((relation.schema, relation.name, message.key))

    def _notice_change(self) -> None:
        store = self._store
        if store.catalog_due is None:
            lag = timedelta(seconds=store.world.knobs["sequin.catalog_lag_s"])
            store.catalog_due = store.world.clock.now() + lag

    def _refresh_catalog(self, connection: psycopg.Connection) -> None:
        store = self._store
        if store.catalog_due is not None and store.world.clock.now() >= store.catalog_due:
            store.catalog.refresh(connection)
            store.catalog_due = None

    def _deliver(self, kafka: KafkaOut, sink: Sink) -> bool:
        """Send what waits for an active sink, oldest first."""
        with self._store.lock:
            if sink.status != "active" or not sink.buffer:
                return False
            sink.error = kafka.problem_with(sink.topic)
            if sink.error:
                return False
            waiting = [sink.buffer[at] for at in range(min(AT_ONCE, len(sink.buffer)))]
        sent = kafka.send(sink.topic, waiting)
        with self._store.lock:
            for _ in range(min(sent, len(sink.buffer))):
                message = sink.buffer.popleft()
                sink.buffer_bytes -= len(message.value)
                sink.delivered.append(message)
        return sent > 0


def origin_of(store: Store, sink: Sink) -> Origin:
    database = store.database
    return Origin(sink.id, sink.name, database.id, database.name, database.source)
