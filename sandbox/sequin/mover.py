"""The replication of the slot: from Postgres into the sinks' buffers, from the buffers into Kafka."""

import contextlib
import itertools
import logging
import socket
import threading
import time
from datetime import timedelta

import psycopg

from sandbox.rounds import Rounds
from sandbox.sequin.backfill import BackfillReader
from sandbox.sequin.kafka_out import KafkaOut
from sandbox.sequin.messages import Origin, of_change
from sandbox.sequin.model import Sink
from sandbox.sequin.pgoutput import Transaction
from sandbox.sequin.slot import Stream
from sandbox.sequin.store import Store

BUSY_PAUSE_S = 0.01  # by the machine's clock, between two rounds while something moves
IDLE_PAUSE_S = 0.1  # reached step by step while nothing does
AGAIN_S = 0.05  # the slot is still in use, or Postgres is away
AFTER_FAILURE_S = 1.0
CATCH_UP_S = 5.0
AT_ONCE = 500

_log = logging.getLogger(__name__)


class Mover:
    """One thread. ``stop`` returns when it has ended; a new mover goes on where it was."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = threading.Event()
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._rounds = Rounds()
        self._position = 0  # in the slot: all before it has been taken
        self._thread = threading.Thread(target=self._run, name="sequin-mover", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):  # stopped before
            self._wake.send(b".")
        if self._thread.ident is not None:
            self._thread.join(10)
        self._wake.close()

    def settled(self, wait_s: float) -> bool:
        """Wait until all that Postgres has committed is in Kafka, as far as it may go at the platform's present time;
        False if that takes longer than ``wait_s``."""
        return self._rounds.settled(lambda: self._wake.send(b"."), wait_s)

    def _run(self) -> None:
        """Work until told to stop; whatever was lost is made again, as Sequin's supervisors do."""
        kafka = KafkaOut(self._store.world)
        while not self._stopping.is_set():
            try:
                self._replicate(kafka)
            except psycopg.Error as exc:
                _log.debug("the slot's connection was lost: %s", exc)
                self._stopping.wait(AGAIN_S)
            except Exception:  # noqa: BLE001 - a thread that ended would look like a Sequin with nothing to do
                _log.exception("Sequin's mover failed; it begins again at its last position")
                self._stopping.wait(AFTER_FAILURE_S)
        self._woken.close()

    def _replicate(self, kafka: KafkaOut) -> None:
        """From one start of the slot to the next. While it restarts the slot belongs to nobody."""
        store = self._store
        generation = store.generation
        while store.world.clock.now() < store.restarted_until:
            self._rounds.begin()
            self._rounds.end(idle=store.world.clock.now() < store.restarted_until)
            if self._stopping.wait(BUSY_PAUSE_S):
                return
        kafka.forget_partitions()
        with (
            psycopg.connect(store.dsn, autocommit=True) as connection,
            contextlib.closing(Stream(store.dsn, "sequin_slot", "sequin_pub", self._position)) as stream,
        ):
            connection.execute("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 3")
            reader = BackfillReader(store, connection, lambda mark: self._catch_up(stream, mark))
            pause = BUSY_PAUSE_S
            while not self._stopping.is_set() and store.generation == generation:
                began = time.monotonic()
                self._rounds.begin()
                if self._rounds.wanted:
                    self._catch_up(stream, reader.watermark()[0])
                moved = self._round(connection, stream, kafka, reader)
                self._rounds.end(idle=not moved)
                pause = BUSY_PAUSE_S if moved else min(IDLE_PAUSE_S, pause * 1.5)
                self._rest(stream, pause - (time.monotonic() - began))

    def _rest(self, stream: Stream, seconds: float) -> None:
        """Until a change comes, if one can be taken."""
        if self._store.blocked:
            self._stopping.wait(max(0.0, seconds))
        else:
            stream.wait(max(0.0, seconds), self._woken.fileno())
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(1_000)

    def _round(self, connection: psycopg.Connection, stream: Stream, kafka: KafkaOut, reader: BackfillReader) -> bool:
        """One look at everything there is to do; True when something was done."""
        store = self._store
        moved = self._ingest(stream)
        self._refresh_catalog(connection)
        with store.lock:
            sinks = list(store.sinks.values())
            backfills = [one for one in store.backfills if one.state == "active"]
        for sink in sinks:
            moved = self._deliver(kafka, sink) or moved
        for backfill in backfills:
            moved = reader.step(backfill, kafka) or moved
        return moved

    def _ingest(self, stream: Stream) -> bool:
        """Take what the slot sends into the buffers of the sinks; nothing is taken while one of them is full."""
        found = False
        while not self._store.blocked and (transactions := stream.read()):
            with self._store.lock:
                for transaction in transactions:
                    for index in range(len(transaction.changes)):
                        found = True
                        self._take(transaction, index)
            stream.confirm()
        stream.confirm()
        self._position = stream.position
        return found

    def _catch_up(self, stream: Stream, mark: bytes) -> bool:
        """Take everything up to this watermark; False if the slot stands still or the mark does not come."""
        deadline = time.monotonic() + CATCH_UP_S
        while True:
            self._ingest(stream)
            if stream.watermark == mark:
                return True
            if self._store.blocked or self._stopping.is_set() or time.monotonic() > deadline:
                return False
            stream.wait(BUSY_PAUSE_S, self._woken.fileno())

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
                for backfill in store.open_backfills(sink):
                    if backfill.table == f"{relation.schema}.{relation.name}":
                        backfill.overtake(message.key)

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
        store = self._store
        if sink.status != "active" or not sink.buffer:
            return False
        problem = kafka.problem_with(sink.topic)
        with store.lock:
            generation = store.generation
            sink.error = problem
            if problem or sink.status != "active":
                return False
            topic, waiting = sink.topic, list(itertools.islice(sink.buffer, AT_ONCE))
        sent = kafka.send(topic, waiting)
        with store.lock:
            if store.generation != generation:
                return True  # the restart has put others in front: all of it is sent again, in order
            for _ in range(sent):
                message = sink.buffer.popleft()
                sink.buffer_bytes -= len(message.value)
                sink.delivered.append(message)
        return sent > 0


def origin_of(store: Store, sink: Sink) -> Origin:
    database = store.database
    return Origin(sink.id, sink.name, database.id, database.name, database.source)
