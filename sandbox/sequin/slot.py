"""Reads the real replication slot as a standby does: START_REPLICATION, then one long COPY in both directions.

Messages and frames after the Postgres manual, "Streaming Replication Protocol".
"""

import select
import struct
import time

import psycopg
from psycopg import pq

from sandbox.sequin.pgoutput import Decoder, Transaction, Watermark

_AT_ONCE = 2_000  # changes; a transaction is never cut
_SAY_AGAIN_S = 10.0  # the server hangs up on a standby that has been silent for a minute
_EPOCH_S = 946_684_800  # 2000-01-01, where Postgres counts from
_OPTIONS = "proto_version '1', messages 'true', publication_names '{publication}'"


class Stream:
    """One slot on a connection of its own, which only ``close`` gives free again.

    The server drops its log up to what ``confirm`` has told, and sends anew what lies behind it. ``position`` is
    that place, known on our side too, because a server that crashed may have forgotten the last of it.
    Raises psycopg.OperationalError when the slot is in use or the connection is lost.
    """

    def __init__(self, dsn: str, slot: str, publication: str, position: int) -> None:
        self.position = position
        self.watermark = b""  # what the newest one said
        self._received = position
        self._told = (0, 0.0)
        self._more = False
        self._decoder = Decoder()
        self._pg = pq.PGconn.connect(f"{dsn}?replication=database&connect_timeout=5".encode())
        try:
            if self._pg.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError(self._said())
            begin = f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
            options = _OPTIONS.format(publication=publication)
            begun = self._pg.exec_(f"START_REPLICATION SLOT {slot} LOGICAL {begin} ({options})".encode())
            if begun.status != pq.ExecStatus.COPY_BOTH:
                raise psycopg.OperationalError(self._said())
            self._pg.nonblocking = 1
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._pg.finish()

    def wait(self, seconds: float, wake: int) -> None:
        """Sleep until something has come, ``wake`` can be read, or the time is over."""
        if not self._more:
            select.select([self._pg.socket, wake], [], [], seconds)

    def read(self) -> list[Transaction]:
        """The transactions that have come, in order of their commits; ``confirm`` when they are in safe hands."""
        self._pg.consume_input()
        found: list[Transaction] = []
        changes = 0
        self._more = True
        while changes < _AT_ONCE:
            length, frame = self._pg.get_copy_data(1)
            if length < 0:
                raise psycopg.OperationalError(f"the server ended the replication: {self._said()}")
            if length == 0:
                self._more = False
                break
            transaction = self._take(bytes(frame))
            if transaction is not None:
                found.append(transaction)
                changes += len(transaction.changes)
        return found

    def confirm(self) -> None:
        """All that ``read`` has returned is taken. Tells the server, and now and then that we still live."""
        self.position = self._received
        told, when = self._told
        if told != self.position or time.monotonic() - when > _SAY_AGAIN_S:
            self._told = self.position, time.monotonic()
            micros = int((time.time() - _EPOCH_S) * 1e6)
            self._pg.put_copy_data(b"r" + struct.pack("!QQQqB", self.position, self.position, self.position, micros, 0))
            self._pg.flush()

    def _take(self, frame: bytes) -> Transaction | None:
        """Data, or a sign of life: what it says of the log's end holds once all before it has been read."""
        if frame[:1] == b"k":
            end, _sent_at, answer = struct.unpack_from("!QqB", frame, 1)
            self._received = max(self._received, end)
            if answer:
                self._told = (0, 0.0)
            return None
        message = frame[25:]  # behind the letter, where it begins, where the log ends, when it was sent
        decoded = self._decoder.feed(message)
        if isinstance(decoded, Watermark):
            self.watermark = decoded.content
            return None
        if decoded is not None:
            (self._received,) = struct.unpack_from("!Q", message, 10)  # the end of the commit's own record
        return decoded

    def _said(self) -> str:
        return self._pg.error_message.decode(errors="replace").strip()
