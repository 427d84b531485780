"""Windows of time in which runs may act: "Mon-Fri 08:00-18:00 Europe/Berlin"."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORM = re.compile(
    r"^(?P<first>\w{3})(?:-(?P<last>\w{3}))? (?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d) (?P<zone>[\w/+-]+)$"
)


@dataclass(frozen=True)
class Window:
    """Open on ``days`` (0 = Monday) from ``start`` to ``end`` in ``zone``; past midnight if end <= start."""

    text: str
    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def open_at(self, when: datetime) -> bool:
        local = when.astimezone(self.zone)
        clock = local.time().replace(tzinfo=None)
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= clock < self.end
        yesterday = (local - timedelta(days=1)).weekday()
        return (local.weekday() in self.days and clock >= self.start) or (yesterday in self.days and clock < self.end)


def parse_window(text: str) -> Window:
    """Read a window; ``ValueError`` says how one must be written."""
    found = _FORM.match(text)
    if not found or found["first"] not in DAYS or (found["last"] or "Mon") not in DAYS:
        raise ValueError(f"window {text!r} must read like 'Mon-Fri 08:00-18:00 Europe/Berlin'")
    first = DAYS.index(found["first"])
    last = DAYS.index(found["last"] or found["first"])
    days = frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))
    try:
        zone = ZoneInfo(found["zone"])
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise ValueError(f"window {text!r} names a time zone that is not known: {found['zone']}") from unknown
    return Window(text, days, time.fromisoformat(found["start"]), time.fromisoformat(found["end"]), zone)
