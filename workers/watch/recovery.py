"""How an incident ended: since when it is over, in a sentence. How long it lasted its card says."""

from collections.abc import Mapping
from datetime import datetime

from ledger.incidents import Incident
from runbooks.words import counted
from workers.watch.history import History, Ran
from workers.watch.seen import Look
from workers.watch.words import clock, moment, span


def recovered(incident: Incident, look: Look, histories: Mapping[str, History]) -> tuple[datetime | None, str]:
    """By the platform's log; None where it does not tell when."""
    pipe, history, now = look.pipes.get(incident.subject), histories.get(incident.subject), look.now.timestamp()
    since = incident.since.timestamp()
    if incident.kind == "quarantine":
        return look.now, f"No row of {incident.name} was quarantined for an hour."
    if pipe is None and any(each.name == incident.name for each in look.pipes.values()):
        return None, f"The copy {incident.name} was made anew since: its next run says how it is."
    if pipe is None or history is None:
        return None, f"The copy {incident.name} is deleted: nobody waits for it any more."
    good = history.good[-1] if history.good else None
    if incident.kind in ("late", "missing", "queued"):
        begun = history.last
        if begun is not None and begun.created >= since:
            return moment(begun.created), (f"The copy {pipe.name} has begun a run at {clock(begun.created, now)}.")
        if incident.kind == "missing" and history.schedule == "running" and (history.turned or 0.0) >= since:
            return look.now, f"The schedule of the copy {pipe.name} runs again: {history.cron} (UTC)."
    elif good is not None and good.ended is not None and good.ended >= since:
        ran = "ran to its end" if good.rows == 0 else "ran well"
        said = f"The copy {pipe.name} {ran} at {clock(good.ended, now)}{_with(good)}."
        return moment(good.ended), said
    return None, f"It is no longer so with the copy {pipe.name}."


def _with(run: Ran) -> str:
    wrote = f" and wrote {counted(run.rows, 'row')}" if run.rows is not None else ""
    return f": it took {span(run.took or 0.0)}{wrote}"
