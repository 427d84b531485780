"""People write to ``members`` in Postgres all through the demo: inserts, updates and deletes."""

import random
import threading
import uuid
from typing import Any

import psycopg
from psycopg import sql

from tbops.demo.stage import Stage

EVERY_S = 0.1
NAMES = ("Ada", "Björn", "Chiara", "Đorđe", "Émile", "Fatıma", "Grace", "Håkon", "Iñaki", "Jürgen")


class Writer:
    """A thread that writes until it is stopped. Fields that the demo adds are filled as soon as Postgres has them."""

    def __init__(self, stage: Stage, *, seed: int = 1) -> None:
        self._stage = stage
        self._random = random.Random(seed)  # play, not secrecy
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._mine: list[str] = []
        self.fields: tuple[str, ...] = ()
        self.counts = {"inserted": 0, "updated": 0, "deleted": 0}
        self.deleted: set[str] = set()

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Write no more; returns when the last write is committed."""
        self._stop.set()
        self._thread.join(10)

    def fills(self, field: str) -> None:
        """From now on give ``field`` a value with each write, once the column is there."""
        self.fields = (*self.fields, field)

    def _write(self) -> None:
        with self._stage.source() as conn:
            old = [str(row[0]) for row in conn.execute("SELECT id FROM members ORDER BY id LIMIT 500")]
            while not self._stop.wait(EVERY_S):
                self._one(conn, old)

    def _one(self, conn: psycopg.Connection[tuple[Any, ...]], old: list[str]) -> None:
        dice = self._random.random()
        if dice < 0.3:
            self._insert(conn)
        elif dice < 0.4 and self._mine:
            self._delete(conn, self._mine.pop(self._random.randrange(len(self._mine))))
        else:
            self._update(conn, self._random.choice(old + self._mine))

    def _there(self, conn: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
        query = (
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'members' AND column_name = ANY(%s)"
        )
        return [str(row[0]) for row in conn.execute(query, [list(self.fields)])]

    def _insert(self, conn: psycopg.Connection[tuple[Any, ...]]) -> None:
        key = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        conn.execute(
            'INSERT INTO members (id, "displayName", "joinedAt", score) VALUES (%s, %s, now(), %s)',
            [key, self._random.choice(NAMES), self._random.randrange(11)],
        )
        self._mine.append(key)
        self.counts["inserted"] += 1

    def _update(self, conn: psycopg.Connection[tuple[Any, ...]], key: str) -> None:
        # whoever updates a row bumps its version: the rule that deduplication lives by
        filled = [sql.SQL(", {} = %(value)s").format(sql.Identifier(field)) for field in self._there(conn)]
        query = sql.SQL(
            'UPDATE members SET score = %(score)s, "updatedAt" = clock_timestamp(){} WHERE id = %(key)s'
        ).format(sql.Composed(filled))
        values = {"score": self._random.randrange(11), "value": f"{self._random.choice(NAMES)} ✨", "key": key}
        conn.execute(query, values)
        self.counts["updated"] += 1

    def _delete(self, conn: psycopg.Connection[tuple[Any, ...]], key: str) -> None:
        conn.execute("DELETE FROM members WHERE id = %s", [key])
        self.deleted.add(key)
        self.counts["deleted"] += 1
