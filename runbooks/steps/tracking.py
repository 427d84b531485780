"""Whether the connector reads a topic, for what must not go away under it."""

from runbooks.site import Site
from runbooks.step import Astray, Seen, Wait
from systems.errors import SystemsError

LOOK_AGAIN_S = 2.0
STARTING = frozenset({404, 409, 502, 503, 504})  # for a few seconds after a worker's start (facts/systems.md §4.1)


def read_topics(at: Site) -> tuple[str, ...] | None:
    """What the connector reads; None while it is away for a restart."""
    try:
        return at.connect.topics(at.names.connector)
    except SystemsError as error:
        if error.status is not None and error.status not in STARTING:
            raise
        return None


def away() -> Wait:
    """One that is away is waited for: a way back is looked at meanwhile, to see whether it is needed still."""
    return Wait(LOOK_AGAIN_S, "Kafka Connect does not answer; whether it reads the topic is not known")


def still_read(at: Site, topic: str, so: str) -> Seen | None:
    """Astray with ``so`` if the connector reads the topic, None if it does not."""
    topics = read_topics(at)
    if topics is None:
        return away()
    return Astray(so) if topic in topics else None
