"""What the metrics show, by one query of the ledger when they are scraped."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.connection import Conn

_QUERY = """
SELECT (SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM ledger.run GROUP BY state) s) AS runs,
       (SELECT extract(epoch FROM ledger.now() - min(due_at))::float8 FROM ledger.run) AS late,
       (SELECT count(*) FROM ledger.inbox WHERE handled_at IS NULL) AS inbox,
       (SELECT count(*) FROM ledger.message WHERE wanted_rev > sent_rev AND trouble IS NULL) AS messages
"""


@dataclass(frozen=True)
class Figures:
    runs: Mapping[str, int]
    ticks_behind_s: float
    inbox_open: int
    messages_behind: int


def read(conn: Conn) -> Figures:
    row = conn.execute(_QUERY).fetchone()
    assert row is not None
    return Figures(row["runs"] or {}, max(0.0, row["late"] or 0.0), row["inbox"], row["messages"])
