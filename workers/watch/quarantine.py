"""A data source's quarantine grows: rows of the last hour that did not fit it (facts/tinybird.md §8).

Remembered are rows by minute, so that what two looks read of the same minute counts once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from ledger.incidents import Detail, Found
from systems.tinybird_logs import LoggedWrite
from workers.watch.words import clock, moment

WITHIN_S = 3600.0

Minutes = Mapping[str, int]  # a minute, in seconds since 1970 as text, to its rows


def folded(minutes: Minutes, writes: Iterable[LoggedWrite], now: datetime) -> Minutes:
    """With what a look told of one data source, without what is older than an hour."""
    told: dict[str, int] = {}
    for write in writes:
        if write.quarantined:
            key = str(int(write.minute.timestamp()))
            told[key] = told.get(key, 0) + write.quarantined
    oldest = now.timestamp() - WITHIN_S
    return {key: rows for key, rows in {**minutes, **told}.items() if float(key) >= oldest}


def found(
    environment: str, datasource_id: str, datasource: str, minutes: Minutes, least: int, owner: str, now: datetime
) -> Found | None:
    rows = sum(minutes.values())
    if rows < least:
        return None
    since = min(float(key) for key in minutes)
    said = (
        f"The quarantine of {datasource} grows in {environment}: rows that do not fit it have come since "
        f"{clock(since, now.timestamp())}."
    )
    return Found(
        "quarantine", datasource_id, datasource, moment(since), Detail(said=said, target=datasource, owner=owner)
    )
