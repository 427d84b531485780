"""What the Postgres client answers with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnInfo:
    name: str
    type: str  # format_type
    nullable: bool
    default: str | None  # or what it is generated from
    generated: bool = False


@dataclass(frozen=True)
class TableInfo:
    schema: str
    name: str
    columns: tuple[ColumnInfo, ...]
    primary_key: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]  # full unique indexes, the primary key's included
    indexes: tuple[tuple[str, ...], ...]
    identity: str  # d | f | n | i
    published: bool
    published_columns: tuple[str, ...] | None  # None: all
    granted: bool
    owned: bool
    rows: int | None  # estimate; None before the first analyze
    bytes: int
    changes: int  # inserts, updates and deletes since the statistics began
    partitioned: bool = False
    heirs: tuple[str, ...] = ()  # tables that inherit from it: a query of it finds their rows
    wholesale: bool = False  # published with all tables, or all of its schema: it cannot be taken out alone
    row_filter: str = ""  # of the publication: other rows are not sent
    unsent: tuple[str, ...] = ()  # generated columns that changes come without
    refuses_unsent: bool = False  # with such a column and identity FULL Postgres refuses every UPDATE and DELETE
    veiled: bool = False  # row security chooses the rows that the role of tbops sees
    veiled_there: bool = False  # the same of the role that Sequin reads with


@dataclass(frozen=True)
class SlotInfo:
    name: str
    active: bool
    wal_status: str  # reserved | extended | unreserved | lost
    lag_bytes: int | None
    retained_bytes: int | None


@dataclass(frozen=True)
class Blocker:
    """A session that holds a lock on a table. ``age_s``: since its transaction began."""

    pid: int
    user: str
    application: str
    state: str
    age_s: int

    def __str__(self) -> str:
        who = self.application or self.user or "a session"
        return f"{who} (pid {self.pid}, {self.state}, in its transaction for {self.age_s} s)"


@dataclass(frozen=True)
class ReplicationInfo:
    """How far a table is on its way into the publication; ``partitions`` lists those whose identity is not FULL."""

    full: bool
    partitioned: bool
    owned: bool
    published: bool
    granted: bool
    role_exists: bool
    publication_exists: bool
    publication_owned: bool
    via_root: bool  # the publication sends a partition's changes as those of its table
    partitions: tuple[str, ...]  # quoted as SQL names them
    alone: bool  # the publication names it: not so one of all tables, or of a schema's
    listed: bool  # the publication sends some columns only
    unsent: tuple[str, ...]  # generated columns that changes come without
    refuses_unsent: bool  # with such a column and identity FULL Postgres refuses every UPDATE and DELETE


@dataclass(frozen=True)
class IndexInfo:
    """``blocks_done`` is None when nobody builds it."""

    valid: bool
    blocks_done: int | None
    blocks_total: int | None


@dataclass(frozen=True)
class PartitionIndex:
    """One over exactly the columns that were asked for. ``under``: the id of the index of the table above that it is
    attached to."""

    id: int
    name: str
    valid: bool
    under: int | None


@dataclass(frozen=True)
class PartitionInfo:
    """A partitioned table or one of its partitions, at any depth. ``kind`` as ``relkind``: p has partitions itself, f
    is a foreign table. ``blocks_done`` is None when nobody builds an index of it."""

    id: int
    schema: str
    name: str
    kind: str
    parent: int | None
    owned: bool
    blocks_done: int | None
    blocks_total: int | None
    indexes: tuple[PartitionIndex, ...]
