"""What the metrics show, by one query when they are scraped."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.connection import Conn
from ledger.queries import load

_sql = load("gauges")


@dataclass(frozen=True)
class Figures:
    """``runs`` by state; ``ticks_behind_s`` is how long the longest due run has waited, in the calendar's seconds."""

    runs: Mapping[str, int]
    ticks_behind_s: float
    inbox_open: int
    messages_behind: int


def figures(conn: Conn) -> Figures:
    row = conn.execute(_sql["figures"]).fetchone()
    assert row is not None
    return Figures(row["runs"] or {}, max(0.0, row["late"] or 0.0), row["inbox"], row["messages"])
