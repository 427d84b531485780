"""Decodes what Postgres's ``pgoutput`` plugin says (protocol version 1) into changes with named values.

Written after the protocol chapter of the Postgres manual ("Logical Replication Message Formats").
Values stay as the text that Postgres sent; ``encode`` makes JSON of them.
"""

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Unchanged:
    """A wide value that was not part of the change and is not in the message (an unchanged TOAST)."""


UNCHANGED = Unchanged()
Value = str | None | Unchanged


@dataclass(frozen=True)
class RelationColumn:
    name: str
    type_oid: int
    key: bool


@dataclass(frozen=True)
class Relation:
    """A table as it was when the change was made. ``identity``: d default, f full, n nothing, i index."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True)
class Change:
    """One row's change. ``old`` is the whole old row (identity FULL), its key columns, or None."""

    relation: Relation
    action: str  # insert, update, delete
    old: dict[str, Value] | None
    new: dict[str, Value] | None


@dataclass(frozen=True)
class Transaction:
    commit_lsn: int
    committed_at: datetime
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Watermark:
    """A message that somebody wrote into the log (``pg_logical_emit_message``), outside of any transaction."""

    prefix: str
    content: bytes


@dataclass
class Decoder:
    """Keeps the relations it was told of; a slot sends them again after every start."""

    relations: dict[int, Relation] = field(default_factory=dict)
    _begun: tuple[int, datetime] = (0, _POSTGRES_EPOCH)
    _changes: list[Change] = field(default_factory=list)

    def feed(self, message: bytes) -> Transaction | Watermark | None:
        """Take the next message; the transaction is there when its commit has come."""
        reader = _Reader(message)
        match reader.letter():
            case "B":
                lsn, micros = reader.unpack("!qq")
                self._begun, self._changes = (lsn, _POSTGRES_EPOCH + timedelta(microseconds=micros)), []
            case "C":
                return Transaction(*self._begun, tuple(self._changes))
            case "R":
                relation = _relation(reader)
                self.relations[relation.oid] = relation
            case "I" | "U" | "D" as kind:
                (oid,) = reader.unpack("!I")
                self._changes.append(_change(kind, self.relations[oid], reader))
            case "M":
                reader.unpack("!Bq")  # flags, position
                prefix = reader.string()
                (length,) = reader.unpack("!i")
                return Watermark(prefix, reader.raw(length))
            case _:
                pass  # origin, type, truncate: not carried on by Sequin
        return None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def letter(self) -> str:
        self._at += 1
        return chr(self._data[self._at - 1])

    def more(self) -> bool:
        return self._at < len(self._data)

    def unpack(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return values

    def string(self) -> str:
        end = self._data.index(0, self._at)
        text = self._data[self._at : end].decode()
        self._at = end + 1
        return text

    def raw(self, length: int) -> bytes:
        self._at += length
        return self._data[self._at - length : self._at]


def _relation(reader: _Reader) -> Relation:
    (oid,) = reader.unpack("!I")
    schema, name, identity = reader.string(), reader.string(), reader.letter()
    (count,) = reader.unpack("!h")
    columns: list[RelationColumn] = []
    for _ in range(count):
        (flags,) = reader.unpack("!B")
        column = reader.string()
        type_oid, _modifier = reader.unpack("!Ii")
        columns.append(RelationColumn(column, type_oid, bool(flags & 1)))
    return Relation(oid, schema or "pg_catalog", name, identity, tuple(columns))


def _change(kind: str, relation: Relation, reader: _Reader) -> Change:
    old: dict[str, Value] | None = None
    new: dict[str, Value] | None = None
    while reader.more():
        match reader.letter():
            case "N":
                new = _tuple(relation, reader)
            case "O":
                old = _tuple(relation, reader)
            case _:  # K: only the key's columns hold values
                whole = _tuple(relation, reader)
                old = {column.name: whole[column.name] for column in relation.columns if column.key}
    return Change(relation, {"I": "insert", "U": "update", "D": "delete"}[kind], old, new)


def _tuple(relation: Relation, reader: _Reader) -> dict[str, Value]:
    (count,) = reader.unpack("!h")
    values: dict[str, Value] = {}
    for column in relation.columns[:count]:
        match reader.letter():
            case "n":
                values[column.name] = None
            case "u":
                values[column.name] = UNCHANGED
            case _:
                (length,) = reader.unpack("!i")
                values[column.name] = reader.raw(length).decode()
    return values
