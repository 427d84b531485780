"""What one look at the platform saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ledger.pauses import Pause
from systems.tinybird_logs import LoggedJob, LoggedWrite

SKEW_S = 120.0  # clocks of the platform's parts may differ so much (facts/anchors.md §3, row 11)


@dataclass(frozen=True)
class CopyPipe:
    """A copy pipe as it is now. ``cron`` is in UTC, None without a schedule; ``target`` is the data source's id."""

    id: str
    name: str
    cron: str | None
    running: bool
    mode: str  # append | replace
    target: str


@dataclass(frozen=True)
class Look:
    """``now`` is the platform's time, of the same answer as the jobs. The jobs are those that changed at ``since`` or
    later, the writes those of its minute or later. ``newest`` is what ``max(column)`` of a target said, by pipe."""

    environment: str
    now: datetime
    since: datetime
    pipes: Mapping[str, CopyPipe]  # by id
    jobs: tuple[LoggedJob, ...] = ()
    writes: tuple[LoggedWrite, ...] = ()
    pauses: Mapping[str, Pause] = field(default_factory=dict[str, Pause])  # by the pipe's name
    newest: Mapping[str, datetime | None] = field(default_factory=dict[str, "datetime | None"])
