"""An incident with all that its card and its thread show, and which are to be said again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger import incidents, messages, silences
from ledger.connection import Conn, calendar, pick, row_of
from ledger.incidents import Event, Incident, Kind, incident_ref
from ledger.queries import load
from ledger.silences import Silence
from ledger.values import Message

OPENINGS = ("opened", "reopened")
FLAPS = 3  # openings within a day, from which on it is flapping
DAY = timedelta(days=1)

_sql = load("incident_views")


@dataclass(frozen=True)
class IncidentView:
    """``events`` are its own; ``folded`` is what its card lists; ``silence`` is its subject's, if one stands."""

    incident: Incident
    folded: tuple[Incident, ...]
    events: tuple[Event, ...]
    silence: Silence | None
    now: datetime  # the calendar's time when it was read

    def flaps(self, before: Event | None = None) -> int:
        """How often it came within the day before its newest opening, or the newest ``before`` an event."""
        opened = [e.at for e in self.events if e.what in OPENINGS and (before is None or e.id < before.id)]
        return sum(at > opened[-1] - DAY for at in opened) if opened else 0

    @property
    def standing(self) -> tuple[Incident, ...]:
        """What of all that its card shows is still so."""
        own = () if self.incident.told.healed else (self.incident,)
        return tuple(each for each in (*own, *self.folded) if each.state == "open")

    @property
    def spoken_of(self) -> Incident:
        """What its card is about: where its own trouble is over, the first of the rest that is not."""
        return _spoken_of(self.incident, self.folded)

    @property
    def snoozed(self) -> bool:
        until = self.incident.snoozed_until
        return self.incident.state == "open" and until is not None and until > self.now


def view(conn: Conn, incident: int) -> IncidentView | None:
    """None if there is no such incident."""
    found = incidents.get(conn, incident)
    if found is None:
        return None
    folded = tuple(incidents.folded(conn, incident))
    own = tuple(e for e in incidents.events(conn, incident) if e.incident == incident)
    silence = silences.of(conn, found.environment, found.subject)
    return IncidentView(found, folded, own, silence, calendar(conn))


def card(conn: Conn, incident: int) -> Message | None:
    """The message whose thread is the incident's: the newest, where an older one could not be sent."""
    with conn.cursor(row_factory=row_of(Message)) as cursor:
        return cursor.execute(_sql["card"], {"ref": incident_ref(incident)}).fetchone()


def has_thread(conn: Conn, channel: str, ts: str) -> bool:
    """Whether the thread of this message is an incident's."""
    return conn.execute(_sql["has_thread"], {"channel": channel, "ts": ts}).fetchone() is not None


def replies(conn: Conn, incident: int) -> Sequence[Message]:
    """What was said, or is to be, in its thread."""
    with conn.cursor(row_factory=row_of(Message)) as cursor:
        return cursor.execute(_sql["replies"], {"below": f"{incident_ref(incident)}/%"}).fetchall()


@dataclass(frozen=True)
class Listed:
    """An open incident of a list. ``folded`` are those that are still so beside what its card speaks of."""

    incident: Incident
    folded: int
    spoken_of: Incident


def listing(conn: Conn, environment: str | None = None) -> Sequence[Listed]:
    """The open incidents that have a card of their own, the oldest first."""
    rows = conn.execute(_sql["listing"], {"environment": environment}).fetchall()
    return [_listed(conn, pick(Incident, row), row["beside"]) for row in rows]


def _listed(conn: Conn, row: Incident, beside: int) -> Listed:
    if not row.told.healed:
        return Listed(row, beside, row)
    return Listed(row, beside - 1, _spoken_of(row, incidents.folded(conn, row.id)))


def _spoken_of(row: Incident, folded: Sequence[Incident]) -> Incident:
    healed = row.state == "open" and row.told.healed
    return next((each for each in folded if each.state == "open"), row) if healed else row


def holders(listed: Sequence[Listed]) -> list[str]:
    """The actors who have some of them."""
    held = [each.incident.assigned or each.incident.acked_by for each in listed]
    return [actor for actor in held if actor]


def newest(conn: Conn, environment: str, subject: str, *, kind: Kind | None = None) -> Incident | None:
    """The last incident of a subject, an open one before those that are over."""
    values = {"environment": environment, "subject": subject, "kind": kind}
    with conn.cursor(row_factory=row_of(Incident)) as cursor:
        return cursor.execute(_sql["newest"], values).fetchone()


def of_subject(conn: Conn, environment: str, subject: str) -> Sequence[Incident]:
    """All incidents of a subject, in the order they were found."""
    with conn.cursor(row_factory=row_of(Incident)) as cursor:
        return cursor.execute(_sql["of_subject"], {"environment": environment, "subject": subject}).fetchall()


def unfinished_run(conn: Conn, incident: int) -> int | None:
    """A run that was asked for on its card and has not ended."""
    row = conn.execute(_sql["unfinished_run"], {"ref": incident_ref(incident)}).fetchone()
    return row["id"] if row else None


def wake(conn: Conn) -> list[int]:
    """Snoozes that are over while the trouble is still there: each told of once. The cards' messages to ring for."""
    return _said_again(conn, "wake", {}, "The time it was put off for is over, and it is still so.")


def remind(conn: Conn, environment: str, *, every_s: float) -> list[int]:
    """Those that nobody has taken for ``every_s`` of the calendar, then for twice as long, and so on."""
    values = {"environment": environment, "every_s": every_s}
    return _said_again(conn, "remind", values, "Nobody has taken it, and it is still so.")


def calm(conn: Conn, *, after_s: float) -> list[int]:
    """Those that came and went so often that nothing more was said, and have been over for ``after_s``."""
    values = {"after_s": after_s, "flaps": FLAPS}
    return _said_again(conn, "calm", values, "It has not come back since.")


def _said_again(conn: Conn, query: str, values: Mapping[str, object], said: str) -> list[int]:
    with conn.transaction():
        conn.execute(_sql["one_at_a_time"])  # whoever comes second reads what the first has written
        numbers = [row["id"] for row in conn.execute(_sql[query], {**values, "said": said})]
        return messages.touch(conn, *(incident_ref(number) for number in numbers)) if numbers else []
