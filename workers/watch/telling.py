"""From changes to rows of the ledger: incidents, their history, and the messages that show them."""

from collections.abc import Sequence

from ledger import incidents, messages
from ledger.connection import Conn
from ledger.incidents import Incident, incident_ref
from workers.watch.reconcile import (
    Alone,
    Became,
    Change,
    Closed,
    Key,
    Opened,
    Reopened,
    Under,
    Updated,
    key_of,
)  # fmt: skip


def tell(conn: Conn, environment: str, channel: str, changes: Sequence[Change]) -> list[int]:
    """Make the changes, within the caller's transaction; the messages to ring ``publish`` for after it.

    Somebody else may have made one of them already: that one is passed over.
    """
    opened: dict[Key, int] = {}
    touched: set[int] = set()
    for change in changes:
        made = _made(conn, environment, change, opened)
        if made is not None:
            touched |= {made.id, made.under or made.id}
    wanted = [
        messages.want(conn, "incident", incident_ref(i), channel, body={"opening": opening})
        for i, opening in incidents.untold(conn, environment).items()
    ]
    return [*dict.fromkeys([*wanted, *messages.showing(conn, [incident_ref(i) for i in sorted(touched)])])]


def _made(conn: Conn, environment: str, change: Change, opened: dict[Key, int]) -> Incident | None:
    match change:
        case Opened(found=found, under=under):
            made = incidents.open_incident(conn, environment, found, under=_number(under, opened))
        case Reopened(incident=before, found=found, under=under):
            made = incidents.reopen(conn, before.id, found, under=_number(under, opened))
        case Became(incident=before, found=found):
            return incidents.become(conn, before.id, found)
        case Updated(incident=before, name=name, detail=detail):
            return incidents.update(conn, before.id, name, detail)
        case Closed(incident=before, ended=ended, said=said):
            return incidents.close(conn, before.id, ended=ended, said=said)
        case Alone(incident=before, said=said):
            return incidents.alone(conn, before.id, said)
    if made is not None:
        opened[key_of(made)] = made.id
    return made


def _number(under: Under, opened: dict[Key, int]) -> int | None:
    """The incident that it is listed under; None where that one was opened by somebody else meanwhile."""
    return opened.get(under) if isinstance(under, tuple) else under
