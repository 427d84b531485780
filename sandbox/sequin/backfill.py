"""Reads whole tables in pages of the primary key and sends the rows as ``read`` messages.

Order, counts and stops as facts/systems.md §1.4 and §1.5 have them; speed and delays by the platform's clock.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from sandbox.sequin.catalog import Table
from sandbox.sequin.kafka_out import KafkaOut
from sandbox.sequin.messages import Origin, of_row
from sandbox.sequin.model import Backfill, Page
from sandbox.sequin.store import Store

IN_MEMORY = 3  # pages that are read ahead of their delivery
METADATA_LIFE = timedelta(seconds=30)


class BackfillReader:
    """The table reader of all sinks; works in the mover's thread, a step at a time."""

    def __init__(self, store: Store, connection: psycopg.Connection) -> None:
        self._store = store
        self._connection = connection

    def step(self, backfill: Backfill, ingest: Callable[[], bool], kafka: KafkaOut) -> bool:
        """Deliver pages that are due and read ahead; True when something was done."""
        now = self._store.world.clock.now()
        if now < backfill.starts_at or not backfill.sink.has_store:
            return False
        self._open(backfill)
        if backfill.state != "active":
            return True
        delivered = self._deliver(backfill, kafka)
        read = False
        if not backfill.at_end and len(backfill.pages) < IN_MEMORY and not self._store.blocked:
            self._read_page(backfill, ingest)
            read = True
        if backfill.at_end and not backfill.pages:
            with self._store.lock:
                if backfill.state == "active":
                    backfill.change_state("completed", self._store.world.clock.now())
        return delivered or read

    def _open(self, backfill: Backfill) -> None:
        """Look at the cached columns, again every half minute; the exact count comes with the first look."""
        now = self._store.world.clock.now()
        known = backfill.metadata_at is not None and now - backfill.metadata_at < METADATA_LIFE
        if backfill.metadata is not None and known:
            return
        table = self._store.catalog.tables.get(backfill.table)
        if table is None or not table.key:
            with self._store.lock:
                backfill.change_state("failed", now)
            return
        backfill.metadata, backfill.metadata_at = table, now
        if backfill.rows_initial_count is None:
            count = self._connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.schema, table.name))
            ).fetchone()
            assert count is not None
            backfill.rows_initial_count = count[0]

    def _read_page(self, backfill: Backfill, ingest: Callable[[], bool]) -> None:
        """Read one page between two watermarks: rows that change meanwhile are left to the change itself."""
        store, table = self._store, backfill.metadata
        assert table is not None
        ingest()
        store.changed.clear()
        wanted = int(store.world.knobs["sequin.backfill_page_rows"])
        try:
            rows = self._connection.execute(_page_query(table, backfill.read_to, wanted), backfill.read_to).fetchall()
        except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):
            store.catalog.refresh(self._connection)
            backfill.metadata = None
            return
        mark = self._connection.execute(
            "SELECT pg_logical_emit_message(false, 'sequin', 'watermark') - '0/0'::pg_lsn"
        ).fetchone()
        assert mark is not None
        ingest()
        if not rows:
            backfill.at_end = True
            return
        at = store.world.clock.now()
        names = [name for name, _ in table.columns]
        last = tuple(str(rows[-1][names.index(name)]) for name in table.key)
        origin = Origin(
            backfill.sink.id, backfill.sink.name, store.database.id, store.database.name, store.database.source
        )
        messages = [of_row(origin, table, row, (at, int(mark[0]), n), backfill.id) for n, row in enumerate(rows)]
        kept = [message for message in messages if (table.schema, table.name, message.key) not in store.changed]
        backfill.pages.append(Page(kept, last))
        backfill.read_to = last
        backfill.at_end = len(rows) < wanted

    def _deliver(self, backfill: Backfill, kafka: KafkaOut) -> bool:
        """Hand over the pages that the rate allows by now. A page counts when all of it is in Kafka."""
        store, sink = self._store, backfill.sink
        now = store.world.clock.now()
        done = False
        backfill.next_page_at = max(backfill.next_page_at or now, backfill.starts_at)
        while backfill.pages and backfill.next_page_at <= now:
            with store.lock:
                if sink.status != "active" or sink.buffer or backfill.state != "active":
                    return done  # changes go before backfilled rows
                sink.error = kafka.problem_with(sink.topic)
                if sink.error:
                    return done
                page = backfill.pages[0]
            if kafka.send(sink.topic, page.messages) < len(page.messages):
                return done  # all of it again: at least once
            with store.lock:
                if not backfill.pages or backfill.pages[0] is not page:
                    return True  # the slot was restarted meanwhile: read and sent again
                backfill.pages.popleft()
                backfill.cursor = page.last
                backfill.rows_processed_count += len(page.messages)
                backfill.rows_ingested_count += len(page.messages)
                backfill.updated_at = store.world.clock.now()
            rate = float(store.world.knobs["sequin.backfill_rows_per_s"])
            backfill.next_page_at += timedelta(seconds=len(page.messages) / rate)
            done = True
        return done


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
