"""What the metrics show, by one query when they are scraped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.connection import Conn
from ledger.queries import load

_sql = load("gauges")


@dataclass(frozen=True)
class Watching:
    """How the watch of one environment does, by the machine's clock. ``looked_at`` is in seconds since 1970; before the
    first look that came to its end it and ``behind_s`` are None."""

    environment: str
    looked_at: float | None
    behind_s: float | None
    failing_s: float


@dataclass(frozen=True)
class Figures:
    """``runs`` by state; ``ticks_behind_s`` is how long the longest due run has waited, in the calendar's seconds."""

    runs: Mapping[str, int]
    ticks_behind_s: float
    inbox_open: int
    messages_behind: int
    incidents: Mapping[tuple[str, str], int]  # open ones by environment and kind, those listed under others included
    watches: Sequence[Watching]


def figures(conn: Conn) -> Figures:
    row = conn.execute(_sql["figures"]).fetchone()
    assert row is not None
    return Figures(
        runs=row["runs"] or {},
        ticks_behind_s=max(0.0, row["late"] or 0.0),
        inbox_open=row["inbox"],
        messages_behind=row["messages"],
        incidents={(each["environment"], each["kind"]): each["n"] for each in row["incidents"] or ()},
        watches=[Watching(**each) for each in row["watches"] or ()],
    )
