"""Rows that a TTL takes away: the proof asks for every row that Postgres has (facts/procedures.md §5)."""

from collections.abc import Iterator

from runbooks.hazards import Context, found, on_plan
from runbooks.plan import Hazard


@on_plan
def expired_rows_are_missing(at: Context) -> Iterator[Hazard]:
    change = at.planned
    proven = change.concerned or at.way != "alter"
    if not (change.replicated and proven and change.target.after.ttl):
        return
    yield found(
        "ttl-not-proven",
        "warning",
        change.name,
        f"{change.name} drops rows by its TTL {change.target.after.ttl}: those that Postgres keeps for longer are "
        "missing in Tinybird, and a run that comes upon one is held at its proof.",
        "Make sure that Postgres deletes them as well, or take the TTL away until the run is over.",
    )
