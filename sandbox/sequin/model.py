"""Sinks and backfills: what the API shows and the mover works on."""

import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.sequin.catalog import Table
from sandbox.sequin.messages import Message

STATUSES = ("active", "paused", "disabled")
TRANSITIONS = {  # of a backfill, facts/systems.md §1.4
    "active": ("paused", "completed", "failed", "cancelled"),
    "paused": ("active", "cancelled"),
}
REMEMBERED = 1_000  # messages a sink keeps to deliver again after a restart


@dataclass
class Database:
    """The one source database that this Sequin knows."""

    name: str
    source: str
    port: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    slot_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Sink:
    name: str
    topic: str
    source: dict[str, list[str] | None]
    destination: dict[str, Any]
    status: str = "active"
    batch_size: int = 200
    actions: list[str] = field(default_factory=lambda: ["insert", "update", "delete"])
    filter: str = "none"
    transform: str = "none"
    routing: str = "none"
    enrichment: str = "none"
    timestamp_format: str = "iso8601"
    max_retry_count: int | None = None
    load_shedding_policy: str = "pause_on_full"
    message_grouping: bool = True
    annotations: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    # What follows is the mover's.
    has_store: bool = True  # a sink that was disabled at the slot's last start gets none
    buffer: deque[Message] = field(default_factory=deque)
    buffer_bytes: int = 0
    delivered: deque[Message] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    error: str | None = None

    def covers(self, schema: str, table: str) -> bool:
        """Whether the source's lists let this table through."""
        full_name = f"{schema}.{table}"
        return _allowed(schema, self.source["include_schemas"], self.source["exclude_schemas"]) and _allowed(
            full_name, self.source["include_tables"], self.source["exclude_tables"]
        )

    def keep(self, message: Message) -> None:
        self.buffer.append(message)
        self.buffer_bytes += len(message.value)


def _allowed(name: str, include: list[str] | None, exclude: list[str] | None) -> bool:
    return (include is None or name in include) and not (exclude and name in exclude)


@dataclass
class Page:
    """A batch that was read and waits for its delivery: messages by their keys; ``last`` is the key it ends with."""

    messages: dict[bytes, Message]
    last: tuple[str, ...]
    sent: int = 0

    def arrived(self, messages: list[Message]) -> None:
        """These are in Kafka; of them nothing is sent again."""
        self.sent += len(messages)
        for message in messages:
            self.messages.pop(message.key, None)


@dataclass
class Backfill:
    sink: Sink
    table: str
    inserted_at: datetime
    updated_at: datetime
    starts_at: datetime  # the reader's; moved on by a restart of the slot
    state: str = "active"
    rows_initial_count: int | None = None
    rows_processed_count: int = 0
    rows_ingested_count: int = 0
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    # What follows is the reader's.
    started: bool = False
    metadata: Table | None = None
    metadata_at: datetime | None = None
    pages: deque[Page] = field(default_factory=deque)
    cursor: tuple[str, ...] | None = None  # of what was delivered; survives a restart
    read_to: tuple[str, ...] | None = None
    at_end: bool = False
    next_page_at: datetime | None = None
    changed: set[bytes] = field(default_factory=set)  # keys of rows that changed since the last page was begun

    def change_state(self, state: str, now: datetime) -> None:
        self.state = state
        self.updated_at = now
        if state == "completed":
            self.completed_at = now
        if state == "cancelled":
            self.canceled_at = now

    def overtake(self, key: bytes) -> None:
        """This row has changed: the change itself is sent, before whatever was read of the row."""
        self.changed.add(key)
        for page in self.pages:
            page.messages.pop(key, None)

    def lose_memory(self, starts_at: datetime) -> None:
        """The slot restarts: what was read and not delivered is read again, from the cursor."""
        if not self.started:
            return  # the sweep that will start it is still to come
        self.pages.clear()
        self.metadata = None
        self.read_to = self.cursor
        self.at_end = False
        self.starts_at = starts_at
