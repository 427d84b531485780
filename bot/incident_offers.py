"""What an incident's card may offer to do to the pipe, and the run that each comes to."""

from ledger.incidents import Incident
from runbooks.request import Job


def offered(incident: Incident) -> tuple[str, ...]:
    """Those of ``Detail.offers`` that this version can carry out."""
    return tuple(offer for offer in incident.told.offers if job_of(incident, offer) is not None)


def job_of(incident: Incident, offer: str) -> Job | None:
    """The request that an offer comes to; None for what is not offered."""
    return None


def said_of(incident: Incident, offer: str) -> str:
    """The request in words, as its run's card shows it."""
    return f"copy {incident.name} {offer}"
