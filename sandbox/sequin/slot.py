"""Reads the real replication slot: through SQL functions, as the server ships no other way for psycopg."""

import psycopg

from sandbox.sequin.pgoutput import Decoder, Transaction

_AT_ONCE = 2_000  # changes; a transaction is never cut


class Slot:
    """One slot on one connection. What has been read is confirmed, so that the server can drop its WAL."""

    def __init__(self, connection: psycopg.Connection, name: str, publication: str) -> None:
        self._connection = connection
        self._name = name
        self._publication = publication
        self._seen = 0

    def wal_position(self) -> int:
        """Where the server's log ends now; a cheap question."""
        row = self._connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return int(row[0])

    def read(self) -> list[Transaction]:
        """The next transactions, in order of their commits. Asks the slot only when the log has grown."""
        end = self.wal_position()
        if end == self._seen:
            return []
        rows = self._connection.execute(
            "SELECT data FROM pg_logical_slot_get_binary_changes("
            "%s, NULL, %s, 'proto_version', '1', 'publication_names', %s)",
            (self._name, _AT_ONCE, self._publication),
            binary=True,
        ).fetchall()
        if len(rows) < _AT_ONCE:
            self._seen = end
        return list(Decoder().transactions(row[0] for row in rows))
