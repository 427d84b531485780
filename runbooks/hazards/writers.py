"""Who writes a table besides the pods that a plan stops: found before anything is stopped (facts/procedures.md §4)."""

from collections.abc import Iterator

from runbooks.hazards import Context, found, on_plan
from runbooks.plan import Hazard

SLUG = "unknown-writer"
_STOPS_WRITERS = frozenset({"rename", "exchange"})
_APPEND = "DATASOURCES:APPEND"


@on_plan
def written_past_the_connector(at: Context) -> Iterator[Hazard]:
    """What is written during the switch must wait in Kafka, behind the connector that is paused for it."""
    connector, name = at.facts.connector, at.planned.name
    if _stops(at) and connector is not None and name not in connector.topics:
        yield found(
            SLUG,
            "error",
            name,
            f"The connector {connector.name} does not carry a topic {name}: whoever writes {name} does so by another "
            "way, which nothing holds back during the switch.",
            f"Have its writers send to a topic {name} and the connector carry it.",
        )


@on_plan
def tokens_that_may_append(at: Context) -> Iterator[Hazard]:
    """Somebody holds each of them; nobody knows whether they write."""
    name = at.planned.name
    scopes = {(_APPEND, name), (_APPEND, None)}
    for token in at.facts.tokens if _stops(at) else ():
        if token.name != at.facts.connect_token and scopes & set(token.scopes):
            yield found(
                SLUG,
                "warning",
                token.name,
                f"The token {token.name} may append to {name}: who holds it is not among the writers that are stopped.",
                "Find who uses it and keep them still meanwhile; rows that come all the same stop the run.",
            )


@on_plan
def writers_that_are_off(at: Context) -> Iterator[Hazard]:
    for writer in at.facts.writers.get(at.planned.name, ()) if _stops(at) else ():
        if not writer.replicas and not writer.trouble:
            yield found(
                SLUG,
                "note",
                writer.where,
                f"{writer.where} has no pod now: it stays off, and is only looked at.",
                "Start it before, if it should run.",
            )


def _stops(at: Context) -> bool:
    return at.way in _STOPS_WRITERS and not at.planned.replicated
