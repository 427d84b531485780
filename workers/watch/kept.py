"""What this process remembers of each environment, so that a look reads from the ledger only what changed since.

A thousand pipes with sixty runs each are six megabytes of JSON, of which one look changes a few lines.
"""

from __future__ import annotations

from datetime import datetime

from ledger import watches
from ledger.connection import Conn
from workers.watch.memory import Memory, restored


class Kept:
    """One a process; looks come from one thread."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[datetime | None, Memory]] = {}

    def memory(self, conn: Conn, environment: str) -> Memory:
        """As the ledger has it, whoever wrote it there."""
        subjects, changed = watches.remembered(conn, environment)
        since, memory = self._known.get(environment, (None, Memory()))
        if since is not None and (changed is None or changed < since):
            since = None  # another ledger than it was, or one that was set back
        memory = memory.over(restored(watches.histories(conn, environment, since=since))) if since else Memory()
        if since is None or memory.subjects != subjects:  # some are forgotten: what is left is read anew
            memory = restored(watches.histories(conn, environment))
        self._known[environment] = (changed, memory)
        return memory
