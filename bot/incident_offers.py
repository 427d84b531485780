"""What an incident's card may offer to do to the pipe, and the run that each comes to."""

import re

from ledger.incidents import Incident
from runbooks.request import NAME, CopyDeed, Request

# An offer, as a person would type it behind the pipe's name, in the order in which they are shown.
_TYPED = {"run": "run", "run-in-order": "run in order", "clear-and-run": "run clear", "pause": "pause"}


def offered(card: Incident, incident: Incident) -> tuple[str, ...]:
    """Those of ``Detail.offers`` of an incident that can be asked for on a ``card``; none on that of a storm, which is
    of many pipes."""
    if card.told.storm or not re.fullmatch(NAME, incident.name, re.ASCII):
        return ()
    return tuple(offer for offer in _TYPED if offer in incident.told.offers)


def request_of(incident: Incident, offer: str) -> Request | None:
    """The request that an offer comes to; None for what is not offered."""
    if offer not in offered(incident, incident):
        return None
    job = CopyDeed(
        pipe=incident.name,
        deed="pause" if offer == "pause" else "run",
        onward=offer == "run-in-order",
        clear=offer == "clear-and-run",
    )
    return Request(text=f"copy {incident.name} {_TYPED[offer]}", job=job, environment=incident.environment)
