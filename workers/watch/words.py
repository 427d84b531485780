"""Times and spans as people say them."""

from datetime import UTC, datetime

from ledger import approvals


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def clock(at: float, now: float) -> str:
    """As 10:08 UTC; with its day unless that is today's."""
    return approvals.clock(moment(at), moment(now))


def span(seconds: float) -> str:
    """The two largest units: "3 d 4 h", "1 h 20 min", "12 min", "40 s", "under 1 s"."""
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s" if whole else "under 1 s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, left = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {left} min" if left else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
