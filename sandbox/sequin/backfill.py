"""Reads whole tables in pages of the primary key and sends the rows as ``read`` messages.

Order, counts and stops as facts/systems.md §1.4 and §1.5 have them; speed and delays by the platform's clock.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from sandbox.sequin.catalog import Table
from sandbox.sequin.kafka_out import KafkaOut
from sandbox.sequin.messages import Message, Origin, of_row
from sandbox.sequin.model import Backfill, Page
from sandbox.sequin.store import Store

IN_MEMORY = 3  # pages that are read ahead of their delivery
METADATA_LIFE = timedelta(seconds=30)

Row = tuple[str | None, ...]


class BackfillReader:
    """The table reader of all sinks; works in the mover's thread, a step at a time.

    ``catch_up`` takes the slot's changes up to a watermark and says whether it came that far.
    """

    def __init__(self, store: Store, connection: psycopg.Connection, catch_up: Callable[[bytes], bool]) -> None:
        self._store = store
        self._connection = connection
        self._catch_up = catch_up

    def step(self, backfill: Backfill, kafka: KafkaOut) -> bool:
        """Deliver pages that are due and read ahead; True when something was done."""
        store = self._store
        generation = store.generation
        if store.world.clock.now() < backfill.starts_at or not backfill.sink.has_store:
            return False
        table = self._table(backfill, generation)
        if table is None:
            return True
        delivered = self._deliver(backfill, generation, kafka)
        read = False
        if not backfill.at_end and len(backfill.pages) < IN_MEMORY and not store.blocked:
            self._read_page(backfill, generation, table)
            read = True
        with store.lock:
            if self._current(backfill, generation) and backfill.at_end and not backfill.pages:
                backfill.change_state("completed", store.world.clock.now())
        return delivered or read

    def _current(self, backfill: Backfill, generation: int) -> bool:
        """Whether what was begun under ``generation`` may still be booked; asked under the lock."""
        return self._store.generation == generation and backfill.state == "active"

    def _table(self, backfill: Backfill, generation: int) -> Table | None:
        """The cached columns, looked at again every half minute; None when there is nothing to read by.

        The exact count comes with the first look.
        """
        store, now = self._store, self._store.world.clock.now()
        known, seen_at = backfill.metadata, backfill.metadata_at
        if known is not None and seen_at is not None and now - seen_at < METADATA_LIFE:
            return known
        table = store.catalog.tables.get(backfill.table)
        count = backfill.rows_initial_count
        try:
            if table is not None and count is None:
                count = self._count(table)
        except psycopg.errors.UndefinedTable:
            store.catalog.refresh(self._connection)
            return None
        with store.lock:
            if not self._current(backfill, generation):
                return None
            if table is None or not table.key:
                backfill.change_state("failed", now)
                return None
            backfill.metadata, backfill.metadata_at, backfill.started = table, now, True
            backfill.rows_initial_count = count
        return table

    def _count(self, table: Table) -> int:
        found = self._connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.schema, table.name))
        ).fetchone()
        return int(found[0]) if found else 0

    def _read_page(self, backfill: Backfill, generation: int, table: Table) -> None:
        """Read one page, then a watermark: rows that change meanwhile are left to the change itself."""
        store = self._store
        with store.lock:
            if not self._current(backfill, generation):
                return
            after = backfill.read_to
            backfill.changed.clear()
        wanted = int(store.world.knobs["sequin.backfill_page_rows"])
        try:
            rows = self._connection.execute(_page_query(table, after, wanted), after).fetchall()
        except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):
            store.catalog.refresh(self._connection)
            backfill.metadata = None
            return
        mark, lsn = self.watermark()
        messages = self._messages(backfill, table, rows, lsn)
        if not self._catch_up(mark):
            return  # what changed while it was read is not known: it is read again
        with store.lock:
            if not self._current(backfill, generation):
                return
            if rows:
                last = _key_of(table, rows[-1])
                kept = {m.key: m for m in messages if m.key not in backfill.changed}
                backfill.pages.append(Page(kept, last))
                backfill.read_to = last
            backfill.at_end = len(rows) < wanted

    def watermark(self) -> tuple[bytes, int]:
        """Write one into the log, flushed at once; what it says, and where it is."""
        mark = uuid.uuid4().hex
        written = self._connection.execute(
            "SELECT pg_logical_emit_message(false, 'sequin', %s::text, true) - '0/0'::pg_lsn", (mark,)
        ).fetchone()
        return mark.encode(), int(written[0]) if written else 0

    def _messages(self, backfill: Backfill, table: Table, rows: list[Row], lsn: int) -> list[Message]:
        at, sink, database = self._store.world.clock.now(), backfill.sink, self._store.database
        origin = Origin(sink.id, sink.name, database.id, database.name, database.source)
        return [of_row(origin, table, row, (at, lsn, n), backfill.id) for n, row in enumerate(rows)]

    def _deliver(self, backfill: Backfill, generation: int, kafka: KafkaOut) -> bool:
        """Hand over the pages that the rate allows by now. A page counts when all of it is in Kafka."""
        store, sink = self._store, backfill.sink
        now = store.world.clock.now()
        done = False
        backfill.next_page_at = max(backfill.next_page_at or now, backfill.starts_at)
        while backfill.pages and backfill.next_page_at <= now:
            problem = kafka.problem_with(sink.topic)
            with store.lock:
                if not self._current(backfill, generation) or sink.status != "active" or sink.buffer:
                    return done  # changes go before backfilled rows
                sink.error = problem
                if problem:
                    return done
                topic, page = sink.topic, backfill.pages[0]
                messages = list(page.messages.values())
            arrived = kafka.send(topic, messages)
            with store.lock:
                if not self._current(backfill, generation):
                    return True  # read and sent again
                page.arrived(messages[:arrived])
                if arrived < len(messages):
                    return done or arrived > 0  # the rest of it next time
                backfill.pages.popleft()
                backfill.cursor = page.last
                backfill.rows_processed_count += page.sent
                backfill.rows_ingested_count += page.sent
                backfill.updated_at = store.world.clock.now()
            rate = float(store.world.knobs["sequin.backfill_rows_per_s"])
            backfill.next_page_at += timedelta(seconds=page.sent / rate)
            done = True
        return done


def _key_of(table: Table, row: Row) -> tuple[str, ...]:
    names = [name for name, _ in table.columns]
    return tuple(str(row[names.index(name)]) for name in table.key)


def _page_query(table: Table, after: tuple[str, ...] | None, limit: int) -> sql.Composed:
    """The cached columns as text, in the order of the primary key, behind ``after``."""
    # the aliases keep ORDER BY on the typed columns: it would take an output column of the same name first
    columns = sql.SQL(", ").join(
        sql.SQL("{}::text AS {}").format(sql.Identifier(name), sql.Identifier(f"c{n}"))
        for n, (name, _) in enumerate(table.columns)
    )
    types = dict(table.columns)
    key = sql.SQL(", ").join(sql.Identifier(name) for name in table.key)
    behind = sql.SQL("")
    if after is not None:
        places = sql.SQL(", ").join(
            sql.SQL("%s::{}").format(sql.SQL(_TYPES.get(types[name], "text"))) for name in table.key
        )
        behind = sql.SQL("WHERE ({}) > ({})").format(key, places)
    return sql.SQL("SELECT {} FROM {} {} ORDER BY {} LIMIT {}").format(
        columns, sql.Identifier(table.schema, table.name), behind, key, sql.Literal(limit)
    )


_TYPES: dict[int, LiteralString] = {
    2950: "uuid",
    23: "int4",
    20: "int8",
    21: "int2",
    1184: "timestamptz",
    1114: "timestamp",
    1082: "date",
    1700: "numeric",
}
