"""Incidents: trouble that the watch found, from its first sight to its end. One card each, edited in place.

Opened and closed by compare-and-set, so that two watches that find the same thing make one incident of it. An incident
may be shown ``under`` another, whose card then lists it: what follows from a failure, and the many of a storm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ledger import messages, stored
from ledger.connection import Conn, row_of
from ledger.queries import load
from systems.tinybird_causes import Cause

Kind = Literal["failed", "late", "missing", "queued", "long", "few", "stale", "quarantine", "watch"]
What = Literal[
    "opened", "changed", "closed", "reopened",
    "acked", "assigned", "snoozed", "woken", "run",
    "reminded", "silenced", "lifted", "intended", "calm",
]  # fmt: skip

_sql = load("incidents")


class Detail(BaseModel):
    """What an incident's card shows. ``said`` is one plain sentence: what happened, to what, since when.

    ``raw`` is the platform's own text, shown behind a button. Rows are of the target. ``depends`` are those that read
    the target, by kind. ``offers`` are what may safely be done by a button (``runbooks.copies.offers``), ``why_not``
    says why nothing more is. ``healed``: its own trouble is over, in a sentence how, and it is open for what is listed
    with it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    said: str
    cause: Cause | None = None
    raw: str = ""
    target: str = ""
    schedule: str = ""
    mode: str = ""
    job: str = ""
    last_good: datetime | None = None
    rows_before: int | None = None
    rows_now: int | None = None
    endpoints: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    why_not: str = ""
    owner: str = ""  # as tbops.toml names it
    storm: bool = False  # many began at once: this card stands for all of them
    stormy: bool = False  # it is one of those many
    healed: str = ""


@dataclass(frozen=True)
class Incident:
    """``subject`` is the id of the pipe or the data source, ``name`` what people call it. ``since`` and ``ended`` are
    the platform's times, the others the calendar's. ``times`` is how often it was opened; ``under`` the incident whose
    card lists it."""

    id: int
    environment: str
    kind: Kind
    subject: str
    name: str
    state: Literal["open", "closed"]
    since: datetime
    ended: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    times: int
    under: int | None
    detail: Mapping[str, Any]
    assigned: str | None
    acked_by: str | None
    acked_at: datetime | None
    snoozed_until: datetime | None

    @property
    def told(self) -> Detail:
        return Detail.model_validate(self.detail)


@dataclass(frozen=True)
class Event:
    """``actor`` None: the watch."""

    id: int
    incident: int
    at: datetime
    what: What
    actor: str | None
    said: str


@dataclass(frozen=True)
class Found:
    """Trouble as the watch found it, to be made an incident."""

    kind: Kind
    subject: str
    name: str
    since: datetime
    detail: Detail


def incident_ref(incident: int) -> str:
    return f"incident/{incident}"


def open_incident(conn: Conn, environment: str, found: Found, *, under: int | None = None) -> Incident | None:
    """Open one; None if one of this kind and subject is open: somebody else found it first."""
    values = {"environment": environment, "under": under, **_values(found)}
    return _changed(conn, "open", values, "opened", found.detail.said)


def reopen(conn: Conn, incident: int, found: Found, *, under: int | None = None) -> Incident | None:
    """The same trouble is back soon after: the same incident, the same card. None if it is open."""
    return _changed(conn, "reopen", {"id": incident, "under": under, **_values(found)}, "reopened", found.detail.said)


def update(conn: Conn, incident: int, name: str, detail: Detail) -> Incident | None:
    """What is known of it now; None if that is what was known, or it is closed. Its history is told nothing."""
    values = {"id": incident, "name": stored.text(name), "detail": stored.json(detail.model_dump(mode="json"))}
    return _changed(conn, "update", values, None, "")


def close(conn: Conn, incident: int, *, ended: datetime | None, said: str) -> Incident | None:
    """It is over, since ``ended`` by the platform's logs (None: not known); None if it is closed already."""
    return _changed(conn, "close", {"id": incident, "ended": ended}, "closed", said)


def become(conn: Conn, incident: int, found: Found) -> Incident | None:
    """The subject's trouble has grown into another kind: the same incident, the same card. None if it is closed, or the
    subject has an open one of that kind."""
    return _changed(conn, "become", {"id": incident, **_values(found)}, "changed", found.detail.said)


def alone(conn: Conn, incident: int, said: str) -> Incident | None:
    """It is no longer listed on another's card; None if it was not."""
    before = get(conn, incident)
    changed = _changed(conn, "alone", {"id": incident}, "changed", said)
    if changed and before and before.under:
        messages.touch(conn, incident_ref(before.under))
    return changed


def untold(conn: Conn, environment: str) -> dict[int, int]:
    """The open incidents that should have a card of their own and have none: not listed on another's, and of nothing
    that people have silenced. Each with the line of its history by which it is open: the thread tells none before."""
    return {row["id"]: row["opening"] for row in conn.execute(_sql["untold"], {"environment": environment})}


def note(conn: Conn, incident: int, what: What, said: str, *, actor: str | None = None) -> int:
    """Add a line to its history; the line's number."""
    values = {"incident": incident, "what": what, "actor": actor, "said": stored.text(said)}
    row = conn.execute(_sql["note"], values).fetchone()
    assert row is not None
    return row["id"]


def get(conn: Conn, incident: int) -> Incident | None:
    return next(iter(_rows(conn, "get", {"id": incident})), None)


def folded(conn: Conn, incident: int) -> Sequence[Incident]:
    """What its card lists beside it, in the order it was found."""
    return _rows(conn, "folded", {"id": incident})


def events(conn: Conn, incident: int) -> Sequence[Event]:
    """Its history and that of what its card lists, oldest first."""
    with conn.cursor(row_factory=row_of(Event)) as cursor:
        return cursor.execute(_sql["events"], {"id": incident}).fetchall()


def all_open(conn: Conn, environment: str) -> Sequence[Incident]:
    return _rows(conn, "all_open", {"environment": environment})


def intended(conn: Conn, environment: str) -> frozenset[tuple[Kind, str]]:
    """Kind and subject of what people said is meant to be so: not found again, until ``unintended`` says it was not."""
    return frozenset(
        (row["kind"], row["subject"]) for row in conn.execute(_sql["intended"], {"environment": environment})
    )


def unintended(conn: Conn, environment: str, kind: Kind, subject: str) -> bool:
    """It was otherwise meanwhile, so that the next time is news again. False: nobody had said that it is intended."""
    values = {"environment": environment, "kind": kind, "subject": subject}
    return conn.execute(_sql["unintended"], values).fetchone() is not None


def closed_since(conn: Conn, environment: str, *, within_s: float) -> Sequence[Incident]:
    """Those closed within the last ``within_s`` of the calendar."""
    return _rows(conn, "closed_since", {"environment": environment, "within_s": within_s})


def _changed(conn: Conn, query: str, values: Mapping[str, Any], what: What | None, said: str) -> Incident | None:
    """Change the row, tell its history, and have its card, or the one it is listed on, sent anew."""
    changed = next(iter(_rows(conn, query, values)), None)
    if changed is None:
        return None
    if what:
        note(conn, changed.id, what, said)
    messages.touch(conn, incident_ref(changed.under or changed.id))
    return changed


def _rows(conn: Conn, query: str, values: Mapping[str, Any]) -> Sequence[Incident]:
    with conn.cursor(row_factory=row_of(Incident)) as cursor:
        return cursor.execute(_sql[query], values).fetchall()


def _values(found: Found) -> dict[str, Any]:
    detail = stored.json(found.detail.model_dump(mode="json"))
    return {"kind": found.kind, "subject": found.subject, "name": stored.text(found.name), "since": found.since} | {
        "detail": detail
    }
