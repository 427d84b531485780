"""People silence a subject, whether it has an incident or not, and lift it again; its time may be over too.

The silence, its line in the threads of the subject's incidents and its audit line are one transaction. Nothing was
changed unless the verdict is accepted; then ring ``publish`` for ``behind``.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from config.settings import Rules
from ledger import approvals, audit, decisions, incident_views, incidents, messages, silences
from ledger.connection import Conn, calendar
from ledger.deciding import Verdict
from ledger.incidents import Incident, What, incident_ref
from ledger.policy import Actor
from ledger.queries import load
from ledger.silences import Silence

LATELY = timedelta(days=1)  # what was over before that is not opened again

_sql = load("silencing")


def silence(
    conn: Conn, rules: Rules, actor: Actor, environment: str, subject: str, name: str, *,
    until: datetime | None = None, why: str = "",
) -> Verdict:  # fmt: skip
    """Let nobody hear of it; ``until`` None: until somebody lifts it. ``why`` may be empty."""
    may = decisions.may(rules, actor, "incident")
    if not may.accepted:
        return may
    with conn.transaction():
        now = calendar(conn)
        if not silences.silence(conn, environment, subject, name=name, actor=actor.id, until=until, reason=why):
            how = f"type `/tb unsilence {name}` first if it should be otherwise"
            return Verdict(False, f"{name} is silenced already in {environment}; {how}.")
        at = f"until {approvals.clock(until, now)}" if until else ""
        told = " ".join(part for part in (at, f"(“{why}”)" if why else "") if part)
        about = [
            row
            for row in _incidents(conn, environment, subject)
            if row.closed_at is None or row.closed_at > now - LATELY
        ]
        _note(conn, about, "silenced", told, actor.id)
        detail = {"deed": "silence", "subject": subject, "until": until.isoformat() if until else None, "why": why}
        _audit(conn, actor, environment, about, detail)
    lifted = f"until somebody presses *Lift the silence* or types `/tb unsilence {name}`"
    return Verdict(
        True, f"{name} is silenced in {environment}: nobody hears of it {f'{at}, or ' if at else ''}{lifted}."
    )


def lift(conn: Conn, rules: Rules, actor: Actor, environment: str, subject: str, name: str) -> Verdict:
    """Let it be heard of again."""
    may = decisions.may(rules, actor, "incident")
    if not may.accepted:
        return may
    with conn.transaction():
        if not silences.lift(conn, environment, subject):
            return Verdict(False, f"{name} is not silenced in {environment}.")
        about = _heard_again(conn, environment, subject, actor.id)
        _audit(conn, actor, environment, about, {"deed": "lift", "subject": subject})
    return Verdict(True, f"{name} is heard of again.")


def lapse(conn: Conn) -> Sequence[Silence]:
    """The silences whose time is over, each told to one caller: their cards and threads say so."""
    with conn.transaction():
        over = silences.lapse(conn)
        for each in over:
            _heard_again(conn, each.environment, each.subject, None)
    return over


def behind(conn: Conn, environment: str, subject: str) -> list[int]:
    """The messages that show it."""
    return messages.showing(conn, [incident_ref(row.under or row.id) for row in _incidents(conn, environment, subject)])


def _heard_again(conn: Conn, environment: str, subject: str, actor: str | None) -> list[Incident]:
    """The threads in which it was silenced are spoken in again; those incidents, or else all of the subject."""
    values = {"environment": environment, "subject": subject}
    silent = {row["id"] for row in conn.execute(_sql["silent"], values)}
    rows = _incidents(conn, environment, subject)
    _note(conn, [row for row in rows if row.id in silent], "lifted", "", actor)
    messages.answered(conn, *(incident_ref(row.under or row.id) for row in rows))
    return [row for row in rows if row.id in silent] or rows


def _note(conn: Conn, about: list[Incident], what: What, said: str, actor: str | None) -> None:
    for row in about:
        incidents.note(conn, row.id, what, said, actor=actor)
    messages.answered(conn, *(incident_ref(row.under or row.id) for row in about))  # people see at once what they did


def _incidents(conn: Conn, environment: str, subject: str) -> list[Incident]:
    return list(incident_views.of_subject(conn, environment, subject))


def _audit(conn: Conn, actor: Actor, environment: str, about: list[Incident], detail: dict[str, str | None]) -> None:
    """Last, as ``audit.append`` asks."""
    subject = incident_ref(about[-1].id) if about else f"environment/{environment}"
    audit.append(conn, actor=actor.id, action="incident", subject=subject, detail=detail)
