"""What people do about incidents. Every surface ends here: a button, a typed line.

A deed, its line of history and its audit line are one transaction, made under the incident's row lock. Who takes or
puts off an incident that is listed on another's card does it to that one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from config.settings import Rules
from ledger import approvals, audit, decisions, incident_views, incidents, messages
from ledger.connection import Conn, calendar, row_of
from ledger.deciding import Verdict
from ledger.incidents import Incident, What, incident_ref
from ledger.policy import Actor, person
from ledger.queries import load
from ledger.values import Message

Deed = Literal["take", "snooze", "intend"]

INTENDABLE = ("missing",)  # what people may mean to be so: a pipe without a schedule, a paused one

_sql = load("incident_decisions")


@dataclass(frozen=True)
class Click:
    """What is done, to an incident that is locked; ``now`` is the calendar's."""

    actor: str
    deed: Deed
    incident: Incident
    now: datetime
    until: datetime | None
    holder: str | None


def decide(
    conn: Conn,
    rules: Rules,
    actor: Actor,
    deed: Deed,
    incident: int,
    *,
    times: int | None = None,
    until: datetime | None = None,
    holder: str | None = None,
) -> Verdict:
    """Do it, or say why not. ``times`` and ``holder`` are the button's: how often it had been open, and the user who
    had it then ("": nobody); None, from a typed line, means as it is, but takes it from nobody. ``until`` is for a
    snooze. Nothing was changed unless accepted; then ring ``publish`` for ``card_of``."""
    may = decisions.may(rules, actor, "incident")
    if not may.accepted:
        return may
    with conn.transaction():
        row = _locked(conn, incident)
        if row is None:
            return Verdict(False, f"There is no incident {incident}; `incidents` lists the open ones.")
        if times is not None and times != row.times:
            return Verdict(False, f"Incident {row.id} has come back since; look at the newest card.")
        return _DEEDS[deed](conn, Click(actor.id, deed, row, calendar(conn), until, holder))


def hold(conn: Conn, incident: int) -> None:
    """Let nobody else do anything about it, or about what it is listed under, until the transaction ends."""
    _locked(conn, incident)


def card_of(conn: Conn, incident: int) -> Message | None:
    """The card that shows it: its own, or that of the incident it is listed under."""
    row = incidents.get(conn, incident)
    return incident_views.card(conn, row.under or row.id) if row else None


def asked(conn: Conn, incident: int, run: int, actor: str) -> None:
    """A run was asked for on its card; the run's own audit line says the rest."""
    incidents.note(conn, incident, "run", f"Run {run}", actor=actor)
    messages.answered(conn, incident_ref(incident))


def _take(conn: Conn, click: Click) -> Verdict:
    row = click.incident
    if row.state != "open":
        return _over(click)
    held = row.assigned or row.acked_by
    if held == click.actor:
        return Verdict(False, f"You have incident {row.id} already.")
    if held and _user(held) != click.holder:
        since = f" since {approvals.clock(row.acked_at, click.now)}" if row.acked_at else ""
        how = "press *Take it over* on its newest card to have it instead"
        return Verdict(False, f"Incident {row.id} is with {person(held)} already{since}; {how}.")
    conn.execute(_sql["take"], {"id": row.id, "actor": click.actor})
    return _kept(conn, click, "assigned" if held else "acked", f"You have incident {row.id} now.", {"from": held})


def _snooze(conn: Conn, click: Click) -> Verdict:
    row, until = click.incident, click.until
    if row.state != "open":
        return _over(click)
    if until is None or until <= click.now:
        return Verdict(False, f"That time is over; incident {row.id} stays as it is.")
    conn.execute(_sql["snooze"], {"id": row.id, "until": until})
    at = approvals.clock(until, click.now)
    said = f"Incident {row.id} is put off until {at}; if it is still so then, its thread says it again."
    return _kept(conn, click, "snoozed", said, {"until": until.isoformat()}, f"until {at}")


def _intend(conn: Conn, click: Click) -> Verdict:
    """It is meant to be so: over, and not found again until it has been otherwise (``incidents.intended``)."""
    row = click.incident
    if row.state != "open":
        return _over(click)
    listed = [each for each in incidents.folded(conn, row.id) if each.state == "open"]
    if any(each.kind not in INTENDABLE for each in (row, *listed)):
        return Verdict(False, f"Incident {row.id} is nothing that is meant to be; take it, or silence {row.name}.")
    for each in listed:  # a card that is over hides nothing
        incidents.close(
            conn, each.id, ended=None, said=f"{person(click.actor)} says that {each.name} is meant to be so."
        )
        incidents.note(conn, each.id, "intended", "", actor=click.actor)
    more = f" and {len(listed)} more" if listed else ""
    are = "are" if listed else "is"
    incidents.close(
        conn, row.id, ended=None, said=f"{person(click.actor)} says that {row.name}{more} {are} meant to be so."
    )
    return _kept(conn, click, "intended", f"Noted: {row.name}{more} {are} meant to be so.", {"subject": row.subject})


_DEEDS: dict[Deed, Callable[[Conn, Click], Verdict]] = {
    "take": _take, "snooze": _snooze, "intend": _intend,
}  # fmt: skip


def _kept(conn: Conn, click: Click, what: What, said: str, detail: dict[str, str | None], told: str = "") -> Verdict:
    """Keep the deed: a line of history, the card, and last the audit (``audit.append``)."""
    row = click.incident
    incidents.note(conn, row.id, what, told, actor=click.actor)
    messages.answered(conn, incident_ref(row.id))  # people see at once what they did
    detail = {"deed": click.deed, **detail}
    audit.append(conn, actor=click.actor, action="incident", subject=incident_ref(row.id), detail=detail)
    return Verdict(True, said)


def _over(click: Click) -> Verdict:
    row = click.incident
    at = f" since {approvals.clock(row.closed_at, click.now)}" if row.closed_at else ""
    return Verdict(False, f"Incident {row.id} is over{at}.")


def _locked(conn: Conn, incident: int) -> Incident | None:
    """The row, or the one it is listed under, locked until the transaction ends."""
    with conn.cursor(row_factory=row_of(Incident)) as cursor:
        row = cursor.execute(_sql["lock"], {"id": incident}).fetchone()
    return _locked(conn, row.under) if row and row.under else row


def _user(actor: str) -> str:
    return actor.rpartition(":")[2]
