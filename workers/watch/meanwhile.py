"""What failed and has recovered while nobody looked. Looks a minute apart see each failure while it lasts; after an
outage a copy may have failed and run well again, and people who read its target would not know why. Pure.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from systems.tinybird_causes import cause_of
from workers.watch.history import History
from workers.watch.seen import Look
from workers.watch.words import clock

GAP_S = 600.0  # of the platform's clock, between two looks: what is shorter is no outage
SHOWN = 15


def meanwhile(
    look: Look, until: datetime | None, histories: Mapping[str, History], told: Collection[str]
) -> str | None:
    """Whole sentences for the channel; None where nothing was missed. ``until`` is how far the look before saw,
    ``told`` are the subjects that have an incident or that nobody wants to hear of."""
    if until is None or (look.now - until).total_seconds() < GAP_S:
        return None
    missed = {
        pipe.name: many
        for pipe in look.pipes.values()
        if pipe.id not in told and (many := _failures(histories[pipe.id], until.timestamp()))
    }
    if not missed:
        return None
    now = look.now.timestamp()
    names = [f"{name} ({many} times)" if many > 1 else name for name, many in sorted(missed.items())]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    one = len(missed) == 1
    who = "one copy failed and has" if one else f"{len(missed):,} copies failed and have"
    return (
        f"Nobody looked at the copies in {look.environment} from {clock(until.timestamp(), now)} to {clock(now, now)}. "
        f"Meanwhile {who} run well since: {', '.join(names[:SHOWN])}{more}. "
        f"Nothing is left to do about {'it' if one else 'them'}."
    )


def _failures(history: History, since: float) -> int:
    """How often it failed since then, where its last run was good. One that found no copy slot was none."""
    if not history.finished or history.finished[-1].status != "done":
        return 0
    late = (run for run in history.finished if run.status == "error" and (run.ended or 0.0) > since)
    return sum(cause_of(run.error) != "quota" for run in late)
